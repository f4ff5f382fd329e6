package format_test

import (
	"encoding/json"
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

func emitted(transactional bool) *schema.Event {
	e := &schema.Event{
		Op: schema.OpMessage, Message: &schema.Message{Prefix: "p\"1", Content: []byte("\x00\xff"), Transactional: transactional},
		Source: schema.Source{CommitLSN: 26000000},
	}
	if transactional {
		e.Source.XID, e.Source.CommitTime, e.Source.TotalSeq, e.Source.TableSeq = 771, 1756138420436907, 4, 1
	}
	return e
}

func compileMessages(t testing.TB, f format.Format) *format.MessageEncoder {
	t.Helper()
	e, err := f.CompileMessages(t.Context(), "srv.message", debezium.Origin{Version: "1", Name: "srv", Database: "db"}, true)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestMessages: the record of a logical message is Connect's JSON in every format of JSON.
func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name        string
		format      format.Format
		event       *schema.Event
		content     string
		transaction string
	}{
		{"of a transaction", format.Format{}, emitted(true), "AP8=", `{"id":"771:26000000","total_order":5,"data_collection_order":2}`},
		{"outside of transactions", format.Format{}, emitted(false), "AP8=", "null"},
		{"in hexadecimal", format.Format{Options: debezium.Options{Binary: debezium.BinaryHex}}, emitted(false), "00ff", "null"},
		{"where tables are rows alone", format.Format{Kind: format.JSON}, emitted(false), "AP8=", "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := compileMessages(t, c.format)
			if got := string(e.AppendKey(nil, c.event)); got != `{"prefix":"p\"1"}` {
				t.Errorf("got key %s", got)
			}
			value, err := e.AppendValue(nil, c.event, nowMicros)
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Op          string
				Transaction json.RawMessage
				Message     struct{ Prefix, Content string }
				Source      struct{ Table, Schema string }
			}
			if err := json.Unmarshal(value, &got); err != nil {
				t.Fatalf("%v\n%s", err, value)
			}
			if got.Op != "m" || got.Message.Prefix != "p\"1" || got.Message.Content != c.content || got.Source.Table != "" {
				t.Errorf("got %s", value)
			}
			if string(got.Transaction) != c.transaction {
				t.Errorf("got transaction %s, want %s", got.Transaction, c.transaction)
			}
		})
	}
}

func TestMessagesCarryTheirSchema(t *testing.T) {
	f := format.Format{Schemas: true}
	e := compileMessages(t, f)
	value, err := e.AppendValue(nil, emitted(true), nowMicros)
	if err != nil {
		t.Fatal(err)
	}
	for name, record := range map[string][]byte{
		"io.debezium.connector.postgresql.MessageKey": e.AppendKey(nil, emitted(true)), "io.debezium.connector.postgresql.MessageValue": value,
	} {
		var got struct {
			Schema  struct{ Name string }
			Payload map[string]any
		}
		if err := json.Unmarshal(record, &got); err != nil || got.Schema.Name != name || len(got.Payload) == 0 {
			t.Errorf("got %s, %v, want schema %s and a payload", record, err, name)
		}
	}
}

func TestMessagesAllocateNothing(t *testing.T) {
	f := format.Format{}
	e := compileMessages(t, f)
	event := emitted(true)
	var buffer []byte
	var err error
	render := func() { buffer, err = e.AppendValue(e.AppendKey(buffer[:0], event), event, nowMicros) }
	if n := testing.AllocsPerRun(100, render); n != 0 || err != nil {
		t.Errorf("got %g allocations and error %v, want none", n, err)
	}
}
