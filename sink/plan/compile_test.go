package plan_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock/schema"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

func TestADeclarationIsCompiled(t *testing.T) {
	p, problems := plan.Compile(storetest.OrdersDeclaration("shop:"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var tables []string
	for _, table := range p.Tables() {
		var columns []string
		for i, c := range table.Columns {
			mark := ""
			switch {
			case i < table.Partition:
				mark = "**"
			case i < table.Partition+table.Clustering:
				mark = "*"
			}
			columns = append(columns, mark+c.Name+" "+c.CQL())
		}
		tables = append(tables, table.Name+": "+strings.Join(columns, ", "))
	}
	want := []string{
		"penstock_orders_history: **join_key text, **bucket smallint, *s_region text, *s_number bigint, s_customer bigint, s_placed_at bigint, s_quantity bigint, " +
			"s_price double, s_Paid boolean, s_ref uuid, s_odd \"name\" text",
		"penstock_orders_buckets: **join_key text, *bucket smallint",
		"penstock_orders_lookup: **join_key text, s_id bigint, s_name text, s_discount double, s_since bigint, s_blocked boolean",
		"orders_by_region: **region text, **day text, *placed_at timestamp, *number bigint, placed_us bigint, customer bigint, quantity bigint, paid boolean, ref uuid, odd text, " +
			"gross double, total double, name text, loyal boolean",
	}
	if diff := cmp.Diff(want, tables); diff != "" {
		t.Error(diff)
	}
	row := storetest.Orders("shop:").Full(4)
	if got := string(p.Redis.AppendKey(nil, row)); got != "shop:order:r%3A1%25:4" {
		t.Errorf("key %s", got)
	}
	if total := row[p.Slot("total")]; total != plan.FloatOf(3*19.9*(1-0.1)) {
		t.Errorf("total %s", total)
	}
}

// Each case makes one thing wrong.
func TestDeclarationsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*plan.Declaration)
		want   []string
	}{
		{"a pipeline whose name is no part of a table's", func(d *plan.Declaration) { d.Name = "My-Orders" }, []string{`@0: "My-Orders" names no pipeline`}},
		{"unknown join columns", func(d *plan.Declaration) { d.Stream.Join, d.Lookup.Join = "zebra", "" },
			[]string{`stream.column@0: unknown column "zebra"`, "lookup.column@0: is required"}},
		{"join columns of different types", func(d *plan.Declaration) { d.Lookup.Columns[0].Type = plan.Text },
			[]string{"lookup.column@0: stream.customer is bigint, and lookup.id is text"}},
		{"a join by time", func(d *plan.Declaration) { d.Stream.Join, d.Lookup.Join = "placed_at", "since" },
			[]string{"stream.column@0: stream.placed_at is timestamptz"}},
		{"no key", func(d *plan.Declaration) { d.Key = nil }, []string{"stream.key@0: is required"}},
		{"a key that the stores cannot tell apart", func(d *plan.Declaration) { d.Key = []string{"number", "placed_at", "number"} },
			[]string{"stream.key[1]@0: column placed_at is timestamptz", "stream.key[2]@0: column number is named twice"}},
		{"nothing kept", func(d *plan.Declaration) { d.Columns = nil }, []string{"columns@0: is required"}},
		{"expressions that do not type", func(d *plan.Declaration) {
			d.Columns[10].Expr = "stream.quantity * stream.ref"
			d.Columns[11].Expr = "lookup.zebra"
			d.Columns[12].Name = "version"
			d.Columns[13].Name = "day"
		}, []string{
			"columns.gross@16: operator * does not take bigint and uuid", "columns.total@0: unknown column lookup.zebra",
			`columns.version@0: "version" cannot be the name`, "columns.day@0: is there twice",
		}},
		{"a filter that is not boolean", func(d *plan.Declaration) { d.Filter = "stream.quantity + 1" }, []string{"filter@0: it is bigint, not boolean"}},
		{"a filter that does not parse", func(d *plan.Declaration) { d.Filter = "stream.quantity >" }, []string{"filter@16: unexpected token EOF"}},
		{"a partition key that may be NULL, and is no row's own", func(d *plan.Declaration) { d.Cassandra.Partition, d.Cassandra.Clustering = []string{"customer"}, nil },
			[]string{"cassandra.partition_key[0]@0: column customer may be NULL"}},
		{"a key of the lookup table's", func(d *plan.Declaration) { d.Cassandra.Clustering = []plan.Order{{Column: "name"}, {Column: "number"}} },
			[]string{"cassandra.clustering[0]@0: column name depends on the lookup table"}},
		{"rows that would replace each other", func(d *plan.Declaration) { d.Cassandra.Clustering = nil; d.Redis.Key = "o:{region}" },
			[]string{"cassandra.partition_key@0: it lacks stream.number", "redis.key@0: it lacks stream.number"}},
		{"unknown and repeated key columns", func(d *plan.Declaration) { d.Cassandra.Partition = []string{"zebra", "region", "region", "number"} },
			[]string{`cassandra.partition_key[0]@0: unknown column "zebra"`, "cassandra.partition_key[2]@0: column region is named twice", "cassandra.clustering[1]@0: column number is named twice"}},
		{"no partition key, a reserved name, a short life", func(d *plan.Declaration) {
			d.Cassandra = plan.Target{Table: "penstock_x", TTL: time.Millisecond}
		}, []string{"cassandra.table@0: names that begin with penstock_", "cassandra.ttl@0: 1ms is not a time to live", "cassandra.partition_key@0: is required"}},
		{"no table's name", func(d *plan.Declaration) { d.Cassandra.Table = "Orders;" }, []string{`cassandra.table@0: "Orders;" is no name of a table`}},
		{"no key of the hash", func(d *plan.Declaration) { d.Redis.Key = "" }, []string{"redis.key@0: is required"}},
		{"a hash without a prefix", func(d *plan.Declaration) { d.Redis.Key = "{region}:{number}" }, []string{"redis.key@0: it begins with a column"}},
		{"an open placeholder", func(d *plan.Declaration) { d.Redis.Key = "o:{region" }, []string{"redis.key@0: the placeholder {region is not closed"}},
		{"columns side by side", func(d *plan.Declaration) { d.Redis.Key = "o:{region}{number}" }, []string{"redis.key@0: two columns stand side by side"}},
		{"columns with no colon between", func(d *plan.Declaration) { d.Redis.Key = "o:{region}-{number}" }, []string{"redis.key@0: there is no colon between two columns"}},
		{"a key of an unknown column", func(d *plan.Declaration) { d.Redis.Key = "o:{id}" }, []string{`redis.key@0: unknown column "id"`}},
		{"unknown fields", func(d *plan.Declaration) { d.Redis.Fields = []string{"number", "zebra", "number"} },
			[]string{`redis.fields[1]@0: column "zebra" is unknown`, `redis.fields[2]@0: column "number" is unknown, or named twice`}},
		{"both sides of one table", func(d *plan.Declaration) { d.Lookup.Table = d.Stream.Table }, []string{"lookup.table@0: it is the stream table"}},
		{"a column declared twice", func(d *plan.Declaration) { d.Stream.Columns[4].Name = "region" }, []string{"stream.columns.region@0: is there twice"}},
		{"too many columns", func(d *plan.Declaration) {
			for i := range 70 {
				d.Stream.Columns = append(d.Stream.Columns, plan.Column{Name: fmt.Sprint("c", i), Type: plan.Int})
			}
		}, []string{"stream.columns@0: 79 columns are more"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := storetest.OrdersDeclaration("shop:")
			c.change(d)
			p, problems := plan.Compile(d)
			if p != nil || len(problems) != len(c.want) {
				t.Errorf("got plan %v, problems %v", p != nil, problems)
			}
			for i, problem := range problems {
				if got := fmt.Sprintf("%s@%d: %s", problem.Path, problem.Offset, problem.What); i < len(c.want) && !strings.HasPrefix(got, c.want[i]) {
					t.Errorf("got  %s\nwant %s", got, c.want[i])
				}
				if problem.Fix == "" {
					t.Errorf("%s: no fix", problem.What)
				}
			}
		})
	}
}

