package cdc

import (
	"encoding/base64"
	"strings"
	"testing"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
	"penstock/schema/shape"
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

// TestOctetsInHeaders are bounded, for all columns together, and named where the record is
// too large already.
func TestOctetsInHeaders(t *testing.T) {
	latin := strings.Repeat("\xe9", 9000)
	for _, c := range []struct {
		name  string
		limit int32
		want  string
	}{
		{"the first whole, the second named", 0, `{"body":"` + base64.StdEncoding.EncodeToString([]byte(latin)) + `","extra":null}`},
		{"named", 9000, `{"body":null,"extra":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := created("1", latin, latin)
			e.Relation.Columns[2].Type, e.Relation.Columns[2].TypeOID = e.Relation.Columns[1].Type, 25
			r := docsRouter(Table{Oversized: OversizedTruncate}, c.limit)
			r.octets = true
			records := routed(t, r, e)
			if got := headersOf(records[0])[record.HeaderOctets]; len(records) != 1 || got != c.want {
				t.Errorf("%d records, octets %.60s… of %d bytes, want %.60s…", len(records), got, len(got), c.want)
			}
		})
	}
}

// TestKeysThatAreNoUTF8 would fall together; masked ones do not.
func TestKeysThatAreNoUTF8(t *testing.T) {
	table := Table{Rules: shape.Rules{Key: []string{"body"}}}
	e := created("1", "\xe9", "{}")
	for i := range e.Relation.Columns {
		e.Relation.Columns[i].Identity = true
	}
	r := docsRouter(table, 0)
	r.octets = true
	_, err := r.Route(t.Context(), nil, &e, 1)
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "column body of the key is no UTF-8") || !strings.Contains(err.Error(), "mask.body") {
		t.Errorf("got %v, want a refusal", err)
	}
	table.Rules.Mask = map[string]shape.Mask{"body": {Salt: []byte("s")}}
	r = docsRouter(table, 0)
	r.octets = true
	if records := routed(t, r, e); len(records) != 1 || !strings.HasPrefix(string(records[0].Key), `{"body":"`) {
		t.Errorf("got %d records with key %s", len(records), records[0].Key)
	}
}
