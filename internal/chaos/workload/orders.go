package workload

import "fmt"

// ordersSetup makes the tables of the declared pipeline in docs/pipelines.md.
const ordersSetup = `
	CREATE SCHEMA IF NOT EXISTS shop;
	CREATE TABLE IF NOT EXISTS shop.customers (
		id integer PRIMARY KEY, name text NOT NULL, tier text, discount real, blocked boolean NOT NULL DEFAULT false, note text);
	CREATE TABLE IF NOT EXISTS shop.orders (
		region text, number bigint, customer_id integer, placed_at timestamptz NOT NULL, quantity integer, price double precision, status text NOT NULL,
		PRIMARY KEY (region, number));
	ALTER TABLE shop.customers REPLICA IDENTITY FULL;
	ALTER TABLE shop.orders REPLICA IDENTITY FULL;
	DO $$ BEGIN
		IF NOT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = 'engagement' AND schemaname = 'shop') THEN
			ALTER PUBLICATION engagement ADD TABLE shop.customers, shop.orders;
		END IF;
	END $$`

// customers are how many there may be.
const customers = 300

// customerOf is the customer of order i, or none.
func customerOf(i string, salt int64) string {
	return fmt.Sprintf("nullif(abs(hashint8extended(%s, %d) %% %d)::int, 0)", i, salt, customers)
}

// changeOrders inserts, updates or deletes some orders, or customers.
func changeOrders(w *worker) string {
	from := w.some()
	to := from + int64(w.random.IntN(25))
	update := func(set string, args ...any) string {
		return "UPDATE shop.orders SET " + fmt.Sprintf(set, args...) + fmt.Sprintf(" WHERE number BETWEEN %d AND %d; ", from, to)
	}
	switch w.random.IntN(14) {
	case 0, 1, 2:
		return changeCustomers(w)
	case 3:
		return update("status = (ARRAY['draft', 'open', 'paid'])[%d + number %% 2]", 1+w.random.IntN(2))
	case 4:
		return update("customer_id = %s", customerOf("number", w.n))
	case 5: // through several customers in one commit
		return update("customer_id = %s", customerOf("number", w.n)) + update("customer_id = %s", customerOf("number", w.n+1))
	case 6:
		return update("quantity = nullif(%d, 3), price = price + 0.25", w.random.IntN(4))
	case 7: // it lies at another place then
		return update("placed_at = placed_at + interval '%d hours'", w.random.IntN(96)-48)
	case 8:
		return fmt.Sprintf("DELETE FROM shop.orders WHERE number BETWEEN %d AND %d; ", from, from+(to-from)/3)
	default:
		n := int64(1 + w.random.IntN(40))
		from = w.fresh(n)
		w.remember(from)
		return fmt.Sprintf(`INSERT INTO shop.orders
			SELECT (ARRAY['eu', 'us:west', '50%%', 'ü', ''])[1 + i %% 5], i, %s,
				timestamptz '2026-03-01 00:00:00+00' + (i %% 1000003 * 7919 + %d) %% 172800000 * interval '1 millisecond' + i %% 3 * interval '1 microsecond',
				nullif(i %% 9, 8), CASE WHEN i %% 11 > 0 THEN (i %% 4001) / 4.0 END, (ARRAY['draft', 'open', 'paid'])[1 + i %% 3]
			FROM generate_series(%d::bigint, %d::bigint) i; `, customerOf("i", w.n), w.n, from, from+n-1)
	}
}

func changeCustomers(w *worker) string {
	id := 1 + w.random.IntN(customers)
	switch w.random.IntN(8) {
	case 0:
		return fmt.Sprintf("DELETE FROM shop.customers WHERE id = %d; ", id)
	case 1, 2: // none of its orders is in the result then, or all of them come back
		return fmt.Sprintf("UPDATE shop.customers SET blocked = NOT blocked WHERE id = %d; ", id)
	case 3: // what the result does not depend on
		return fmt.Sprintf("UPDATE shop.customers SET note = 'seen by %d' WHERE id = %d; ", w.n, id)
	default:
		return fmt.Sprintf(`INSERT INTO shop.customers VALUES (%[1]d, 'Customer %[2]d', (ARRAY['gold', 'silver', NULL])[1 + %[2]d %% 3],
			nullif(%[2]d %% 5, 4) * 0.1, false, NULL)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, tier = excluded.tier, discount = excluded.discount; `, id, w.n)
	}
}
