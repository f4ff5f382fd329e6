package cdc

import (
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/record"
)

// TestNullsThatProtobufCannotSay are told by a header: on the row as it is, and on a
// delete as far as the log holds the row.
func TestNullsThatProtobufCannotSay(t *testing.T) {
	text := &schema.Type{OID: 25, Schema: "pg_catalog", Name: "text", Kind: schema.TypeBase}
	rel := docsRelation()
	rel.Identity = schema.IdentityFull
	list := schema.Column{Name: "tags", TypeOID: 1009, TypeMod: -1,
		Type: &schema.Type{OID: 1009, Schema: "pg_catalog", Name: "_text", Kind: schema.TypeArray, Elem: text, Delimiter: ','}}
	rel.Columns = append(rel.Columns, list)
	for i := range rel.Columns {
		rel.Columns[i].Identity = true
	}
	null, empty := row("1", "b", "{}", "{}"), row("1", "b", "{}", "{}")
	null[3], null[1] = schema.Value{Kind: schema.Null}, schema.Value{Kind: schema.Null}
	short := docsRelation()
	short.Columns = append(short.Columns, list)
	for _, c := range []struct {
		name string
		kind format.Kind
		e    schema.Event
		want string
	}{
		{"a NULL array", format.Protobuf, schema.Event{Op: schema.OpCreate, Relation: rel, New: null}, `["tags"]`},
		{"an empty array", format.Protobuf, schema.Event{Op: schema.OpCreate, Relation: rel, New: empty}, ""},
		{"becoming one", format.Protobuf, schema.Event{Op: schema.OpUpdate, Relation: rel, Old: null, New: empty}, ""},
		{"deleted", format.Protobuf, schema.Event{Op: schema.OpDelete, Relation: rel, Old: null}, `["tags"]`},
		{"deleted, and only its key is known", format.Protobuf, schema.Event{Op: schema.OpDelete, Relation: short, Old: null}, ""},
		{"where a NULL is one", format.Avro, schema.Event{Op: schema.OpCreate, Relation: rel, New: null}, ""},
		{"in JSON", format.Debezium, schema.Event{Op: schema.OpCreate, Relation: rel, New: null}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := format.Format{Kind: c.kind}
			if c.kind == format.Protobuf || c.kind == format.Avro {
				f.Registry = takesAll(t)
			}
			records := routed(t, docsRouter(Table{Format: f}, 0), c.e)
			if got := headersOf(records[0])[record.HeaderNulls]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
