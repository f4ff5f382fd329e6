package plain_test

import (
	"strings"
	"testing"

	"penstock/schema"
)

func base(oid uint32) *schema.Type { return &schema.Type{OID: oid, Kind: schema.TypeBase, Mod: -1} }

func domain(of *schema.Type) *schema.Type {
	return &schema.Type{OID: 90001, Name: "d", Kind: schema.TypeDomain, Elem: of, Mod: -1}
}

func arrayOf(elem *schema.Type) *schema.Type {
	return &schema.Type{OID: 90002, Kind: schema.TypeArray, Elem: elem, Delimiter: ',', Mod: -1}
}

func rangeOf(elem *schema.Type) *schema.Type {
	return &schema.Type{OID: 90003, Kind: schema.TypeRange, Elem: elem, Mod: -1}
}

func composite(fields ...schema.Attribute) *schema.Type {
	return &schema.Type{OID: 90004, Kind: schema.TypeComposite, Fields: fields, Mod: -1}
}

type nestedCase struct {
	name string
	t    *schema.Type
	text string
	want string // JSON
}

func nestedCases() []nestedCase {
	point := composite(schema.Attribute{Name: "x", Type: base(oidInt4)}, schema.Attribute{Name: `the "y"`, Type: base(oidText)})
	hstore := &schema.Type{OID: 90005, Schema: "public", Name: "hstore", Kind: schema.TypeBase}
	mood := &schema.Type{OID: 90006, Name: "mood", Kind: schema.TypeEnum, Labels: []string{"sad", "ok"}}
	period := rangeOf(base(oidTimestamptz))
	periods := &schema.Type{OID: 90007, Kind: schema.TypeMultirange, Elem: period}
	boxes := &schema.Type{OID: 1020, Kind: schema.TypeArray, Elem: base(603), Delimiter: ';'}
	return []nestedCase{
		{"array", arrayOf(base(oidInt4)), "{1,NULL,-3}", `[1,null,-3]`},
		{"array, empty", arrayOf(base(oidInt4)), "{}", `[]`},
		{"array of texts", arrayOf(base(oidText)), `{"a \"b\"",NULL,"NULL",""}`, `["a \"b\"",null,"NULL",""]`},
		{"array of two dimensions", arrayOf(base(1700)), "{{1.50,2},{NaN,NULL}}", `[[1.50,2],["NaN",null]]`},
		{"array of three dimensions", arrayOf(base(oidText)), "{{{a,b}},{{c,d}}}", `[[["a","b"]],[["c","d"]]]`},
		{"array with lower bounds", arrayOf(base(oidInt4)), "[0:1][2:2]={{1},{2}}", `{"lower":[0,2],"values":[[1],[2]]}`},
		{"array with a negative lower bound", arrayOf(base(oidInt4)), "[-5:-4]={1,2}", `{"lower":[-5],"values":[1,2]}`},
		{"array of booleans", arrayOf(base(16)), "{t,f}", `[true,false]`},
		{"array of json", arrayOf(base(114)), `{"{\"a\": [1]}","null",NULL}`, `[{"a": [1]},null,null]`},
		{"array of bytea", arrayOf(base(17)), `{"\\xdead"}`, `["3q0="]`},
		{"array of timestamps", arrayOf(base(oidTimestamptz)), `{"2025-08-25 16:13:40+00",infinity}`, `["2025-08-25T16:13:40Z","infinity"]`},
		{"array of boxes", boxes, "{(3,4),(1,2);(7,8),(5,6)}", `["(3,4),(1,2)","(7,8),(5,6)"]`},
		{"array of an unknown type", arrayOf(nil), "{1,a}", `["1","a"]`},
		{"array of enums", arrayOf(mood), "{sad,ok}", `["sad","ok"]`},
		{"array of composites", arrayOf(point), `{"(1,\"a b\")","(,)",NULL}`, `[{"x":1,"the \"y\"":"a b"},{"x":null,"the \"y\"":null},null]`},
		{"array of domains over arrays", arrayOf(domain(arrayOf(base(oidInt4)))), `{"{1,2}","{}"}`, `[[1,2],[]]`},
		{"int2vector", &schema.Type{OID: 22, Kind: schema.TypeArray, Elem: base(21)}, "1 2", `[1,2]`},
		{"oidvector, empty", &schema.Type{OID: 30, Kind: schema.TypeArray, Elem: base(26)}, "", `[]`},
		{"enum", mood, "ok", `"ok"`},
		{"composite", point, `(1,"b ""x""")`, `{"x":1,"the \"y\"":"b \"x\""}`},
		{"composite of nothing", composite(), "()", `{}`},
		{"composite of an attribute less", point, "(1)", `"(1)"`},
		{"composite of an attribute more", composite(), "(1,2)", `"(1,2)"`},
		{"composite of another attribute", point, "(x,y)", `"(x,y)"`},
		{"composite of one NULL", composite(schema.Attribute{Name: "a", Type: base(oidInt4)}), "()", `{"a":null}`},
		{"composite of composites and arrays", composite(schema.Attribute{Name: "p", Type: point}, schema.Attribute{Name: "a", Type: arrayOf(base(oidText))}), `("(1,"" "")","{""a b"",NULL}")`, `{"p":{"x":1,"the \"y\"":" "},"a":["a b",null]}`},
		{"range", rangeOf(base(oidInt4)), "[1,10)", `{"lower":1,"upper":10,"bounds":"[)"}`},
		{"range, empty", rangeOf(base(oidInt4)), "empty", `{"empty":true}`},
		{"range without bounds", rangeOf(base(oidInt4)), "(,)", `{"lower":null,"upper":null,"bounds":"()"}`},
		{"range up to infinity", rangeOf(base(1082)), "(2025-08-25,infinity]", `{"lower":"2025-08-25","upper":"infinity","bounds":"(]"}`},
		{"range of timestamps", period, `["2025-08-25 00:00:00+00",)`, `{"lower":"2025-08-25T00:00:00Z","upper":null,"bounds":"[)"}`},
		{"multirange", periods, `{["2025-08-25 00:00:00+00","2025-08-26 00:00:00+00"],("2025-08-27 00:00:00+00",)}`, `[{"lower":"2025-08-25T00:00:00Z","upper":"2025-08-26T00:00:00Z","bounds":"[]"},{"lower":"2025-08-27T00:00:00Z","upper":null,"bounds":"()"}]`},
		{"multirange of nothing", periods, "{}", `[]`},
		{"hstore", hstore, `"a"=>"1", "b \"c\""=>NULL`, `{"a":"1","b \"c\"":null}`},
		{"hstore of nothing", hstore, "", `{}`},
		{"domain over a composite", domain(domain(point)), "(1,)", `{"x":1,"the \"y\"":null}`},
		{"type of an extension", &schema.Type{OID: 90008, Name: "ltree", Kind: schema.TypeBase}, "a.b.c", `"a.b.c"`},
		{"vector of an extension", &schema.Type{OID: 90009, Name: "vector", Kind: schema.TypeBase}, "[1,2.5]", `"[1,2.5]"`},
		{"domain of which the base is unknown", domain(nil), "x", `"x"`},
		{"multirange of which the range is unknown", &schema.Type{OID: 90010, Kind: schema.TypeMultirange}, "{[1,2)}", `"{[1,2)}"`},
	}
}