// What stands in two pipelines' keys must not meet: each value has its own place.
func TestKeysOfHashesAreTheRowsOwn(t *testing.T) {
	s := storetest.Orders("p:")
	one, two := s.Plan.NewRow(), s.Plan.NewRow()
	region, number := s.Plan.Slot("stream.region"), s.Plan.Slot("stream.number")
	one[region], one[number] = plan.TextOf("a:1"), plan.IntOf(2)
	two[region], two[number] = plan.TextOf("a%3A1"), plan.IntOf(2)
	a, b := string(s.Plan.Redis.AppendKey(nil, one)), string(s.Plan.Redis.AppendKey(nil, two))
	if a == b {
		t.Errorf("both have %s", a)
	}
}

func TestEngagementIsAPlan(t *testing.T) {
	p := plan.Engagement(schema.TableName{Schema: "s", Name: "e"}, schema.TableName{Schema: "s", Name: "c"}, "p:")
	var names []string
	for _, table := range p.Tables() {
		names = append(names, table.Name)
	}
	if diff := cmp.Diff([]string{"engagement_metrics", "engagement_days", "content", "engagement_by_event"}, names); diff != "" {
		t.Error(diff)
	}
	if len(p.Places) != 2 || p.Redis.Place != p.Views[0].Place {
		t.Errorf("places %v, the hash's is %d", p.Places, p.Redis.Place)
	}
}
