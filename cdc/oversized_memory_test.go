package cdc

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/fault"
	"penstock/schema"
)

// eachFormat has a registry that takes every schema.
func eachFormat(t testing.TB) []format.Format {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":1}`) }))
	t.Cleanup(server.Close)
	known, err := registry.Open(registry.Config{URLs: []string{server.URL}, AutoRegister: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(known.Close)
	all := []format.Format{{Schemas: true}}
	for i := range format.Names() {
		all = append(all, format.Format{Kind: format.Kind(i), Registry: known})
	}
	return all
}

// bodyOf is the table of documents with a body of another type.
func bodyOf(t *schema.Type) *schema.Relation {
	rel := docsRelation()
	rel.Columns[1].TypeOID, rel.Columns[1].Type = t.OID, t
	return rel
}

func builtinType(oid uint32, name string) *schema.Type {
	return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
}

func arrayOf(oid uint32, elem *schema.Type) *schema.Type {
	return &schema.Type{OID: oid, Schema: "pg_catalog", Name: "_" + elem.Name, Kind: schema.TypeArray, Mod: -1, Elem: elem, Delimiter: ','}
}

// TestLargeValuesAreNotRendered when they cannot fit: what is made of them may be many
// times as large. What is cut or becomes a dead letter costs no more.
func TestLargeValuesAreNotRendered(t *testing.T) {
	const limit, allowed = 1 << 20, 8 << 20
	raw := 64 << 20
	if testing.Short() {
		raw = 16 << 20
	}
	for _, c := range []struct {
		name string
		rel  *schema.Relation
		body string
	}{
		{"text", docsRelation(), strings.Repeat("x", raw)},
		{"control characters, 6 octets each", docsRelation(), strings.Repeat("\x01", raw)},
		{"jsonb", bodyOf(builtinType(3802, "jsonb")), `["` + strings.Repeat("x", raw-4) + `"]`},
		{"bytea", bodyOf(builtinType(17, "bytea")), `\x` + strings.Repeat("ff", raw/2-1)},
		{"boolean[], 88 octets of memory each", bodyOf(arrayOf(1000, builtinType(16, "bool"))), "{" + strings.Repeat("t,", raw/2-2) + "t}"},
	} {
		e := created("1", c.body, "{}")
		e.Relation = c.rel
		for _, f := range eachFormat(t) {
			if f.Kind == format.JSON && c.name == "jsonb" {
				continue // it is part of the object: rendering it costs once its size
			}
			for _, policy := range []Oversized{OversizedStop, OversizedTruncate, OversizedDeadLetter} {
				r := docsRouter(Table{Format: f, Oversized: policy}, limit)
				r.tables[docsTable].letters.topic.maxBytes = limit
				records, err := r.Route(t.Context(), nil, &schema.Event{Op: schema.OpCreate, Relation: c.rel, New: row("1", "null", "{}")}, 1)
				if err != nil || len(records) != 1 {
					t.Fatal(err)
				}
				n := allocated(func() { records, err = r.Route(t.Context(), nil, &e, 1) })
				if n > allowed {
					t.Errorf("%s, %s, policy %d: %d MiB for a value of %d MiB", c.name, f.Kind, policy, n>>20, raw>>20)
				}
				if stopped := fault.KindOf(err) == fault.Refused && err != nil; stopped != (policy == OversizedStop) || !stopped && len(records) != 1 {
					t.Errorf("%s, %s, policy %d: %d records, %v", c.name, f.Kind, policy, len(records), err)
				}
			}
		}
	}
}

// TestLargeValuesThatFit are made in room of their size.
func TestLargeValuesThatFit(t *testing.T) {
	const raw, limit = 16 << 20, 128 << 20
	for name, body := range map[string]string{"text": strings.Repeat("x", raw), "control characters": strings.Repeat("\x01", raw)} {
		for _, f := range eachFormat(t) {
			e := created("1", body, "{}")
			r := docsRouter(Table{Format: f}, limit)
			var size int
			n := allocated(func() { size = len(routed(t, r, e)[0].Value) })
			if most := uint64(size)*2 + 4<<20; n > most {
				t.Errorf("%s, %s: %d MiB for a value that becomes %d MiB", name, f.Kind, n>>20, size>>20)
			}
		}
	}
}

// allocated is how many bytes do allocates, whether it keeps them or not: no less than
// what the heap grows by at its peak.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzFloors: no value takes less than what is expected of it, or one that fits would be
// refused.
func FuzzFloors(f *testing.F) {
	for _, seed := range []string{"x", "\x01\"\\", "\xff\xfe", "naïve – 🎧", "NULL", "a,b{}", "1"} {
		f.Add(seed, true)
	}
	formats := eachFormat(f)
	f.Fuzz(func(t *testing.T, text string, null bool) {
		text = strings.Repeat(text, 1+shortValue/max(len(text), 1))
		elements := `{"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		if null {
			elements += ",NULL"
		}
		elements += "}"
		flags := "{" + strings.Repeat("t,", len(text)) + "f}"
		numbers := "{" + strings.Repeat("1,", len(text)) + "-2147483648}"
		for _, c := range []struct {
			rel  *schema.Relation
			body string
		}{
			{docsRelation(), text},
			{bodyOf(builtinType(1043, "varchar")), text},
			{bodyOf(builtinType(1042, "bpchar")), text + strings.Repeat(" ", 100)},
			{bodyOf(builtinType(19, "name")), text},
			{bodyOf(builtinType(142, "xml")), text},
			{bodyOf(builtinType(114, "json")), `[ "` + strings.Repeat("x", len(text)) + `" ` + strings.Repeat(" ", len(text)) + `]`},
			{bodyOf(builtinType(3802, "jsonb")), `["` + strings.Repeat("x", len(text)) + `"]`},
			{bodyOf(builtinType(17, "bytea")), `\x` + hex.EncodeToString([]byte(text))},
			{bodyOf(arrayOf(1009, builtinType(25, "text"))), elements},
			{bodyOf(arrayOf(1000, builtinType(16, "bool"))), flags},
			{bodyOf(arrayOf(1007, builtinType(23, "int4"))), numbers},
		} {
			for i := range formats {
				r := docsRouter(Table{Format: formats[i]}, 0)
				e := created("1", c.body, "{}")
				e.Relation = c.rel
				records, err := r.Route(t.Context(), nil, &e, 1)
				if err != nil {
					t.Fatalf("%s, %q: %v", formats[i].Kind, c.body, err)
				}
				rt := r.tables[docsTable]
				if least := rt.floors[1].least(e.New[1], ','); least > len(records[0].Value) {
					t.Errorf("%s, %s: %q is expected to take %d octets, it takes %d", formats[i].Kind, c.rel.Columns[1].Type.Name, c.body, least, len(records[0].Value))
				}
			}
		}
	})
}

// TestInputTopicsRefuseWhatDoesNotFit before their envelope is made, whatever the policy.
func TestInputTopicsRefuseWhatDoesNotFit(t *testing.T) {
	r := testRouter()
	r.tables[contentTable].joins[0].topic.maxBytes = 5000
	r.tables[contentTable].table.Oversized = OversizedTruncate
	e := schema.Event{Op: schema.OpCreate, Relation: contentRelation(), New: row("1", strings.Repeat("x", 6000)), Version: 10}
	_, err := r.Route(t.Context(), nil, &e, 1)
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "6001 bytes or more, topic input of pipeline metrics takes 5000") {
		t.Errorf("got %v", err)
	}
}
