package cdc_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/format"
)

// TestRecordsOfKafkaAreEvents: the headers arrive, each event with an id of its own,
// and a tombstone says nothing of one.
func TestRecordsOfKafkaAreEvents(t *testing.T) {
	s := newSource(t)
	s.cfg.Partitions = 1
	s.cfg.Messages.Topic, s.cfg.Messages.Format.Events = s.cfg.Name+".messages", format.BinaryEvents
	for i := range s.cfg.Tables {
		s.cfg.Tables[i].Format.Events = format.BinaryEvents
	}
	s.cfg.Tables[1].Format.Kind = format.JSON
	c := s.startStreaming()
	s.exec("BEGIN; INSERT INTO content VALUES ('a', 'A'); UPDATE content SET id = 'b'; DELETE FROM content; TRUNCATE content; COMMIT")
	s.exec("INSERT INTO events VALUES (1, 'a', 1); DELETE FROM events")
	s.exec("SELECT pg_logical_emit_message(true, 'said', 'x')")
	ids := map[string]bool{}
	for _, topic := range []struct {
		name string
		want []string // operation, table, content type
	}{
		{s.cfg.Tables[0].Topic, []string{
			"c content application/json", "d content application/json", "none", "c content application/json",
			"d content application/json", "none", "t content application/json",
		}},
		{s.cfg.Tables[1].Topic, []string{"c events application/json", "d events "}},
		{s.cfg.Messages.Topic, []string{"m  application/json"}},
	} {
		var got []string
		for _, r := range s.read(topic.name, len(topic.want)) {
			hs := map[string]string{}
			for _, h := range r.Headers {
				hs[h.Key] = string(h.Value)
			}
			line := fmt.Sprintf("%s %s %s", hs["ce_iodebeziumop"], hs["ce_iodebeziumtable"], hs["content-type"])
			switch id, isEvent := hs["ce_id"]; {
			case !isEvent:
				line = "none"
			case ids[id]:
				t.Errorf("two events have the id %s", id)
			default:
				ids[id] = true
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(topic.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", topic.name, diff)
		}
	}
	c.finish()
}
