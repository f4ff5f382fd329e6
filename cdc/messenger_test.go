package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// messageRouter sends messages to a topic of their own and counts which it opens.
func messageRouter(opened *[]string) *Router {
	cfg := &Config{
		Name: "engagement", PositionTopic: "position", TransactionTopic: "transactions", DeadLetterTopic: "dead",
		Tables:   []Table{{Name: plainTable, Topic: "plain"}},
		Messages: Messages{Topic: "messages"},
	}
	return newRouter(cfg, "db", layout{partitions: map[string]int32{"plain": 2}}, func(_ context.Context, topic string) (int32, error) {
		*opened = append(*opened, topic)
		return 5, nil
	})
}

func message(prefix, content string) *schema.Event {
	return &schema.Event{
		Op: schema.OpMessage, Message: &schema.Message{Prefix: prefix, Content: []byte(content), Transactional: true},
		Source: schema.Source{CommitLSN: 0x300, Seq: 4, TotalSeq: 4, XID: 9, CommitTime: 1000}, Version: 10,
	}
}

func TestMessagesAreRouted(t *testing.T) {
	for _, c := range []struct{ name, prefix, topic, key, value string }{
		{"of nobody's convention", "audit", "messages", `{"prefix":"audit"}`, "envelope"},
		{"for an outbox", "outbox:orders.v1:42", "orders.v1", "42", "content"},
		{"for an outbox, with colons in the key", "outbox:orders:eu:42:", "orders", "eu:42:", "content"},
		{"for an outbox, with an empty key", "outbox:orders:", "orders", "no key", "content"},
		{"for an outbox, without a key", "outbox:orders", "orders", "no key", "content"},
		{"for the topic of messages itself", "outbox:messages:1", "messages", "1", "content"},
		{"for no topic", "outbox::42", "messages", `{"prefix":"outbox::42"}`, "envelope"},
		{"for a topic that Kafka does not take", "outbox:a b:42", "messages", `{"prefix":"outbox:a b:42"}`, "envelope"},
		{"for a topic that is a directory", "outbox:.:42", "messages", `{"prefix":"outbox:.:42"}`, "envelope"},
		{"for another that is one", "outbox:..", "messages", `{"prefix":"outbox:.."}`, "envelope"},
		{"for a topic with too long a name", "outbox:" + strings.Repeat("t", 250), "messages", `{"prefix":"outbox:` + strings.Repeat("t", 250) + `"}`, "envelope"},
		{"with almost the prefix", "Outbox:orders:1", "messages", `{"prefix":"Outbox:orders:1"}`, "envelope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var opened []string
			r := messageRouter(&opened)
			for range 2 { // the second finds the topic open
				records, err := r.Route(t.Context(), nil, message(c.prefix, "con\xfftent"), 1)
				if err != nil || len(records) != 1 {
					t.Fatalf("got %d records, %v", len(records), err)
				}
				got := records[0]
				if diff := cmp.Diff([]string{c.topic, c.key, c.value}, []string{got.Topic, keyOf(got), kindOf(got)}); diff != "" {
					t.Errorf("record (-want +got):\n%s", diff)
				}
				if want := newTopicRef(c.topic, 5).partition(got.Key); got.Partition != want {
					t.Errorf("got partition %d, want %d", got.Partition, want)
				}
				want := map[string]string{record.HeaderLSN: "0/300", record.HeaderSeq: "4", record.HeaderXID: "9", record.HeaderVersion: "10"}
				if diff := cmp.Diff(want, headersOf(got)); diff != "" {
					t.Errorf("headers (-want +got):\n%s", diff)
				}
			}
			if !slices.Equal(opened, []string{c.topic}) {
				t.Errorf("opened %q, want %s once", opened, c.topic)
			}
		})
	}
}

func keyOf(r *kgo.Record) string {
	if r.Key == nil {
		return "no key"
	}
	return string(r.Key)
}

// kindOf tells the content itself from the envelope around it.
func kindOf(r *kgo.Record) string {
	value := string(r.Value)
	switch {
	case value == "con\xfftent":
		return "content"
	case strings.Contains(value, `"op":"m"`) && strings.Contains(value, `"content":"Y29u/3RlbnQ="`):
		return "envelope"
	}
	return value
}

func TestOutboxMayNotNameTheCapturesTopics(t *testing.T) {
	for _, topic := range []string{"plain", "position", "transactions", "dead"} {
		t.Run(topic, func(t *testing.T) {
			var opened []string
			records, err := messageRouter(&opened).Route(t.Context(), nil, message("outbox:"+topic+":1", ""), 1)
			if fault.KindOf(err) != fault.Refused || len(records)+len(opened) > 0 {
				t.Fatalf("got %d records, %q opened, %v", len(records), opened, err)
			}
			for _, part := range []string{"topic " + topic + " is the capture's own", "outbox:" + topic + ":1", "0/300"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
		})
	}
}

// TestOutboxValueIsTheContent: an empty one is an empty value, not a tombstone.
func TestOutboxValueIsTheContent(t *testing.T) {
	var opened []string
	e := message("outbox:orders:1", "before")
	records, err := messageRouter(&opened).Route(t.Context(), nil, e, 1)
	if err != nil {
		t.Fatal(err)
	}
	copy(e.Message.Content, "AFTER!") // the event may be reused
	if got := string(records[0].Value); got != "before" {
		t.Errorf("got %q, want a copy of the content", got)
	}
	records, err = messageRouter(&opened).Route(t.Context(), nil, message("outbox:orders:1", ""), 1)
	if err != nil || records[0].Value == nil || len(records[0].Value) != 0 {
		t.Errorf("got %v, %v, want a value of no bytes", records[0].Value, err)
	}
}

func TestTopicThatCannotBeOpened(t *testing.T) {
	down := errors.New("down")
	cfg := &Config{Messages: Messages{Topic: "messages"}}
	r := newRouter(cfg, "db", layout{}, func(_ context.Context, topic string) (int32, error) {
		return 0, fmt.Errorf("topic %s: %w", topic, down)
	})
	if _, err := r.Route(t.Context(), nil, message("audit", ""), 1); !errors.Is(err, down) {
		t.Errorf("got %v, want %v", err, down)
	}
}

// TestMessagesHaveTheirTransaction where commits are marked, and their schema where
// it is asked for.
func TestMessagesHaveTheirTransaction(t *testing.T) {
	cfg := &Config{Messages: Messages{Topic: "messages", Format: format.Format{Schemas: true}}, MarkCommits: true}
	r := newRouter(cfg, "db", layout{}, func(context.Context, string) (int32, error) { return 1, nil })
	records, err := r.Route(t.Context(), nil, message("audit", ""), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`{"schema":{`, `"payload":{`, `"transaction":{"id":"9:768","total_order":5,"data_collection_order":1}`} {
		if !strings.Contains(string(records[0].Value), part) {
			t.Errorf("no %s in %s", part, records[0].Value)
		}
	}
}
