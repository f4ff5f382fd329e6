package debezium_test

import (
	"os"
	"strings"
	"testing"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

const (
	commitMicros = 1756138420436907 // 2025-08-25 16:13:40.436907 UTC
	nowMicros    = 1756138421000001
)

func origin() debezium.Origin {
	return debezium.Origin{Version: "3.6.1.Final", Name: "shop", Database: "store"}
}

func commit() schema.Source {
	return schema.Source{CommitLSN: 26000000, Seq: 2, TotalSeq: 2, TableSeq: 1, XID: 771, CommitTime: commitMicros}
}

func builtin(oid uint32, name string) *schema.Type {
	return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
}

func orders() *schema.Relation {
	column := func(name string, t *schema.Type, notNull bool) schema.Column {
		return schema.Column{Name: name, TypeOID: t.OID, TypeMod: -1, Type: t, NotNull: notNull, Identity: name == "id"}
	}
	return &schema.Relation{
		Table: schema.TableName{Schema: "public", Name: "orders"}, Identity: schema.IdentityDefault,
		Columns: []schema.Column{
			column("id", builtin(23, "int4"), true),
			column("note", builtin(25, "text"), false),
			column("paid", builtin(16, "bool"), true),
			column("at", builtin(1184, "timestamptz"), true),
		},
	}
}

// tuple has the texts in it; nil stays NULL.
func tuple(texts ...any) schema.Tuple {
	var row schema.Tuple
	for _, t := range texts {
		switch t := t.(type) {
		case string:
			row = append(row, schema.Value{Kind: schema.Text, Data: []byte(t)})
		case schema.ValueKind:
			row = append(row, schema.Value{Kind: t})
		default:
			row = append(row, schema.Value{})
		}
	}
	return row
}

func compile(t testing.TB, change func(*debezium.Spec)) *debezium.Table {
	t.Helper()
	spec := debezium.Spec{Origin: origin(), Columns: []int{0, 1, 2, 3}, Key: []int{0}}
	if change != nil {
		change(&spec)
	}
	table, err := debezium.Compile(orders(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// made is a record's half: a value and its schema.
type made struct {
	schema *connect.Schema
	value  connect.Value
}

// TestRecords holds every kind of record against testdata/records.txt, made with
// the schemas and envelopes of Debezium 3.6.1 and the JSON converter of Connect
// 4.3.1: after a line "=== name" the value without its schema, then with it.
func TestRecords(t *testing.T) {
	text, err := os.ReadFile("testdata/records.txt")
	if err != nil {
		t.Fatal(err)
	}
	records := records(t)
	blocks := strings.Split(strings.TrimPrefix(strings.TrimSpace(string(text)), "=== "), "\n\n=== ")
	if len(blocks) != len(records) {
		t.Errorf("testdata has %d records, the test %d", len(blocks), len(records))
	}
	for _, block := range blocks {
		lines := strings.Split(block, "\n")
		t.Run(lines[0], func(t *testing.T) {
			r, found := records[lines[0]]
			if !found || len(lines) != 3 {
				t.Fatalf("the test does not know it, or it has %d lines, not 3", len(lines))
			}
			if got := string(connect.AppendJSON(nil, r.schema, r.value)); got != lines[1] {
				t.Errorf("without schema:\ngot  %s\nwant %s", got, lines[1])
			}
			if got := string(connect.NewWrapper(r.schema).Append(nil, r.value)); got != lines[2] {
				t.Errorf("with schema:\ngot  %s\nwant %s", got, lines[2])
			}
		})
	}
}

func records(t *testing.T) map[string]made {
	t.Helper()
	all := map[string]made{}
	addTableRecords(t, all)
	addMessages(t, all)
	var a connect.Arena
	begin := debezium.Boundary{Source: commit()}
	end := debezium.Boundary{End: true, Source: commit(), Counts: []debezium.Count{
		{Collection: "public.orders", Events: 2}, {Collection: "public.items", Events: 1},
	}}
	all["transaction key"] = made{debezium.TransactionKeySchema(), begin.Key(&a)}
	all["transaction begin"] = made{debezium.TransactionValueSchema(), begin.Value(&a)}
	all["transaction end"] = made{debezium.TransactionValueSchema(), end.Value(&a)}
	all["heartbeat key"] = made{debezium.HeartbeatKeySchema(), debezium.HeartbeatKey(&a, "shop")}
	all["heartbeat"] = made{debezium.HeartbeatValueSchema(), debezium.HeartbeatValue(&a, nowMicros)}
	return all
}

func addTableRecords(t *testing.T, all map[string]made) {
	t.Helper()
	var a connect.Arena
	row := tuple("7", nil, "t", "2025-08-25 16:13:40.436907+00")
	full := tuple("7", "old", "f", "2025-08-25 16:13:39+00")
	for name, key := range map[string][]int{"key of one column": {0}, "key of three columns": {3, 1, 0}} {
		table := compile(t, func(s *debezium.Spec) { s.Key = key })
		value, err := table.Key(&a, row)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = made{table.KeySchema(), value}
	}
	table := compile(t, nil)
	withTransactions := compile(t, func(s *debezium.Spec) { s.Transactions = true })
	for _, c := range []struct {
		name   string
		table  *debezium.Table
		image  debezium.Image
		source func(*schema.Source)
	}{
		{"create", table, debezium.Image{Op: schema.OpCreate, After: row}, nil},
		{"update, identity default", table, debezium.Image{Op: schema.OpUpdate, After: row}, nil},
		{"update, identity full", table, debezium.Image{Op: schema.OpUpdate, Before: full, After: row}, nil},
		{"update with transaction metadata", withTransactions, debezium.Image{Op: schema.OpUpdate, Before: full, After: row}, nil},
		{
			"update that leaves a TOASTed column", table,
			debezium.Image{Op: schema.OpUpdate, After: tuple("7", schema.Unchanged, "t", "2025-08-25 16:13:40.436907+00")}, nil,
		},
		{"delete, identity default", table, debezium.Image{Op: schema.OpDelete, Before: tuple("7", nil, nil, nil)}, nil},
		{"delete, identity full", table, debezium.Image{Op: schema.OpDelete, Before: full}, nil},
		{"truncate", table, debezium.Image{Op: schema.OpTruncate}, nil},
		{
			"read, incremental", table, debezium.Image{Op: schema.OpRead, After: row},
			func(s *schema.Source) { s.Snapshot = schema.SnapshotIncremental },
		},
		{"read, the last", table, debezium.Image{Op: schema.OpRead, After: row}, func(s *schema.Source) { s.Snapshot = schema.SnapshotLast }},
		{
			"create from another server", table, debezium.Image{Op: schema.OpCreate, After: row},
			func(s *schema.Source) { s.Origin, s.OriginLSN = "node_a", 99 },
		},
	} {
		e := schema.Event{Op: c.image.Op, Source: commit()}
		if c.source != nil {
			c.source(&e.Source)
		}
		value, err := c.table.Value(&a, &e, c.image, nowMicros)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		all[c.name] = made{c.table.ValueSchema(), value}
	}
}

func addMessages(t *testing.T, all map[string]made) {
	t.Helper()
	var a connect.Arena
	messages := debezium.CompileMessages(origin(), true, debezium.Options{})
	for name, m := range map[string]schema.Event{
		"message, transactional":     {Source: commit(), Message: &schema.Message{Transactional: true}},
		"message, not transactional": {Source: schema.Source{CommitLSN: 26000000}, Message: &schema.Message{}},
	} {
		m.Op, m.Message.Prefix, m.Message.Content = schema.OpMessage, "outbox:a", []byte{1, 2, 0xfe}
		value, err := messages.Value(&a, &m, nowMicros)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = made{messages.ValueSchema(), value}
		all["message key"] = made{messages.KeySchema(), messages.Key(&a, &m)}
	}
}
