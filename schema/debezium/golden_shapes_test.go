package debezium_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"penstock/internal/parity/golden"
	"penstock/schema"
	"penstock/schema/debezium"
)

// shape is a recorded table other than that of all types: its columns as the
// catalogue describes them, and the images of its records.
type shape struct {
	table   string // also the recorded topic's name, unless that is given
	topic   string
	columns []schema.Column
	key     []int
	images  []debezium.Image
}

// field is a column of a built-in type.
func field(name string, oid uint32) schema.Column {
	return schema.Column{Name: name, TypeOID: oid, TypeMod: -1}
}

func withMod(c schema.Column, mod int32) schema.Column { c.TypeMod = mod; return c }

func withDefault(c schema.Column, expression string) schema.Column { c.Default = expression; return c }

func withType(name string, t *schema.Type) schema.Column {
	return schema.Column{Name: name, TypeOID: t.OID, TypeMod: -1, Type: t}
}

func created(row schema.Tuple) debezium.Image { return debezium.Image{Op: schema.OpCreate, After: row} }

func updated(row schema.Tuple) debezium.Image { return debezium.Image{Op: schema.OpUpdate, After: row} }

func deleted(row schema.Tuple) []debezium.Image {
	return []debezium.Image{{Op: schema.OpDelete, Before: row}, {Before: row}}
}

// held is what the log holds of an old row: its first column, the key.
func held(row schema.Tuple) schema.Tuple {
	old := make(schema.Tuple, len(row))
	old[0] = row[0]
	return old
}

func compareShapes(t *testing.T) []*comparison {
	t.Helper()
	var all []*comparison
	shapes := slices.Concat(keyShapes(), []shape{defaultsShape(), notNullShape(), toastShape(), toastNotNullShape(), namesShape()})
	seen := map[string]bool{}
	for pass, options := range map[string]debezium.Options{"shapes": {}, "shapes-decimal-string": {Decimal: debezium.DecimalString}} {
		records := read(t, pass)
		for _, s := range shapes {
			topic := pass + "." + s.table
			if s.topic != "" {
				topic = pass + "." + s.topic
			}
			recorded := slices.DeleteFunc(slices.Clone(records), func(r golden.Record) bool { return r.Topic != topic })
			if len(recorded) == 0 {
				continue // not of this pass
			}
			if len(recorded) != len(s.images) {
				t.Fatalf("%s: got %d records, want %d", topic, len(recorded), len(s.images))
			}
			seen[s.table] = true
			of, name, _ := strings.Cut(s.table, ".")
			c := newCaptured(t, s.table, pass, &schema.Relation{
				Table: schema.TableName{Schema: of, Name: name}, Identity: schema.IdentityDefault, Columns: s.columns, Key: s.key,
			}, options)
			for i, r := range recorded {
				c.compare(r, &s.images[i])
			}
			all = append(all, c.comparison)
		}
	}
	for _, s := range shapes {
		if !seen[s.table] {
			t.Errorf("nothing is recorded of %s", s.table)
		}
	}
	return all
}

func keyShapes() []shape {
	one := func(table string, c schema.Column, text string) shape {
		return shape{table: table, columns: []schema.Column{required(c)}, key: []int{0}, images: []debezium.Image{created(tuple(text))}}
	}
	uuid := "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	moment := one("key_types.by_moment", field("id", 1184), "")
	moment.columns = append(moment.columns, required(field("d", 1082)))
	moment.images = []debezium.Image{created(tuple("2024-02-29 00:00:00+00", "2024-02-29"))}
	row, changed := tuple("1", "x", "one"), tuple("1", "y", "one")
	return []shape{
		moment,
		one("key_types.by_uuid", field("id", 2950), uuid),
		one("key_types.by_numeric", withMod(field("id", 1700), numericMod(8, 3)), "1.500"),
		one("key_types.by_bytes", field("id", 17), `\x0001`),
		one("key_types.by_array", field("id", 1007), "{1,2}"),
		one("key_types.by_range", field("id", 3904), "[1,5)"),
		one("key_types.by_free_numeric", field("id", 1700), "1.50"),
		{
			table: "key_default.t", columns: []schema.Column{withDefault(required(field("id", 23)), "7"), field("a", 25)}, key: []int{0},
			images: []debezium.Image{created(tuple("7", "seven"))},
		},
		{
			table: "composite_key_order.t", columns: []schema.Column{required(field("a", 23)), field("b", 25), required(field("c", 25))}, key: []int{2, 0},
			images: append([]debezium.Image{created(row), updated(changed)}, deleted(tuple("1", nil, "one"))...),
		},
	}
}

func namesShape() shape {
	columns := []schema.Column{required(field("id", 23))}
	for _, name := range []string{"日本", "😀", "-", "1a", "$x"} { //nolint:gosmopolitan // odd names are what is tested
		columns = append(columns, field(name, 25))
	}
	return shape{
		table: "names.größe", topic: "names.gr__e", columns: columns, key: []int{0},
		images: []debezium.Image{created(tuple("1", "a", "b", "c", "d", "e"))},
	}
}

