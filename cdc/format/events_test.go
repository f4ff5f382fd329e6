package format_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/cloudevents"
)

func eventHeaders(t testing.TB, e format.Encoder, c change, hasValue bool) map[string]string {
	t.Helper()
	headers, err := e.AppendHeaders(nil, c.event(), format.Described{Op: c.image.Op, HasValue: hasValue, NowMicros: nowMicros})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, h := range headers {
		if _, twice := all[h.Key]; twice {
			t.Errorf("header %s comes twice", h.Key)
		}
		all[h.Key] = string(h.Value)
	}
	return all
}

func TestEventModesAreParsed(t *testing.T) {
	for i, name := range format.EventModes() {
		if mode, err := format.ParseEvents(name); err != nil || mode != format.Events(i) {
			t.Errorf("%s: got %v, %v", name, mode, err)
		}
	}
	if _, err := format.ParseEvents("http"); err == nil || !strings.Contains(err.Error(), "none, binary, structured") {
		t.Errorf("got %v, want an error with the names", err)
	}
}

const ordersID = `name:srv;lsn:26000000;txId:771;sequence:["26000000","26000000"];version:10`

// TestBinaryEvents: the attributes beside every format's own value, which is as it is
// without them.
func TestBinaryEvents(t *testing.T) {
	contents := map[format.Kind]string{format.Avro: cloudevents.ContentAvro, format.Protobuf: cloudevents.ContentProtobuf}
	for _, f := range everyFormat(t) {
		bare := compile(t, f.Format, table(nil))
		if got := eventHeaders(t, bare, changes()[0], true); len(got) > 0 {
			t.Errorf("%s: got headers %v without events", f.name, got)
		}
		f.Events = format.BinaryEvents
		e := compile(t, f.Format, table(nil))
		for _, c := range changes() {
			t.Run(f.name+" "+c.name, func(t *testing.T) { checkBinary(t, f.Format, e, bare, c, contents[f.Kind]) })
		}
	}
}

