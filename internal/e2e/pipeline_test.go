package e2e_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/testdata"
)

// pipelinesDoc are the blocks of a language in docs/pipelines.md.
func pipelinesDoc(t *testing.T, language string) []string {
	t.Helper()
	data, err := os.ReadFile("../../docs/pipelines.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, part := range strings.Split(string(data), "\n```"+language+"\n")[1:] {
		block, _, closed := strings.Cut(part, "\n```\n")
		if !closed {
			t.Fatalf("a block of %s is not closed", language)
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// shopWorld runs the configuration of docs/pipelines.md, word by word.
type shopWorld struct {
	*world
	query string
	env   []string
	args  []string
}

func newShopWorld(t *testing.T) *shopWorld {
	t.Helper()
	w := &shopWorld{world: newWorld(t)}
	sql, files := pipelinesDoc(t, "sql"), pipelinesDoc(t, "yaml")
	if len(sql) != 2 || len(files) != 1 {
		t.Fatalf("the document has %d blocks of SQL and %d of YAML", len(sql), len(files))
	}
	w.exec(sql[0])
	w.query = sql[1]
	if err := os.WriteFile(w.config, []byte(files[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		"PG_DSN=" + w.dsn, "SLOT=" + w.slot(), "BROKERS=" + strings.Join(w.servers.Kafka.Brokers, ","), "SHOP=" + w.keyspace,
		"CASSANDRA=" + strings.Join(w.servers.Cassandra.Hosts, ","), "CASSANDRA_PASSWORD=" + w.servers.Cassandra.Password,
		"KEYSPACE=" + w.keyspace, "REDIS=" + w.servers.Redis.Address, "PREFIX=" + w.prefix,
	}
	// The shared servers have other tests' topics: these are only names.
	for key, name := range map[string]string{
		"kafka.position_topic": "position", "kafka.transaction_topic": "transactions", "kafka.dead_letter_topic": "dead-letters",
		"pipelines.orders.topic": "orders-input", "pipelines.orders.group": "orders", "pipelines.engagement_metrics.topic": "input",
		"pipelines.engagement_metrics.group": "group",
	} {
		w.args = append(w.args, "--set="+key+"="+w.topic(name))
	}
	w.args = append(w.args, "--set=kafka.topic="+w.prefix+".{schema}.{table}", "--set=kafka.partitions=4", "--set=cassandra.username="+w.servers.Cassandra.Username)
	return w
}

func (w *shopWorld) start() {
	w.t.Helper()
	path, err := binary()
	w.startBinary(path, err, w.env, w.args...)
	w.awaitStreaming()
}

// orders are what the document's query returns, by region and number.
func (w *shopWorld) orders() rows {
	w.t.Helper()
	found, err := w.db.Query(w.t.Context(), w.query)
	if err != nil {
		w.t.Fatal(err)
	}
	type order struct {
		Region           string
		Number           int64
		Day              string
		PlacedAt         time.Time
		PlacedUS         int64
		Customer         *string
		Tier, Status     string
		UnitPrice, Total *float64
		Large            *bool
	}
	list, err := pgx.CollectRows(found, pgx.RowToStructByName[order])
	if err != nil {
		w.t.Fatal(err)
	}
	out := rows{}
	for _, o := range list {
		key := o.Region + "/" + strconv.FormatInt(o.Number, 10)
		row := map[string]string{
			"day": o.Day, "placed_at": pythonTime(o.PlacedAt), "placed_us": strconv.FormatInt(o.PlacedUS, 10), "tier": o.Tier, "status": o.Status,
		}
		put(row, "customer", o.Customer)
		putFloat(row, "unit_price", o.UnitPrice)
		putFloat(row, "total", o.Total)
		if o.Large != nil {
			row["large"] = strconv.FormatBool(*o.Large)
		}
		out[key] = row
	}
	return out
}

// fromCassandra reads the whole table; its timestamps have milliseconds.
func (w *shopWorld) fromCassandra() (rows, error) {
	out := rows{}
	iter := w.history.Query("SELECT region, number, day, placed_at, placed_us, customer, tier, status, unit_price, total, large FROM orders_by_region").IterContext(w.t.Context())
	var (
		region, day, tier, status string
		number, micros            int64
		placed                    time.Time
		customer                  *string
		unit, total               *float64
		large                     *bool
	)
	for iter.Scan(&region, &number, &day, &placed, &micros, &customer, &tier, &status, &unit, &total, &large) {
		row := map[string]string{
			"day": day, "placed_at": pythonTime(time.UnixMicro(micros)), "placed_us": strconv.FormatInt(micros, 10), "tier": tier, "status": status,
		}
		if placed.UnixMilli() != time.UnixMicro(micros).UnixMilli() {
			row["placed_at"] = placed.String()
		}
		put(row, "customer", customer)
		putFloat(row, "unit_price", unit)
		putFloat(row, "total", total)
		if large != nil {
			row["large"] = strconv.FormatBool(*large)
		}
		key := region + "/" + strconv.FormatInt(number, 10)
		if _, twice := out[key]; twice {
			row["twice"] = "yes"
		}
		out[key] = row
	}
	return out, iter.Close()
}

// fromRedis reads every hash, by the region and number of its key.
func (w *shopWorld) fromRedis() (rows, error) {
	out := rows{}
	prefix := w.keyspace + ":order:"
	return out, eachHash(w.t.Context(), w.latest, prefix, func(rest string, hash map[string]string) {
		if hash["_d"] != "" {
			return
		}
		delete(hash, "_v")
		region, number, _ := strings.Cut(rest, ":")
		out[strings.NewReplacer("%3A", ":", "%25", "%").Replace(region)+"/"+number] = hash
	})
}

// awaitOrders waits until both stores equal the document's query.
func (w *shopWorld) awaitOrders(after string) {
	w.t.Helper()
	want := w.orders()
	inRedis := want
	for _, field := range []string{"day", "placed_us", "unit_price", "large"} {
		inRedis = inRedis.without(field)
	}
	for _, store := range []struct {
		name string
		want rows
		read func() (rows, error)
	}{{"cassandra", want, w.fromCassandra}, {"redis", inRedis, w.fromRedis}} {
		w.eventually(store.name+" to equal the query after "+after, func() string {
			got, err := store.read()
			if err != nil {
				return err.Error()
			}
			return difference(store.want, got)
		})
	}
}

// TestTheDocumentsPipeline runs the configuration of docs/pipelines.md beside the preset, on
// the real servers, and compares both stores with its query after each step.
func TestTheDocumentsPipeline(t *testing.T) {
	w := newShopWorld(t)
	w.start()
	steps := []struct{ name, sql string }{
		{"orders before their customers, one without, a draft", `
			INSERT INTO shop.orders SELECT (ARRAY['north', 'so:uth%', ''])[1 + n % 3], n, 1 + n % 4, '2026-03-01 23:59:59.123456+00'::timestamptz + n * interval '7 hours',
				n % 5, n * 12.25, CASE WHEN n % 6 = 0 THEN 'draft' ELSE 'open' END FROM generate_series(1, 60) n;
			INSERT INTO shop.orders VALUES ('north', 1000, NULL, now(), NULL, NULL, 'open')`},
		{"the customers", "INSERT INTO shop.customers SELECT n, 'customer ' || n, CASE WHEN n > 2 THEN 'gold' END, n / 16.0, n = 3 FROM generate_series(1, 4) n"},
		{"an update of a customer", "UPDATE shop.customers SET tier = 'silver', discount = NULL WHERE id = 1"},
		{"an update of a column that nobody uses", "UPDATE shop.customers SET note = 'x'"},
		{"updates of orders", "UPDATE shop.orders SET quantity = quantity + 1, price = NULL WHERE number % 7 = 0"},
		{"drafts that are placed, orders that become drafts", "UPDATE shop.orders SET status = CASE WHEN status = 'draft' THEN 'open' ELSE 'draft' END WHERE number % 3 = 0"},
		{"orders that move to another day, some of them drafts", "UPDATE shop.orders SET placed_at = placed_at + interval '3 days' WHERE number % 4 = 0"},
		{"other customers, one blocked, one unknown", "UPDATE shop.orders SET customer_id = CASE WHEN number % 2 = 0 THEN 3 ELSE 99 END WHERE number % 5 = 0"},
		{"customers blocked and freed", "UPDATE shop.customers SET blocked = NOT blocked WHERE id IN (2, 3)"},
		{"another key", "UPDATE shop.orders SET region = 'west', number = number + 500 WHERE number % 11 = 0"},
		{"a late customer", "INSERT INTO shop.customers VALUES (99, 'late', 'gold', 0.1)"},
		{"all at once", `BEGIN; UPDATE shop.customers SET blocked = true WHERE id = 4; UPDATE shop.orders SET quantity = 7 WHERE customer_id = 4;
			UPDATE shop.customers SET blocked = false, name = 'four' WHERE id = 4; DELETE FROM shop.orders WHERE number % 13 = 0; COMMIT`},
		{"a customer that is deleted", "DELETE FROM shop.customers WHERE id = 1"},
		{"deletes", "DELETE FROM shop.orders WHERE number % 9 = 0"},
	}
	for i, step := range steps {
		w.exec(step.sql)
		if i == 7 { // what is in work is repeated
			w.running.kill()
			w.start()
		}
		w.awaitOrders(step.name)
	}
	if left := w.orders(); len(left) < 20 {
		t.Errorf("%d orders are left, which compares little", len(left))
	}
	w.exec(testdata.Seed) // the other pipeline
	w.awaitTruth()
	w.exec("TRUNCATE shop.customers")
	w.awaitOrders("a truncation of the customers")
	w.exec("TRUNCATE shop.orders; INSERT INTO shop.orders VALUES ('north', 1, 1, now(), 1, 1, 'open')")
	w.awaitOrders("a truncation of the orders")
	w.awaitTruth() // it has kept its own
	w.running.stop()
}

// TestADeclarationThatTheTablesDoNotHave ends the daemon with its place, and leaves no slot.
func TestADeclarationThatTheTablesDoNotHave(t *testing.T) {
	w := newShopWorld(t)
	w.exec("ALTER TABLE shop.orders ALTER quantity TYPE text")
	path, err := binary()
	d := w.startBinary(path, err, w.env, append(w.args, "--set=pipelines.orders.stream.columns.price=double precision not null")...)
	if code := d.exit(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, says := range []string{
		"pipelines.orders.stream.columns.quantity", "column quantity of shop.orders is text",
		"pipelines.orders.stream.columns.price", "column price of shop.orders takes NULL",
	} {
		if !strings.Contains(d.log.String(), says) {
			t.Errorf("the daemon does not say %q:\n%s", says, d.log)
		}
	}
	var slots int
	if err := w.db.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", w.slot()).Scan(&slots); err != nil || slots != 0 {
		t.Errorf("%d slots, %v", slots, err)
	}
}
