package cloudevents_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"penstock/schema/cloudevents"
	"penstock/schema/connect"
)

func record(fields ...connect.Field) *connect.Schema {
	return &connect.Schema{Kind: connect.Struct, Name: "s.public.a.Envelope", Fields: fields}
}

func field(name string, k connect.Kind) connect.Field {
	return connect.Field{Name: name, Schema: &connect.Schema{Kind: k}}
}

// envelope is an envelope of the Postgres connector.
func envelope() *connect.Schema {
	streamed := text("false")
	snapshot := field("snapshot", connect.String)
	snapshot.Schema.Default = &streamed
	row := record(field("pk", connect.Int32), field("aa", connect.String))
	row.Name, row.Optional, row.Fields[1].Schema.Optional = "s.s1.a.Value", true, true
	return record(
		connect.Field{Name: "before", Schema: row},
		connect.Field{Name: "after", Schema: row},
		connect.Field{Name: "source", Schema: record(
			field("version", connect.String), field("connector", connect.String), field("name", connect.String),
			field("ts_ms", connect.Int64), snapshot, field("db", connect.String), field("sequence", connect.String),
			field("ts_us", connect.Int64), field("ts_ns", connect.Int64), field("schema", connect.String),
			field("table", connect.String), field("txId", connect.Int64), field("lsn", connect.Int64),
			field("xmin", connect.Int64), field("origin", connect.String), field("origin_lsn", connect.Int64))},
		connect.Field{Name: "transaction", Schema: record(
			field("id", connect.String), field("total_order", connect.Int64), field("data_collection_order", connect.Int64))},
		field("op", connect.String),
	)
}

func text(s string) connect.Value { return connect.Text([]byte(s)) }

// change is an insert, with or without the transaction block.
func change(transaction bool) connect.Value {
	source := connect.List([]connect.Value{
		text("3.6.1.Final"), text("postgresql"), text("test_server"), connect.Int(1578923739738), {},
		text("postgres"), text(`["29274000","29274832"]`), connect.Int(1578923739738001), connect.Int(1578923739738001000),
		text("s1"), text(`a"b`), connect.Int(565), connect.Int(29274832), {}, {}, {},
	})
	block := connect.Value{}
	if transaction {
		block = connect.List([]connect.Value{text("565:29274832"), connect.Int(1), connect.Int(1)})
	}
	after := connect.List([]connect.Value{connect.Int(1), text("Bob")})
	return connect.List([]connect.Value{{}, after, source, block, text("c")})
}

