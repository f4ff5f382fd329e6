package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/testdata"
)

// TestVerifyTheDocumentsPipeline compares the pipeline of docs/pipelines.md, beside the preset,
// while both are written to, without a false alarm; then it damages each place, finds
// exactly that, and mends it.
func TestVerifyTheDocumentsPipeline(t *testing.T) {
	w := newShopWorld(t)
	w.start()
	w.exec(testdata.Seed)
	w.exec(`INSERT INTO shop.customers SELECT n, 'customer ' || n, CASE WHEN n > 2 THEN 'gold' END, n / 16.0, n = 3 FROM generate_series(1, 9) n;
		INSERT INTO shop.orders SELECT (ARRAY['north', 'so:uth%', ''])[1 + n % 3], n, 1 + n % 12, '2026-03-01 23:59:59.123456+00'::timestamptz + n * interval '7 hours',
			n % 5, n * 12.25, CASE WHEN n % 6 = 0 THEN 'draft' ELSE 'open' END FROM generate_series(1, 500) n`)
	w.awaitOrders("the first rows")
	stop := w.writing(
		pacing,
		"UPDATE shop.customers SET blocked = NOT blocked WHERE id = 1 + floor(random() * 9)",
		"UPDATE shop.orders SET customer_id = floor(random() * 12), placed_at = placed_at + interval '1 hour' WHERE number = floor(random() * 500)",
		"UPDATE shop.orders SET status = CASE WHEN status = 'draft' THEN 'open' ELSE 'draft' END WHERE number = floor(random() * 500)",
		"DELETE FROM shop.orders WHERE number = floor(random() * 500)",
		"INSERT INTO shop.orders VALUES ('west', floor(random() * 1e9), 2, now(), 3, 4.5, 'open') ON CONFLICT DO NOTHING",
		"UPDATE shop.orders SET number = number + 1000000 WHERE number = floor(random() * 500)",
	)
	for run := range 3 {
		v := w.equalMeanwhile(fmt.Sprintf("run %d while rows are written", run), w.env, w.args...)
		if got := slices.Sorted(maps.Keys(v.totals)); !cmp.Equal(got, []string{"engagement_metrics", "orders"}) {
			t.Fatalf("compared %q", got)
		}
	}
	stop()
	w.exec(`INSERT INTO shop.orders SELECT 'r:%', 5000000 + n, 1, '2026-03-01 10:00:00.5+00', 2, 10, 'open' FROM generate_series(1, 4) n; UPDATE shop.customers SET blocked = false WHERE id = 1`)
	w.awaitOrders("the writes")
	w.equal("at rest", w.env, append(w.args, "orders")...)

	// The day is computed; all four lie in one partition.
	const at = "region = 'r:%' AND day = '2026-03-01' AND placed_at = '2026-03-01T10:00:00.500Z'"
	w.cql(
		"DELETE FROM orders_by_region WHERE "+at+" AND number = 5000001",
		"INSERT INTO orders_by_region (region, day, placed_at, number, version) VALUES ('r:%', '2026-03-01', '2026-03-01T10:00:00.500Z', 77, 5) USING TIMESTAMP 5",
		"INSERT INTO penstock_orders_history (join_key, bucket, s_region, s_number, version) VALUES ('=2', 3, 'r:%', 5000002, 6) USING TIMESTAMP 6",
		"DELETE FROM penstock_orders_lookup WHERE join_key = '=1'",
	)
	w.redisDo(
		[]string{"HSET", w.keyspace + ":order:r%3A%25:5000003", "total", "1.0"},
		[]string{"DEL", w.keyspace + ":order:r%3A%25:5000004"},
		[]string{"HSET", w.keyspace + ":order:r:5000004", "_v", fmt.Sprintf("%020d", 9)},
	)
	total := w.text(`SELECT (quantity * price * (1 - coalesce((SELECT discount FROM shop.customers WHERE id = 1), 0)))::text FROM shop.orders WHERE number = 5000003`)
	if !strings.Contains(total, ".") {
		total += ".0"
	}
	view := "cassandra " + w.keyspace + "."
	want := []string{
		view + "orders_by_region: missing region=r:% number=5000001",
		view + "orders_by_region: extra region=r:% number=77 at region=r:% day=2026-03-01 placed_at=2026-03-01 10:00:00.500000 number=77",
		view + "penstock_orders_history: extra region=r:% number=5000002 at join_key=2 bucket=3 s_region=r:% s_number=5000002",
		view + "penstock_orders_lookup: missing id=1",
		"redis: different region=r:% number=5000003 total=" + total + "|1.0",
		"redis: missing region=r:% number=5000004",
		"redis: extra region=r number=5000004 at key=" + w.keyspace + ":order:r:5000004",
	}
	w.differs("orders", w.env, w.args, want...)
	w.repairs("orders", int64(len(want)), w.env, w.args...)
	w.awaitOrders("the repair")
	w.equal("repaired", w.env, w.args...)
	w.running.stop()
}
