package record_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema"
	"penstock/schema/record"
)

func text(s string) schema.Value { return schema.Value{Kind: schema.Text, Data: []byte(s)} }

func eventsRelation() *schema.Relation {
	return &schema.Relation{
		OID: 16390, Table: schema.TableName{Schema: "public", Name: "engagement_events"}, Identity: schema.IdentityFull,
		Columns: []schema.Column{
			{Name: "id", TypeOID: 20}, {Name: "content_id", TypeOID: 2950}, {Name: "event_ts", TypeOID: 1184},
			{Name: "duration_ms", TypeOID: 23}, {Name: "raw_payload", TypeOID: 3802},
		},
	}
}

func TestEnvelopeIsDebeziums(t *testing.T) {
	e := schema.Event{
		Op: schema.OpCreate, Relation: eventsRelation(),
		New: schema.Tuple{
			text("1"), text("11111111-1111-1111-1111-111111111111"), text("2025-08-25 16:13:40.436907+00"),
			{Kind: schema.Null}, text(`{"bitrate": "128kbps"}`),
		},
		Source: schema.Source{CommitLSN: 0x16_B374D848, Seq: 3, XID: 771, CommitTime: 1756138420436907},
	}
	origin := record.Origin{Version: "1.2.3", Name: "engagement", Database: "streaming_db"}
	got := record.AppendEnvelope([]byte("prefix "), &origin, &e, record.Image{Op: e.Op, After: e.New}, 1756138421000001)
	want := `prefix {"before":null,"after":{"id":1,"content_id":"11111111-1111-1111-1111-111111111111",` +
		`"event_ts":"2025-08-25T16:13:40.436907Z","duration_ms":null,"raw_payload":"{\"bitrate\": \"128kbps\"}"},` +
		`"source":{"version":"1.2.3","connector":"postgresql","name":"engagement",` +
		`"ts_ms":1756138420436,"ts_us":1756138420436907,"ts_ns":1756138420436907000,"snapshot":"false","db":"streaming_db",` +
		`"sequence":"[\"97500059720\",\"97500059720\"]","schema":"public","table":"engagement_events",` +
		`"txId":771,"lsn":97500059720,"xmin":null},"transaction":null,"op":"c",` +
		`"ts_ms":1756138421000,"ts_us":1756138421000001,"ts_ns":1756138421000001000}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
}

func TestValuesByType(t *testing.T) {
	const (
		boolean, bytea, int8, int2, float8, plain, numeric, timestamptz = 16, 17, 20, 21, 701, 25, 1700, 1184
	)
	cases := []struct {
		name    string
		typeOID uint32
		value   schema.Value
		want    string
	}{
		{"null", int8, schema.Value{}, `null`},
		{"unchanged TOAST", plain, schema.Value{Kind: schema.Unchanged}, `"__debezium_unavailable_value"`},
		{"largest bigint is not rounded", int8, text("9223372036854775807"), `9223372036854775807`},
		{"smallint", int2, text("-32768"), `-32768`},
		{"true", boolean, text("t"), `true`},
		{"false", boolean, text("f"), `false`},
		{"float", float8, text("1e+300"), `1e+300`},
		{"not a number", float8, text("NaN"), `"NaN"`},
		{"infinite float", float8, text("-Infinity"), `"-Infinity"`},
		{"numeric keeps its digits", numeric, text("0.10000000000000000000001"), `"0.10000000000000000000001"`},
		{"whole second", timestamptz, text("2025-08-25 16:13:40+00"), `"2025-08-25T16:13:40Z"`},
		{"infinite time", timestamptz, text("infinity"), `"infinity"`},
		{"time before Christ", timestamptz, text("0044-03-15 12:00:00+00 BC"), `"0044-03-15 12:00:00+00 BC"`},
		{"year of six digits", timestamptz, text("294276-12-31 23:59:59+00"), `"294276-12-31 23:59:59+00"`},
		{"binary", bytea, schema.Value{Kind: schema.Binary, Data: []byte{0, 255}}, `"AP8="`},
		{"unknown type is its text", 99999, text(`(1,"a b")`), `"(1,\"a b\")"`},
		{"quotes and backslash", plain, text(`a"b\c`), `"a\"b\\c"`},
		{"control characters", plain, text("a\n\r\t\x01\x1f"), `"a\n\r\t\u0001\u001f"`},
		{"emoji", plain, text("naïve – 🎧"), `"naïve – 🎧"`},
		{"bytes that are not UTF-8", plain, text("a\xffb\xe2\x82"), `"a\ufffdb\ufffd\ufffd"`},
		{"empty", plain, text(""), `""`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rel := &schema.Relation{Columns: []schema.Column{{Name: "v", TypeOID: c.typeOID}}}
			got := string(record.AppendKey(nil, rel, schema.Tuple{c.value}, []int{0}))
			if want := `{"v":` + c.want + `}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func TestParseReadsWhatWasAppended(t *testing.T) {
	old := schema.Tuple{text("1"), text("a"), text("2025-01-01 00:00:00+00"), text("5"), {}}
	e := schema.Event{
		Op: schema.OpUpdate, Relation: eventsRelation(), Old: old,
		New:    schema.Tuple{text("1"), text("b"), text("2025-01-01 00:00:00+00"), {}, {}},
		Source: schema.Source{CommitTime: 1756138420436907},
	}
	value := record.AppendEnvelope(nil, &record.Origin{}, &e, record.Image{Op: e.Op, Before: e.Old, After: e.New}, 1)
	got, err := record.Parse(value)
	if err != nil {
		t.Fatal(err)
	}
	want := record.Change{
		Op: schema.OpUpdate, Table: e.Relation.Table, CommitTime: 1756138420436907,
		Before: json.RawMessage(`{"id":1,"content_id":"a","event_ts":"2025-01-01T00:00:00Z","duration_ms":5,"raw_payload":null}`),
		After:  json.RawMessage(`{"id":1,"content_id":"b","event_ts":"2025-01-01T00:00:00Z","duration_ms":null,"raw_payload":null}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	cases := []struct{ name, value string }{
		{"empty", ``},
		{"not JSON", `{`},
		{"no operation", `{"source":{"schema":"s","table":"t"}}`},
		{"unknown operation", `{"op":"x","source":{"schema":"s","table":"t"}}`},
		{"no table", `{"op":"c","after":{}}`},
		{"create without a row", `{"op":"c","after":null,"source":{"schema":"s","table":"t"}}`},
		{"update without a row", `{"op":"u","before":{},"source":{"schema":"s","table":"t"}}`},
		{"delete without an old row", `{"op":"d","after":{},"source":{"schema":"s","table":"t"}}`},
		{"time out of range", `{"op":"t","source":{"schema":"s","table":"t","ts_us":1e400}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got, err := record.Parse([]byte(c.value)); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"op":"c","after":{"id":1},"source":{"schema":"s","table":"t","ts_us":1}}`))
	f.Add([]byte(`{"op":"d"`))
	f.Fuzz(func(t *testing.T, value []byte) {
		change, err := record.Parse(value) // must not panic
		if err == nil && change.Table.Name == "" {
			t.Error("accepted a change without a table")
		}
	})
}

// FuzzString holds the encoder against encoding/json: any bytes make a JSON
// string that reads back as the standard library would have written them.
func FuzzString(f *testing.F) {
	f.Add("a\"b\\c\x00\xff\xe2\x82🎧\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		rel := &schema.Relation{Columns: []schema.Column{{Name: "v", TypeOID: 25}}}
		key := record.AppendKey(nil, rel, schema.Tuple{text(s)}, []int{0})
		var got struct{ V string }
		if err := json.Unmarshal(key, &got); err != nil {
			t.Fatalf("%q became %s: %v", s, key, err)
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if got.V != want {
			t.Errorf("%q reads back as %q, want %q", s, got.V, want)
		}
	})
}