func TestNested(t *testing.T) {
	for _, c := range nestedCases() {
		t.Run(c.name, func(t *testing.T) {
			one := table(t, []schema.Column{{Name: "c", TypeOID: c.t.OID, Type: c.t}}, nil)
			if got, want := row(t, one, schema.Tuple{value(c.text)}), `{"c":`+c.want+`}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestNestedErrors(t *testing.T) {
	types := map[string]*schema.Type{}
	for _, c := range nestedCases() {
		types[c.name] = c.t
	}
	for _, c := range []struct{ name, text, reason string }{
		{"array", "{1,2", "array text, byte 4"},
		{"array", "{1,x}", "int4 text"},
		{"array of two dimensions", "{{1},{2,3}}", "another length"},
		{"array with lower bounds", "[0:1]={1,x}", "int4 text"},
		{"int2vector", "1,2", "vector text"},
		{"composite", "(1", "composite text"},
		{"range", "[1,x)", "int4 text"},
		{"range", "[x,1)", "int4 text"},
		{"range", "[1,2", "range text"},
		{"multirange", `{[2025,2026)}`, "timestamptz text"},
		{"multirange", "{", "multirange text"},
		{"hstore", `"a"`, "hstore text"},
	} {
		t.Run(c.name+" "+c.text, func(t *testing.T) {
			one := table(t, []schema.Column{{Name: "c", Type: types[c.name]}}, nil)
			got, err := one.AppendRow(nil, schema.Tuple{value(c.text)})
			if err == nil || len(got) > 0 || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %s, %v, want an error with %q", got, err, c.reason)
			}
		})
	}
}

// A catalogue that we misread may name a type that holds itself.
func TestTypeThatHoldsItself(t *testing.T) {
	loop := composite()
	loop.Fields = []schema.Attribute{{Name: "a", Type: loop}, {Name: "b", Type: loop}}
	one := table(t, []schema.Column{{Name: "c", Type: loop}}, nil)
	if got, want := row(t, one, schema.Tuple{value(`("(,)",)`)}), `{"c":{"a":{"a":null,"b":null},"b":null}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
