package parity_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"penstock/internal/parity"
	"penstock/internal/parity/golden"
)

// record is one of pass p's table s.t with those payloads, schemas included when they are given.
func record(t *testing.T, key, value string, headers ...golden.Header) golden.Record {
	t.Helper()
	r, err := golden.NewRecord("p.s.t", []byte(key), []byte(value), headers, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func compare(ours, theirs []golden.Record) []string {
	var found []string
	for _, d := range parity.Compare(parity.Pass{Name: "p"}, ours, theirs) {
		found = append(found, strings.TrimPrefix(d.String(), "p s.t record "))
	}
	return found
}

func TestValuesDiffer(t *testing.T) {
	for _, c := range []struct {
		name, ours, theirs string
		want               []string
	}{
		{"not", `{"op":"c","after":{"a":1.50,"b":[1,null],"c":"x"}}`, `{"after": {"c":"x","b":[1,null],"a":1.50}, "op":"c"}`, nil},
		{"in a number", `{"op":"c","a":1}`, `{"op":"c","a":2}`, []string{"0: value value.a: penstock 1, debezium 2"}},
		{"in a number that a double cannot tell apart", `{"op":"c","a":9007199254740993}`, `{"op":"c","a":9007199254740992}`,
			[]string{"0: value value.a: penstock 9007199254740993, debezium 9007199254740992"}},
		{"in a number's spelling", `{"op":"c","a":1000000}`, `{"op":"c","a":1.0E6}`, []string{"0: spelling value.a: penstock 1000000, debezium 1.0E6"}},
		{"in numbers beyond any type", `{"op":"c","a":1e999999999}`, `{"op":"c","a":1E999999999}`,
			[]string{"0: value value.a: penstock 1e999999999, debezium 1E999999999"}},
		{"in a type", `{"op":"c","a":"1"}`, `{"op":"c","a":1}`, []string{`0: value value.a: penstock "1", debezium 1`}},
		{"in null", `{"op":"c","a":null}`, `{"op":"c","a":""}`, []string{`0: value value.a: penstock null, debezium ""`}},
		{"in a field that is not there", `{"op":"c"}`, `{"op":"c","a":null}`, []string{"0: missing value.a: penstock , debezium null"}},
		{"in a field that is there", `{"op":"c","a":null}`, `{"op":"c"}`, []string{"0: extra value.a: penstock null, debezium "}},
		{"in an array's length", `{"op":"c","a":[1]}`, `{"op":"c","a":[1,1]}`, []string{"0: value value.a: penstock [1], debezium [1,1]"}},
		{"deep within", `{"op":"c","a":[{"b":true}]}`, `{"op":"c","a":[{"b":false}]}`, []string{"0: value value.a.0.b: penstock true, debezium false"}},
		{"by nature", `{"op":"c","ts_ms":1,"source":{"lsn":1,"version":"a"}}`, `{"op":"c","ts_ms":2,"source":{"lsn":2,"version":"b"}}`, nil},
		{"by nature, but not in being there", `{"op":"c","ts_ms":null}`, `{"op":"c","ts_ms":2,"ts_us":2}`,
			[]string{"0: value value.ts_ms: penstock null, debezium 2", "0: missing value.ts_us: penstock , debezium 2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := compare([]golden.Record{record(t, `{}`, c.ours)}, []golden.Record{record(t, `{}`, c.theirs)})
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestKeysHeadersAndTombstonesDiffer(t *testing.T) {
	with := func(headers ...golden.Header) []golden.Record {
		return []golden.Record{record(t, `{"id":1}`, `{"op":"d"}`, headers...)}
	}
	tombstone := golden.Record{Topic: "p.s.t", Key: json.RawMessage(`{"id":1}`), Value: json.RawMessage("null")}
	for _, c := range []struct {
		name         string
		ours, theirs []golden.Record
		want         []string
	}{
		{"in a key", with(), []golden.Record{record(t, `{"id":2}`, `{"op":"d"}`)}, []string{"0: value key.id: penstock 1, debezium 2"}},
		{"in no key", []golden.Record{record(t, `null`, `{"op":"d"}`)}, with(), []string{`0: value key: penstock null, debezium {"id":1}`}},
		{"in a header", with(golden.Header{Key: "a", Value: "1"}), with(golden.Header{Key: "a", Value: "2"}),
			[]string{`0: value headers.a: penstock "1", debezium "2"`}},
		{"in a header that comes twice", with(golden.Header{Key: "a", Value: "1"}), with(golden.Header{Key: "a", Value: "1"}, golden.Header{Key: "a", Value: "1"}),
			[]string{`0: value headers.a: penstock "1", debezium ["1","1"]`}},
		{"in a tombstone", with(), append(with(), tombstone), []string{`1: missing record: penstock , debezium {"id":1} tombstone`}},
		{"in a tombstone too many", append(with(), tombstone), with(), []string{`1: extra record: penstock {"id":1} tombstone, debezium `}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := compare(c.ours, c.theirs); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// One record too many must not make every later one differ.
func TestRecordsAreAligned(t *testing.T) {
	sequence := func(operations string) []golden.Record {
		var records []golden.Record
		for _, op := range operations {
			records = append(records, record(t, `{}`, `{"op":"`+string(op)+`"}`))
		}
		return records
	}
	for _, c := range []struct {
		ours, theirs string
		want         []string
	}{
		{"cud", "cud", nil},
		{"ctud", "cud", []string{"1: extra record: penstock {} t, debezium "}},
		{"cud", "ctud", []string{"1: missing record: penstock , debezium {} t"}},
		{"", "c", []string{"0: missing record: penstock , debezium {} c"}},
		{"cd", "cu", []string{"1: missing record: penstock , debezium {} u", "1: extra record: penstock {} d, debezium "}},
	} {
		t.Run(c.ours+" with "+c.theirs, func(t *testing.T) {
			got := compare(sequence(c.ours), sequence(c.theirs))
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Of equal operations those go together that have the same key.
func TestRecordsAreAlignedByKey(t *testing.T) {
	first, second := record(t, `{"id":1}`, `{"op":"c"}`), record(t, `{"id":2}`, `{"op":"c"}`)
	got := compare([]golden.Record{first, second}, []golden.Record{second})
	if want := []string{`0: extra record: penstock {"id":1} c, debezium `}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSchemasDiffer(t *testing.T) {
	const field = `{"type":"int32","optional":false,"field":"a"}`
	structOf := func(fields string) string {
		return `{"type":"struct","optional":false,"name":"s","fields":[` + fields + `]}`
	}
	with := func(schema string) []golden.Record {
		r := record(t, `{}`, `{"op":"c"}`)
		r.ValueSchema = json.RawMessage(schema)
		return []golden.Record{r}
	}
	for _, c := range []struct {
		name, ours, theirs string
		want               []string
	}{
		{"not", structOf(field), structOf(field), nil},
		{"in a field's type", structOf(`{"type":"int64","optional":false,"field":"a"}`), structOf(field),
			[]string{`0: value valueSchema.a.#.type: penstock "int64", debezium "int32"`}},
		{"in a field too many", structOf(field + `,{"type":"string","field":"b"}`), structOf(field),
			[]string{`0: extra valueSchema.b: penstock {"field":"b","type":"string"}, debezium `}},
		{"in order", structOf(field + `,{"field":"b"}`), structOf(`{"field":"b"},` + field), []string{"0: order valueSchema: penstock a b, debezium b a"}},
		{"in an array's items", `{"type":"array","items":{"type":"int32"}}`, `{"type":"array","items":{"type":"string"}}`,
			[]string{`0: value valueSchema.items.#.type: penstock "int32", debezium "string"`}},
		{"in being there", "", structOf(field), []string{"0: value valueSchema: penstock null, debezium " + `{"fields":[{"field":"a","optional":false,"type":"int32"}],"name":"s","optional":false,"type":"struct"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := compare(with(c.ours), with(c.theirs)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