func TestAppendHeaders(t *testing.T) {
	const common = `ce_source=/debezium/postgresql/test_server
ce_specversion=1.0
ce_type=io.debezium.connector.postgresql.DataChangeEvent
ce_time=2020-01-13T13:55:39.738Z
`
	const extensions = `ce_iodebeziumop=c
ce_iodebeziumversion=3.6.1.Final
ce_iodebeziumconnector=postgresql
ce_iodebeziumname=test_server
ce_iodebeziumtsms=1578923739738
ce_iodebeziumsnapshot=false
ce_iodebeziumdb=postgres
ce_iodebeziumsequence=["29274000","29274832"]
ce_iodebeziumtsus=1578923739738001
ce_iodebeziumtsns=1578923739738001000
ce_iodebeziumschema=s1
ce_iodebeziumtable=a"b
ce_iodebeziumtxId=565
ce_iodebeziumlsn=29274832
`
	for _, c := range []struct {
		name    string
		options cloudevents.Options
		record  cloudevents.Record
		want    string
	}{
		{"as Debezium", cloudevents.Options{}, cloudevents.Record{Envelope: change(false), ContentType: cloudevents.ContentJSON},
			`ce_id=name:test_server;lsn:29274832;txId:565;sequence:["29274000","29274832"]
` + common + "content-type=application/json\n" + extensions},
		{"with a version and a transaction", cloudevents.Options{}, cloudevents.Record{Envelope: change(true), Version: 1578923739738003, ContentType: cloudevents.ContentJSON},
			`ce_id=name:test_server;lsn:29274832;txId:565;sequence:["29274000","29274832"];version:1578923739738003
` + common + "content-type=application/json\n" + extensions + `ce_iodebeziumtxid=565:29274832
ce_iodebeziumtxtotalorder=1
ce_iodebeziumtxdatacollectionorder=1
`},
		{"Avro, no extensions", cloudevents.Options{NoExtensions: true},
			cloudevents.Record{Envelope: change(true), ContentType: cloudevents.ContentAvro, DataSchema: cloudevents.SchemaURI("http://my-registry", 1)},
			`ce_id=name:test_server;lsn:29274832;txId:565;sequence:["29274000","29274832"]
` + common + "content-type=application/avro\nce_dataschema=http://my-registry/schemas/ids/1\n"},
		{"nothing known", cloudevents.Options{}, cloudevents.Record{ContentType: cloudevents.ContentJSON},
			`ce_id=name:null;lsn:null;txId:null;sequence:null
ce_source=/debezium/null/null
ce_specversion=1.0
ce_type=io.debezium.connector.null.DataChangeEvent
ce_time=1970-01-01T00:00:00.000Z
content-type=application/json
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			headers, _ := compile(t, envelope(), c.options).AppendHeaders(nil, []byte("before"), &c.record)
			var got strings.Builder
			for _, h := range headers {
				fmt.Fprintf(&got, "%s=%s\n", h.Key, h.Value)
			}
			if got.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), c.want)
			}
		})
	}
}

func TestAppendStructured(t *testing.T) {
	const start = `{"id":"name:test_server;lsn:29274832;txId:565;sequence:[\"29274000\",\"29274832\"]",` +
		`"source":"/debezium/postgresql/test_server","specversion":"1.0","type":"io.debezium.connector.postgresql.DataChangeEvent",` +
		`"time":"2020-01-13T13:55:39.738Z",`
	const extensions = `"iodebeziumop":"c","iodebeziumversion":"3.6.1.Final","iodebeziumconnector":"postgresql","iodebeziumname":"test_server",` +
		`"iodebeziumtsms":"1578923739738","iodebeziumsnapshot":"false","iodebeziumdb":"postgres","iodebeziumsequence":"[\"29274000\",\"29274832\"]",` +
		`"iodebeziumtsus":"1578923739738001","iodebeziumtsns":"1578923739738001000","iodebeziumschema":"s1","iodebeziumtable":"a\"b",` +
		`"iodebeziumtxId":"565","iodebeziumlsn":"29274832","iodebeziumxmin":null,"iodebeziumorigin":null,"iodebeziumoriginlsn":null,`
	for _, c := range []struct {
		name    string
		options cloudevents.Options
		record  cloudevents.Record
		data    string
		want    string
	}{
		{"JSON", cloudevents.Options{}, cloudevents.Record{Envelope: change(false), ContentType: cloudevents.ContentJSON}, `{"before":null,"after":{"pk":1}}`,
			start + `"datacontenttype":"application/json",` + extensions +
				`"iodebeziumtxid":null,"iodebeziumtxtotalorder":null,"iodebeziumtxdatacollectionorder":null,"data":{"before":null,"after":{"pk":1}}}`},
		{"Avro in a transaction", cloudevents.Options{},
			cloudevents.Record{Envelope: change(true), ContentType: cloudevents.ContentAvro, DataSchema: cloudevents.SchemaURI("http://my-registry", 1)}, "\x00\x00\x00\x00\x01\x00\x02\x02\x02\x02",
			start + `"datacontenttype":"application/avro","dataschema":"http://my-registry/schemas/ids/1",` + extensions +
				`"iodebeziumtxid":"565:29274832","iodebeziumtxtotalorder":"1","iodebeziumtxdatacollectionorder":"1","data":"AAAAAAEAAgICAg=="}`},
		{"no extensions", cloudevents.Options{NoExtensions: true}, cloudevents.Record{Envelope: change(true), ContentType: cloudevents.ContentJSON}, `{}`,
			start + `"datacontenttype":"application/json","data":{}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := compile(t, envelope(), c.options).AppendStructured([]byte("before"), &c.record, []byte(c.data))
			if string(got) != "before"+c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if !json.Valid(got[len("before"):]) {
				t.Error("this is not JSON")
			}
		})
	}
}

