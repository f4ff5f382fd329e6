package cdc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/format"
	"penstock/schema"
)

// TestRecordsThatAreEvents: which record is one, with which operation, and that no
// two events have one id, but the copies of one truncate.
func TestRecordsThatAreEvents(t *testing.T) {
	truncate := truncated()
	truncate.Version = 11
	for _, c := range []struct {
		name  string
		kind  format.Kind
		event schema.Event
		want  []string // key, operation, version, whether there is a value
	}{
		{"a create", format.Debezium, created("1", "T", "{}"), []string{`{"id":1} c 10 value`}},
		{"a delete and its tombstone", format.Debezium, deleted("1"), []string{`{"id":1} d 10 value`, `{"id":1} no event`}},
		{"a deleted row alone, where the tombstone is the event", format.JSON, deleted("1"), []string{`{"id":1} d 10 nothing`}},
		{"a moved row", format.Debezium, moving("1", "2"), []string{`{"id":1} d 9 value`, `{"id":1} no event`, `{"id":2} c 10 value`}},
		{"a moved row in texts", format.Text, moving("1", "2"), []string{`{"id":1} d 9 value`, `{"id":1} no event`, `{"id":2} c 10 value`}},
		{"a truncate", format.Debezium, truncate, []string{" t 11 value", " t 11 value", " t 11 value"}},
		{"a truncate of rows alone", format.JSON, truncate, []string{" t 11 nothing", " t 11 nothing", " t 11 nothing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range routed(t, docsRouter(Table{Format: format.Format{Kind: c.kind, Events: format.BinaryEvents}}, 0), c.event) {
				hs, line := headersOf(r), string(r.Key)+" no event"
				if id, isEvent := hs["ce_id"]; isEvent {
					_, version, _ := strings.Cut(id, ";version:")
					content := map[string]string{"": "nothing", "application/json": "value"}[hs["content-type"]]
					line = fmt.Sprintf("%s %s %s %s", r.Key, hs["ce_iodebeziumop"], version, content)
				}
				if (r.Value == nil) == strings.HasSuffix(line, " value") {
					t.Errorf("%s: the value is %q", line, r.Value)
				}
				if hs["penstock.lsn"] == "" {
					t.Errorf("%s: its own headers are gone", line)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMessagesThatAreEvents: those of an outbox are what the application says.
func TestMessagesThatAreEvents(t *testing.T) {
	var opened []string
	r := messageRouter(&opened)
	r.messages.cfg.Messages.Format.Events = format.BinaryEvents
	for prefix, want := range map[string]string{"order placed": "m", "outbox:other:k": ""} {
		records := routed(t, r, *message(prefix, "{}"))
		if got := headersOf(records[0])["ce_iodebeziumop"]; got != want {
			t.Errorf("%s: got operation %q, want %q", prefix, got, want)
		}
	}
}