// checkBinary holds the headers of a change in one format against what they are to
// say; registered is the content type of a format with a registry.
func checkBinary(t *testing.T, f format.Format, e, bare format.Encoder, c change, registered string) {
	t.Helper()
	got := eventHeaders(t, e, c, true)
	for key, want := range map[string]string{
		"ce_id": ordersID, "ce_source": "/debezium/postgresql/srv", "ce_specversion": "1.0", "ce_time": "2025-08-25T16:13:40.436Z",
		"ce_type": "io.debezium.connector.postgresql.DataChangeEvent", "ce_iodebeziumop": string(rune(c.image.Op)),
		"ce_iodebeziumtable": "orders", "ce_iodebeziumtxId": "771", "ce_iodebeziumsnapshot": "false",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	content, address := "application/json", ""
	if registered != "" {
		id, _ := header(t, value(t, e, c))
		content, address = registered, cloudevents.SchemaURI(f.Registry.Address(), id)
	}
	if got["content-type"] != content || got["ce_dataschema"] != address {
		t.Errorf("content type %q, schema %q, want %q, %q", got["content-type"], got["ce_dataschema"], content, address)
	}
	if with, without := value(t, e, c), value(t, bare, c); !bytes.Equal(with, without) {
		t.Errorf("the value is %q, without events %q", with, without)
	}
	if alone := eventHeaders(t, e, c, false); alone["content-type"]+alone["ce_dataschema"] != "" || alone["ce_id"] != ordersID {
		t.Errorf("a record without a value says %v", alone)
	}
}

// TestStructuredEvents: the value is the event, and its data the rows.
func TestStructuredEvents(t *testing.T) {
	for _, f := range everyFormat(t) {
		if f.Kind == format.Text {
			continue // TestTextHasNoStructuredEvents
		}
		t.Run(f.name, func(t *testing.T) {
			f.Events = format.StructuredEvents
			e := compile(t, f.Format, table(func(made *format.Table) { made.Transactions = true }))
			c := changes()[0]
			var got struct {
				ID, Type, DataContentType, DataSchema, IoDebeziumOp, IoDebeziumTxTotalOrder string
				Data                                                                        json.RawMessage
			}
			if err := json.Unmarshal(value(t, e, c), &got); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(got.ID, ";version:10") || got.IoDebeziumOp != "c" || got.IoDebeziumTxTotalOrder != "3" {
				t.Errorf("got %+v", got)
			}
			checkData(t, f.Format, string(got.Data), got.DataSchema)
			if h := eventHeaders(t, e, c, true); len(h) != 1 || h["content-type"] != "application/cloudevents+json; charset=UTF-8" {
				t.Errorf("got headers %v", h)
			}
			if h := eventHeaders(t, e, c, false); len(h) != 0 {
				t.Errorf("a record without a value has headers %v", h)
			}
		})
	}
}

// checkData holds the data of a structured create against its row.
func checkData(t *testing.T, f format.Format, data, address string) {
	t.Helper()
	const row = `{"note":"seven","id":7,"paid":true,"ratio":0.5,"at":"2025-08-25T16:13:40.436907Z"}`
	want := `{"before":null,"after":` + row + `}`
	switch {
	case f.Schemas:
		_, data, _ = strings.Cut(strings.TrimSuffix(data, "}"), `"payload":`)
	case f.Kind == format.JSON:
		want = row
	case f.Kind == format.Avro || f.Kind == format.Protobuf:
		octets, err := base64.StdEncoding.DecodeString(strings.Trim(data, `"`))
		if err != nil || !bytes.Contains(octets, []byte("seven")) {
			t.Fatalf("got data %s, %v", data, err)
		}
		id, _ := header(t, octets)
		if want := cloudevents.SchemaURI(f.Registry.Address(), id); address != want {
			t.Errorf("got schema %s, want %s", address, want)
		}
		return
	}
	if data != want {
		t.Errorf("got data %s, want %s", data, want)
	}
}

func TestTextHasNoStructuredEvents(t *testing.T) {
	f := format.Format{Kind: format.Text, Events: format.StructuredEvents}
	if _, err := f.Compile(t.Context(), table(nil)); err == nil {
		t.Error("got no error")
	}
}

// TestEventsOfMessages: Debezium's converter has none; ours have the same attributes,
// and as data of a structured one what the envelope says of the message.
func TestEventsOfMessages(t *testing.T) {
	binary, structured := compileMessages(t, format.Format{Events: format.BinaryEvents}), compileMessages(t, format.Format{Events: format.StructuredEvents})
	event := emitted(true)
	event.Version = 12
	headers, err := binary.AppendHeaders(nil, event, nowMicros)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, h := range headers {
		got[h.Key] = string(h.Value)
	}
	if got["ce_iodebeziumop"] != "m" || !strings.HasSuffix(got["ce_id"], ";version:12") || got["ce_iodebeziumtxtotalorder"] != "5" {
		t.Errorf("got %v", got)
	}
	value, err := structured.AppendValue(nil, event, nowMicros)
	if err != nil || !strings.HasSuffix(string(value), `"data":{"prefix":"p\"1","content":"AP8="}}`) || !json.Valid(value) {
		t.Errorf("got %s, %v", value, err)
	}
}

// TestMessagesWithARegistry are not JSON beside Avro.
func TestMessagesWithARegistry(t *testing.T) {
	known := startRegistry(t)
	for _, kind := range []format.Kind{format.Avro, format.Protobuf} {
		e := compileMessages(t, format.Format{Kind: kind, Registry: known.open(t)})
		value, err := e.AppendValue(nil, emitted(true), nowMicros)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range [][]byte{value, e.AppendKey(nil, emitted(true))} {
			if id, rest := header(t, record); known.schema(t, id) == "" || !bytes.Contains(rest, []byte("p\"1")) {
				t.Errorf("%s: got %q", kind, record)
			}
		}
	}
}

func BenchmarkEventHeaders(b *testing.B) {
	e := compile(b, format.Format{Events: format.BinaryEvents}, table(nil))
	event := changes()[1].event()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.AppendHeaders(nil, event, format.Described{Op: schema.OpUpdate, HasValue: true, NowMicros: nowMicros}); err != nil {
			b.Fatal(err)
		}
	}
}