// The lines are what Debezium 3.6.1's converter wrote for these envelopes: data
// without and with its schema, then the same within a transaction.
func TestStructuredIsDebeziums(t *testing.T) {
	file, err := os.ReadFile("testdata/structured.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	if len(lines) != 4 {
		t.Fatalf("got %d lines, want 4", len(lines))
	}
	e := compile(t, envelope(), cloudevents.Options{})
	wrapper := connect.NewWrapper(e.DataSchema())
	for i, want := range lines {
		r := cloudevents.Record{Envelope: change(i >= 2), ContentType: cloudevents.ContentJSON}
		var arena connect.Arena
		data := e.Data(&arena, r.Envelope)
		text := connect.AppendJSON(nil, e.DataSchema(), data)
		if i%2 == 1 {
			text = wrapper.Append(nil, data)
		}
		if got := string(e.AppendStructured(nil, &r, text)); got != want {
			t.Errorf("line %d: got\n%s\nwant\n%s", i+1, got, want)
		}
	}
}

func TestData(t *testing.T) {
	e := compile(t, envelope(), cloudevents.Options{})
	var arena connect.Arena
	got := connect.AppendJSON(nil, e.DataSchema(), e.Data(&arena, change(false)))
	if want := `{"before":null,"after":{"pk":1,"aa":"Bob"}}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := e.DataSchema().Name, "io.debezium.connector.postgresql.Data"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCompileErrors(t *testing.T) {
	without := func(name string) *connect.Schema {
		s := envelope()
		fields := s.Fields[:0]
		for _, f := range s.Fields {
			if f.Name != name {
				fields = append(fields, f)
			}
		}
		s.Fields = fields
		return s
	}
	bare := envelope()
	bare.Fields[2].Schema = record(field("version", connect.String))
	flat := envelope()
	flat.Fields[3].Schema = &connect.Schema{Kind: connect.String}
	none := envelope()
	none.Fields[4].Schema = nil
	odd := envelope()
	odd.Fields[2].Schema.Fields[0].Schema.Kind = connect.Float64
	for _, c := range []struct {
		name   string
		schema *connect.Schema
		want   string
	}{
		{"no operation", without("op"), "compile the envelope s.public.a.Envelope: it has no field op"},
		{"no source", without("source"), "compile the envelope s.public.a.Envelope: it has no field source"},
		{"no transaction", without("transaction"), "compile the envelope s.public.a.Envelope: it has no field transaction"},
		{"a source that says little", bare, "compile the source block of the envelope s.public.a.Envelope: it has no field connector"},
		{"a transaction that is a text", flat, "compile the field transaction: it is no struct"},
		{"an operation without a schema", none, "compile the field op: it has no schema"},
		{"a source with a float", odd, "compile the field source.version: an attribute cannot be of type double"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := cloudevents.Compile(c.schema, cloudevents.Options{})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	e := compile(t, envelope(), cloudevents.Options{})
	r := cloudevents.Record{Envelope: change(true), Version: 1, ContentType: cloudevents.ContentJSON}
	var headers []cloudevents.Header
	var buf, value []byte
	data := []byte("{}")
	if n := testing.AllocsPerRun(100, func() {
		headers, buf = e.AppendHeaders(headers[:0], buf[:0], &r)
		value = e.AppendStructured(value[:0], &r, data)
	}); n != 0 {
		t.Errorf("got %v allocations an event, want none", n)
	}
}

// Whatever the names are, the value is one JSON object with this id.
func FuzzStructured(f *testing.F) {
	f.Add("s", "public", `["1","2"]`, int64(1))
	f.Add("\xFF", `"`, "\x00\\", int64(-1))
	f.Fuzz(func(t *testing.T, name, table, sequence string, number int64) {
		v := change(true)
		source := v.List[2].List
		source[2], source[10], source[6], source[3], source[11] = text(name), text(table), text(sequence), connect.Int(number), connect.Int(number)
		r := cloudevents.Record{Envelope: v, ContentType: cloudevents.ContentJSON}
		e := compile(t, envelope(), cloudevents.Options{})
		var got map[string]any
		if err := json.Unmarshal(e.AppendStructured(nil, &r, []byte("{}")), &got); err != nil {
			t.Fatal(err)
		}
		want := string([]rune(fmt.Sprintf("name:%s;lsn:29274832;txId:%d;sequence:%s", name, number, sequence)))
		if got["id"] != want {
			t.Errorf("got id %q, want %q", got["id"], want)
		}
	})
}

func compile(t testing.TB, s *connect.Schema, o cloudevents.Options) *cloudevents.Events {
	t.Helper()
	e, err := cloudevents.Compile(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
