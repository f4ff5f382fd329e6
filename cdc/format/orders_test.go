package format_test

import (
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

const nowMicros = 1756138421000001

func builtin(oid uint32, name string) *schema.Type {
	return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
}

// orders is a table of scalars, its key the second column.
func orders() *schema.Relation {
	column := func(name string, t *schema.Type, notNull bool) schema.Column {
		return schema.Column{Name: name, TypeOID: t.OID, TypeMod: -1, Type: t, NotNull: notNull, Identity: name == "id"}
	}
	return &schema.Relation{
		OID: 16400, Table: schema.TableName{Schema: "public", Name: "orders"}, Identity: schema.IdentityDefault, Key: []int{1},
		Columns: []schema.Column{
			column("note", builtin(25, "text"), false),
			column("id", builtin(20, "int8"), true),
			column("paid", builtin(16, "bool"), true),
			column("ratio", builtin(701, "float8"), true),
			column("at", builtin(1184, "timestamptz"), true),
		},
	}
}

// table is what a topic's encoder is made of, after the caller's change.
func table(change func(*format.Table)) format.Table {
	t := format.Table{
		Origin: debezium.Origin{Version: "1", Name: "srv", Database: "db"}, Relation: orders(),
		Columns: []int{0, 1, 2, 3, 4}, Key: []int{1}, Topic: "srv.public.orders",
	}
	if change != nil {
		change(&t)
	}
	return t
}

func compile(t testing.TB, f format.Format, made format.Table) format.Encoder {
	t.Helper()
	e, err := f.Compile(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func text(s string) schema.Value { return schema.Value{Kind: schema.Text, Data: []byte(s)} }

func order(id, note string) schema.Tuple {
	return schema.Tuple{text(note), text(id), text("t"), text("0.5"), text("2025-08-25 16:13:40.436907+00")}
}

// keyed is the old row as the log has it under the default identity.
func keyed(id string) schema.Tuple { return schema.Tuple{{}, text(id), {}, {}, {}} }

// change is an event with the image that its record has.
type change struct {
	name  string
	image debezium.Image
	row   schema.Tuple // that the key is taken from; nil for none
}

func changes() []change {
	return []change{
		{"create", debezium.Image{Op: schema.OpCreate, After: order("7", "seven")}, order("7", "seven")},
		{"update", debezium.Image{Op: schema.OpUpdate, After: order("7", "a \"quote\"\n")}, order("7", "")},
		{"delete", debezium.Image{Op: schema.OpDelete, Before: keyed("7")}, keyed("7")},
		{"truncate", debezium.Image{Op: schema.OpTruncate}, nil},
	}
}

func (c *change) event() *schema.Event {
	return &schema.Event{
		Op: c.image.Op, Relation: orders(), Old: c.image.Before, New: c.image.After, Version: 10,
		Source: schema.Source{CommitLSN: 26000000, Seq: 2, TotalSeq: 2, TableSeq: 1, XID: 771, CommitTime: 1756138420436907},
	}
}

func key(t testing.TB, e format.Encoder, row schema.Tuple) string {
	t.Helper()
	got, err := e.AppendKey(nil, row)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func value(t testing.TB, e format.Encoder, c change) []byte {
	t.Helper()
	got, err := e.AppendValue(nil, c.event(), c.image, nowMicros)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