func defaultsShape() shape {
	uuid := "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	row := tuple("1", "t", "2", "-4", "8", "0.25", "1.5", "1.50", "12.30", "$1.50", "it's", "x", "a  ", `\x0102`, uuid, `{"a": 1}`, `{"a": 1}`,
		"2024-02-29", "12:34:56.5", "12:34:56+02", "2024-02-29 12:34:56.789", "2024-02-29 12:34:56.789", "2024-02-29 10:34:56+00",
		"1 day 02:00:00", "10.0.0.1", "1", "10110", "(1,2)", "{1,2}", "{}", "[1,5)", "<a/>", "1970-01-01 00:00:00+00", "1970-01-01", uuid,
		"3", nil, "-7", "5")
	columns := []schema.Column{
		required(field("id", 23)),
		withDefault(required(field("bool_", 16)), "true"),
		withDefault(field("int2_", 21), "2"),
		withDefault(required(field("int4_", 23)), "'-4'::integer"),
		withDefault(field("int8_", 20), "8"),
		withDefault(field("float4_", 700), "0.25"),
		withDefault(required(field("float8_", 701)), "1.5"),
		withDefault(field("numeric_", 1700), "1.50"),
		withDefault(withMod(required(field("numeric_10_2", 1700)), numericMod(10, 2)), "12.3"),
		withDefault(field("money_", 790), "1.5"),
		withDefault(required(field("text_", 25)), "'it''s'::text"),
		withDefault(withMod(field("varchar_", 1043), 14), "'x'::character varying"),
		withDefault(withMod(field("bpchar_", 1042), 7), "'a'::bpchar"),
		withDefault(field("bytea_", 17), `'\x0102'::bytea`),
		withDefault(field("uuid_", 2950), "'"+uuid+"'::uuid"),
		withDefault(field("json_", 114), `'{"a": 1}'::json`),
		withDefault(required(field("jsonb_", 3802)), `'{"a": 1}'::jsonb`),
		withDefault(field("date_", 1082), "'2024-02-29'::date"),
		withDefault(field("time_", 1083), "'12:34:56.5'::time without time zone"),
		withDefault(field("timetz_", 1266), "'12:34:56+02'::time with time zone"),
		withDefault(required(field("timestamp_", 1114)), "'2024-02-29 12:34:56.789'::timestamp without time zone"),
		withDefault(withMod(field("timestamp_3", 1114), 3), "'2024-02-29 12:34:56.789'::timestamp without time zone"),
		withDefault(field("timestamptz_", 1184), "'2024-02-29 10:34:56+00'::timestamp with time zone"),
		withDefault(field("interval_", 1186), "'1 day 02:00:00'::interval"),
		withDefault(field("inet_", 869), "'10.0.0.1'::inet"),
		withDefault(withMod(field("bit_", 1560), 1), `B'1'::"bit"`),
		withDefault(withMod(field("bits_", 1560), 5), `B'10110'::"bit"`),
		withDefault(field("point_", 600), "'(1,2)'::point"),
		withDefault(field("array_", 1007), "'{1,2}'::integer[]"),
		withDefault(required(field("text_array", 1009)), "'{}'::text[]"),
		withDefault(field("range_", 3904), "'[1,5)'::int4range"),
		withDefault(field("xml_", 142), "'<a/>'::xml"),
		withDefault(field("moment", 1184), "now()"),
		withDefault(required(field("today", 1082)), "CURRENT_DATE"),
		withDefault(field("random_", 2950), "gen_random_uuid()"),
		withDefault(field("sum_", 23), "(1 + 2)"),
		withDefault(field("null_", 25), "NULL::text"),
		withDefault(field("negative_", 23), "'-7'::integer"),
		withDefault(field("oid_", 26), "5"),
	}
	second := slices.Clone(row)
	second[0].Data = []byte("2")
	for i, c := range columns {
		switch c.Name {
		case "text_":
			second[i].Data = []byte{}
		case "int2_", "int8_", "numeric_", "moment", "random_", "timestamp_3":
			second[i] = schema.Value{}
		}
	}
	return shape{table: "defaults.t", columns: columns, key: []int{0}, images: []debezium.Image{created(row), created(second)}}
}

