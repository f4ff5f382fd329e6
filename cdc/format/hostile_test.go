package format_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

// hostileValues are texts of about 1 MB that a type's input takes, or a server that
// is broken may send.
func hostileValues() map[string]struct {
	column schema.Column
	text   string
} {
	const size = 1 << 20
	base := func(oid uint32, name string) *schema.Type {
		return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
	}
	array := func(elem *schema.Type) *schema.Type {
		return &schema.Type{OID: elem.OID + 1000, Name: "_" + elem.Name, Kind: schema.TypeArray, Elem: elem, Delimiter: ',', Mod: -1}
	}
	pair := &schema.Type{OID: 90000, Name: "pair", Kind: schema.TypeComposite, Mod: -1}
	pair.Fields = []schema.Attribute{{Name: "a", Type: base(25, "text")}, {Name: "b", Type: pair}} // as no catalogue has it
	hstore := &schema.Type{OID: 90001, Name: "hstore", Kind: schema.TypeBase, Mod: -1}
	of := func(t *schema.Type, text string) struct {
		column schema.Column
		text   string
	} {
		return struct {
			column schema.Column
			text   string
		}{schema.Column{Name: "v", TypeOID: t.OID, TypeMod: -1, Type: t}, text}
	}
	long := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	return map[string]struct {
		column schema.Column
		text   string
	}{
		"json, deep":             of(base(114, "json"), strings.Repeat("[", size/2)+strings.Repeat("]", size/2)),
		"json, open":             of(base(114, "json"), long("[")),
		"json, objects":          of(base(3802, "jsonb"), long(`{"":`)+"1"+strings.Repeat("}", size/4)),
		"json, escapes":          of(base(3802, "jsonb"), `"`+long(`\u0001`)+`"`),
		"text":                   of(base(25, "text"), long("\x01")),
		"not UTF-8":              of(base(25, "text"), long("\xff")),
		"numeric":                of(base(1700, "numeric"), long("9")),
		"numeric, fraction":      of(base(1700, "numeric"), "0."+long("1")),
		"int4[]":                 of(array(base(23, "int4")), "{"+long("1,")+"1}"),
		"text[], empty":          of(array(base(25, "text")), "{"+long(`"",`)+`""}`),
		"text[], deep":           of(array(base(25, "text")), long("{")),
		"text[], bounds":         of(array(base(25, "text")), long("[1:1]")+"={1}"),
		"numeric[]":              of(array(base(1700, "numeric")), "{"+long("1.5,")+"1}"),
		"bytea":                  of(base(17, "bytea"), `\x`+long("ff")),
		"bit":                    of(base(1562, "varbit"), long("1")),
		"composite in itself":    of(pair, long(`("`)),
		"composite":              of(pair, "("+long(",")+")"),
		"hstore":                 of(hstore, long(`""=>"",`)+`""=>""`),
		"hstore, of backslashes": of(hstore, `"`+long(`\\`)+`"=>NULL`),
		"tsvector":               of(base(3614, "tsvector"), long("'a':1 ")),
		"point":                  of(base(600, "point"), "("+long("1")+",2)"),
		"interval":               of(base(1186, "interval"), long("1 year ")),
		"xml":                    of(base(142, "xml"), long("<a>")),
	}
}

// TestHostileValuesStaySmall: whatever 1 MB holds, no format allocates more than 64
// MB for its record, all garbage counted, and none panics. What is refused is refused with the column's name.
func TestHostileValuesStaySmall(t *testing.T) {
	const most = 64 << 20
	known := startRegistry(t)
	for _, f := range []format.Format{
		{}, {Schemas: true}, {Kind: format.Text}, {Kind: format.JSON},
		{Options: debezium.Options{Decimal: debezium.DecimalString, HStore: debezium.HStoreMap, Interval: debezium.IntervalString}},
		{Kind: format.Avro, Registry: known.open(t)}, {Kind: format.Protobuf, Registry: known.open(t)},
	} {
		for name, v := range hostileValues() {
			rel := &schema.Relation{OID: 1, Table: schema.TableName{Schema: "public", Name: "t"}, Columns: []schema.Column{v.column}}
			tuple := schema.Tuple{{Kind: schema.Text, Data: []byte(v.text)}}
			e := compile(t, f, format.Table{Relation: rel, Columns: []int{0}, Topic: "s.public.t"})
			event := schema.Event{Op: schema.OpCreate, Relation: rel, New: tuple}
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			value, err := e.AppendValue(nil, &event, debezium.Image{Op: schema.OpCreate, After: tuple}, 1)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > most {
				t.Errorf("%s, schemas %t, %s: %d MB allocated", f.Kind, f.Schemas, name, n>>20)
			}
			if err != nil && !strings.Contains(err.Error(), "column v") {
				t.Errorf("%s, %s: the error does not name the column: %.300v", f.Kind, name, err)
			}
			if err == nil && len(bytes.TrimSpace(value)) == 0 {
				t.Errorf("%s, %s: no value", f.Kind, name)
			}
		}
	}
}
