package debezium_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/debezium"
)

// compareMessages compares the records of logical messages.
func compareMessages(t *testing.T) []*comparison {
	t.Helper()
	sent := []schema.Message{
		{Prefix: "within", Content: []byte("in the transaction"), Transactional: true},
		{Prefix: "without", Content: []byte("on its own")},
		{Prefix: "alone", Content: []byte("a transaction of its own"), Transactional: true},
		{Prefix: "bytes", Content: []byte{0, 1, 0xff}},
		{},
		{Prefix: "kept", Content: []byte("although rolled back")},
	}
	messages := debezium.CompileMessages(debezium.Origin{Version: "1.0", Name: "shapes", Database: "postgres"}, false, debezium.Options{})
	c := &comparison{t: t, place: "message"}
	var a connect.Arena
	for _, r := range read(t, "shapes") {
		if r.Topic != debezium.MessageTopic("shapes") {
			continue
		}
		if c.record == len(sent) {
			t.Fatalf("got a record too many: %s", r.Key)
		}
		a.Reset()
		e := &schema.Event{Op: schema.OpMessage, Message: &sent[c.record], Source: schema.Source{CommitLSN: commit().CommitLSN}}
		if e.Message.Transactional {
			e.Source = commit()
		}
		value, err := messages.Value(&a, e, nowMicros)
		if err != nil {
			t.Fatal(err)
		}
		c.json("key", connect.AppendJSON(nil, messages.KeySchema(), messages.Key(&a, e)), r.Key)
		c.json("value", connect.AppendJSON(nil, messages.ValueSchema(), value), r.Value)
		c.schemas("keySchema", connect.AppendSchema(nil, messages.KeySchema(), ""), r.KeySchema)
		c.schemas("valueSchema", connect.AppendSchema(nil, messages.ValueSchema(), ""), r.ValueSchema)
		c.record++
	}
	if c.record != len(sent) {
		t.Errorf("got %d records, want %d", c.record, len(sent))
	}
	return []*comparison{c}
}

// compareBoundaries makes the records of transactions of what the recorded ones
// say: their form is compared.
func compareBoundaries(t *testing.T) []*comparison {
	t.Helper()
	c := &comparison{t: t, place: "transaction"}
	keys, values := debezium.TransactionKeySchema(), debezium.TransactionValueSchema()
	var a connect.Arena
	for _, r := range read(t, "shapes-transactions") {
		if r.Topic != debezium.TransactionTopic("shapes-transactions") {
			continue
		}
		var recorded struct {
			Status, ID      string
			TSMS            int64 `json:"ts_ms"`
			DataCollections []struct {
				Name   string `json:"data_collection"`
				Events uint64 `json:"event_count"`
			} `json:"data_collections"`
		}
		if err := json.Unmarshal(r.Value, &recorded); err != nil {
			t.Fatal(err)
		}
		b := debezium.Boundary{End: recorded.Status == "END", Source: schema.Source{CommitTime: recorded.TSMS * 1000}}
		if _, err := fmt.Sscanf(recorded.ID, "%d:%d", &b.Source.XID, &b.Source.CommitLSN); err != nil {
			t.Fatalf("%s: %v", recorded.ID, err)
		}
		for _, count := range recorded.DataCollections {
			b.Counts = append(b.Counts, debezium.Count{Collection: count.Name, Events: count.Events})
		}
		a.Reset()
		c.json("key", connect.AppendJSON(nil, keys, b.Key(&a)), r.Key)
		c.json("value", connect.AppendJSON(nil, values, b.Value(&a)), r.Value)
		c.schemas("keySchema", connect.AppendSchema(nil, keys, ""), r.KeySchema)
		c.schemas("valueSchema", connect.AppendSchema(nil, values, ""), r.ValueSchema)
		c.record++
	}
	if c.record == 0 {
		t.Error("nothing is recorded of transactions")
	}
	return []*comparison{c}
}

// compareHeartbeats makes a heartbeat of the recorded one's time.
func compareHeartbeats(t *testing.T) []*comparison {
	t.Helper()
	c := &comparison{t: t, place: "heartbeat"}
	var a connect.Arena
	for _, r := range read(t, "heartbeats") {
		if r.Topic != "heartbeats.heartbeat" {
			continue
		}
		var recorded struct {
			TSMS int64 `json:"ts_ms"`
		}
		if err := json.Unmarshal(r.Value, &recorded); err != nil || recorded.TSMS == 0 {
			t.Fatalf("%s: %v", r.Value, err)
		}
		a.Reset()
		keys, values := debezium.HeartbeatKeySchema(), debezium.HeartbeatValueSchema()
		c.json("key", connect.AppendJSON(nil, keys, debezium.HeartbeatKey(&a, "heartbeats")), r.Key)
		c.json("value", connect.AppendJSON(nil, values, debezium.HeartbeatValue(&a, recorded.TSMS*1000)), r.Value)
		c.schemas("keySchema", connect.AppendSchema(nil, keys, ""), r.KeySchema)
		c.schemas("valueSchema", connect.AppendSchema(nil, values, ""), r.ValueSchema)
		c.record++
	}
	if c.record != 1 {
		t.Errorf("%d heartbeats are recorded, want one", c.record)
	}
	return []*comparison{c}
}
