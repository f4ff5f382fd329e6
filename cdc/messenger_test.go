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
	"penstock/schema/deadletter"
	"penstock/schema/record"
)

// messageRouter sends messages to a topic of their own and counts which it opens.
func messageRouter(opened *[]string) *Router {
	cfg := &Config{
		Name: "engagement", PositionTopic: "position", TransactionTopic: "transactions", DeadLetterTopic: "dead",
		Tables:   []Table{{Name: plainTable, Topic: "plain"}},
		Messages: Messages{Topic: "messages", Outbox: []string{"orders*", "other", "messages", "plain", "position", "transactions", "dead", "__*"}},
	}
	return newRouter(cfg, "db", layout{partitions: map[string]int32{"plain": 2, "dead": 1}}, func(_ context.Context, topic string) (topicInfo, error) {
		*opened = append(*opened, topic)
		switch topic {
		case "orders.forbidden":
			return topicInfo{}, &fault.Error{Kind: fault.Usage, Where: "topic " + topic, What: "cannot be created", Fix: "create it by hand"}
		case "orders.compacted":
			return topicInfo{partitions: 1, compacted: true}, nil
		case "orders.small":
			return topicInfo{partitions: 1, maxBytes: 100}, nil
		}
		return topicInfo{partitions: 5}, nil
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

// TestBadMessages stop the capture with their coordinates, or are dead letters.
func TestBadMessages(t *testing.T) {
	long := strings.Repeat("t", 250)
	const notAllowed = "is none that messages may name"
	for _, c := range []struct{ name, prefix, topic, key, want string }{
		{"the table's topic", "outbox:plain:1", "plain", "1", "topic plain is the capture's own"},
		{"the position's", "outbox:position:1", "position", "1", "topic position is the capture's own"},
		{"the transactions'", "outbox:transactions:1", "transactions", "1", "topic transactions is the capture's own"},
		{"the dead letters'", "outbox:dead:1", "dead", "1", "topic dead is the capture's own"},
		{"one of Kafka's", "outbox:__consumer_offsets:1", "__consumer_offsets", "1", "topic __consumer_offsets is Kafka's own"},
		{"one that is not listed", "outbox:order:1", "order", "1", "topic order " + notAllowed},
		{"no topic", "outbox::42", "?", "42", `"" is not the name of a topic`},
		{"nothing at all", "outbox:", "?", "", `"" is not the name of a topic`},
		{"a topic that Kafka does not take", "outbox:orders a:42", "orders a", "42", `"orders a" is not the name of a topic`},
		{"a topic that is a directory", "outbox:..", "..", "", `".." is not the name of a topic`},
		{"a topic with too long a name", "outbox:" + long, long, "", "is not the name of a topic"},
		{"octets that are no text", "outbox:orders\xff:\xfe", "orders\xff", "\xfe", `"orders\xff" is not the name of a topic`},
		{"a topic that cannot be made", "outbox:orders.forbidden:1", "orders.forbidden", "1", "topic orders.forbidden cannot be created"},
		{"a compacted topic without a key", "outbox:orders.compacted", "orders.compacted", "", "it has no key, and topic orders.compacted is compacted"},
		{"more than its topic takes", "outbox:orders.small:1", "orders.small", "1", "bytes, topic orders.small takes 100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := messageRouter(new([]string))
			e := message(c.prefix, "con\xfftent")
			records, err := r.Route(t.Context(), nil, e, 1)
			if fault.KindOf(err) != fault.Refused || len(records) > 0 {
				t.Fatalf("got %d records, %v", len(records), err)
			}
			for _, part := range []string{c.want, fmt.Sprintf("message %.300q at 0/300, change 4: ", c.prefix), "kafka.bad_messages: dead-letter"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
			r.messages.cfg.Messages.DeadLetters = true
			records = routed(t, r, *e)
			l := letterOf(t, records[0])
			got := []string{records[0].Topic, l.Capture, l.Topic, string(l.Record.Key), string(l.Record.Value), string(l.Reason), l.LSN.String()}
			if diff := cmp.Diff([]string{"dead", "engagement", c.topic, c.key, "con\xfftent", "bad-message", "0/300"}, got); diff != "" {
				t.Errorf("dead letter (-want +got):\n%s", diff)
			}
			if l.Seq != 4 || l.Version != 10 || !strings.Contains(l.Error, c.want) {
				t.Errorf("got %+v", l)
			}
		})
	}
}

// letterOf reads a dead letter.
func letterOf(t *testing.T, r *kgo.Record) *deadletter.Letter {
	t.Helper()
	m := deadletter.Message{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, deadletter.Header(h))
	}
	l, _, err := deadletter.Parse(m)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestMessagesThatAreTaken: without topics for them outboxes are nothing special.
func TestMessagesThatAreTaken(t *testing.T) {
	for _, c := range []struct {
		messages Messages
		said     bool // an ordinary message becomes a record
		outbox   bool // one for an outbox does
	}{
		{Messages{}, false, false},
		{Messages{Topic: "m"}, true, true},
		{Messages{Outbox: []string{"outbox.*"}}, false, true},
		{Messages{Topic: "m", Outbox: []string{"outbox.*"}}, true, true},
	} {
		if got := [2]bool{c.messages.takes("said"), c.messages.takes("outbox:x:1")}; got != [2]bool{c.said, c.outbox} {
			t.Errorf("%+v: got %v", c.messages, got)
		}
	}
	r := messageRouter(new([]string))
	r.messages.cfg.Messages.Outbox = nil
	if got := routed(t, r, *message("outbox:orders:1", "con\xfftent"))[0]; got.Topic != "messages" || kindOf(got) != "envelope" {
		t.Errorf("got %s in %s", kindOf(got), got.Topic)
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
	r := newRouter(cfg, "db", layout{}, func(_ context.Context, topic string) (topicInfo, error) {
		return topicInfo{}, fmt.Errorf("topic %s: %w", topic, down)
	})
	for _, deadLetters := range []bool{false, true} {
		cfg.Messages.DeadLetters = deadLetters
		if records, err := r.Route(t.Context(), nil, message("audit", ""), 1); !errors.Is(err, down) || len(records) > 0 {
			t.Errorf("got %d records, %v, want %v: asking again may help", len(records), err, down)
		}
	}
}

// TestMessagesHaveTheirTransaction where commits are marked, and their schema where
// it is asked for.
func TestMessagesHaveTheirTransaction(t *testing.T) {
	cfg := &Config{Messages: Messages{Topic: "messages", Format: format.Format{Schemas: true}}, MarkCommits: true}
	r := newRouter(cfg, "db", layout{}, func(context.Context, string) (topicInfo, error) { return topicInfo{partitions: 1}, nil })
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