func notNullShape() shape {
	columns := []schema.Column{
		field("id", 20), field("bool_", 16), field("int2_", 21), field("numeric_", 1700), withMod(field("numeric_10_2", 1700), numericMod(10, 2)),
		field("text_", 25), field("bytea_", 17), field("json_", 114), field("date_", 1082), field("timestamptz_", 1184), field("interval_", 1186),
		field("point_", 600), field("array_", 1007), field("uuid_", 2950),
	}
	for i := range columns {
		columns[i].NotNull = true
	}
	row := tuple("1", "t", "2", "1.5", "2.50", "x", `\x01`, "{}", "2024-02-29", "2024-02-29 00:00:00+00", "1 day", "(1,2)", "{1}", "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	second := slices.Clone(row)
	second[2].Data = []byte("3")
	images := append([]debezium.Image{created(row), updated(second)}, deleted(held(row))...)
	return shape{table: "not_null.t", columns: columns, key: []int{0}, images: images}
}

// toastShape has a column of each type that can be TOASTed.
func toastShape() shape {
	mood := &schema.Type{OID: 70000, Schema: "toast", Name: "label", Kind: schema.TypeEnum, Mod: -1, Labels: []string{"a", "b"}}
	columns := []schema.Column{
		required(field("id", 23)), field("n", 23), field("text_", 25), withMod(field("varchar_", 1043), 1004), withMod(field("bpchar_", 1042), 304),
		field("bytea_", 17), field("json_", 114), field("jsonb_", 3802), field("xml_", 142), field("numeric_", 1700),
		withMod(field("numeric_p", 1700), numericMod(600, 2)), field("bits_", 1562), withMod(field("bits_n", 1560), 3000),
		field("int_array", 1007), field("int8_array", 1016), field("text_array", 1009), field("date_array", 1182), field("moment_array", 1185),
		withMod(field("numeric_array", 1231), numericMod(8, 2)), field("bool_array", 1000), field("uuid_array", 2951),
		withType("enum_array", arrayOf(mood)), field("float_array", 1022), field("json_array", 3807), field("bytea_array", 1001),
		field("tsvector_", 3614), withType("hstore_", extension("hstore")), withType("citext_", extension("citext")),
		withType("ltree_", extension("ltree")), field("polygon_", 604),
		withType("multirange_", &schema.Type{OID: 4451, Schema: "pg_catalog", Name: "int4multirange", Kind: schema.TypeMultirange, Mod: -1}),
	}
	array := func(elem string, n int) string {
		return "{" + strings.TrimSuffix(strings.Repeat(elem+",", n), ",") + "}"
	}
	var words, pairs []string
	for i := range 60 {
		words = append(words, fmt.Sprintf("'w%d'", i+1))
	}
	for i := range 40 {
		pairs = append(pairs, fmt.Sprintf(`"k%d"=>"v"`, i+1))
	}
	slices.Sort(words)
	row := tuple("1", "1", strings.Repeat("t", 200), strings.Repeat("v", 200), strings.Repeat("c", 200)+strings.Repeat(" ", 100),
		`\x`+strings.Repeat("0102", 120), `"`+strings.Repeat("j", 200)+`"`, `"`+strings.Repeat("b", 200)+`"`, "<x>"+strings.Repeat("x", 200)+"</x>",
		strings.Repeat("1", 500), strings.Repeat("1", 500)+".00", strings.Repeat("10", 1000), strings.Repeat("10", 1500),
		array("1", 60), array("1", 40), array("x", 60), array("2024-02-29", 60), array(`"2024-02-29 00:00:00+00"`, 40), array("1.50", 40),
		array("t", 200), array("6ba7b810-9dad-11d1-80b4-00c04fd430c8", 20), array("a", 60), array("0.5", 40), array(`"{\"a\": 1}"`, 20),
		array(`"\\x0102"`, 40), strings.Join(words, " "), strings.Join(pairs, ", "), strings.Repeat("i", 200), strings.Repeat("l.", 100)+"l",
		"((1,2))", "{[10,11)}")
	change := func(id, n string) schema.Tuple {
		changed := slices.Clone(row)
		for i := range changed[2:] {
			changed[i+2] = schema.Value{Kind: schema.Unchanged}
		}
		changed[0].Data, changed[1].Data = []byte(id), []byte(n)
		return changed
	}
	first, second, moved := change("1", "2"), change("1", "3"), change("2", "3")
	for _, r := range []schema.Tuple{second, moved} {
		r[2], r[7] = schema.Value{Kind: schema.Text, Data: []byte("short")}, schema.Value{}
	}
	second[13] = schema.Value{Kind: schema.Text, Data: []byte("{1}")}
	images := slices.Concat([]debezium.Image{created(row), updated(first), updated(second)}, deleted(held(row)),
		[]debezium.Image{created(moved)}, deleted(held(moved)))
	return shape{table: "toast.t", columns: columns, key: []int{0}, images: images}
}

func toastNotNullShape() shape {
	columns := []schema.Column{
		required(field("id", 23)), field("n", 23), required(field("a", 25)), required(field("b", 17)), required(field("c", 1007)), required(field("d", 1700)),
	}
	row := tuple("1", "1", strings.Repeat("t", 2100), `\x`+strings.Repeat("01", 2100), "{"+strings.TrimSuffix(strings.Repeat("1,", 600), ",")+"}", "1.5")
	second := tuple("1", "2", schema.Unchanged, schema.Unchanged, schema.Unchanged, "1.5")
	return shape{table: "toast_not_null.t", columns: columns, key: []int{0}, images: []debezium.Image{created(row), updated(second)}}
}
