package deadletter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock/schema/deadletter"
)

func full() deadletter.Letter {
	return deadletter.Letter{
		Pipeline: "engagement_metrics", Topic: "penstock.engagement_metrics.input", Partition: 3, Offset: 1284, Timestamp: 1_756_138_420_436,
		LSN: 0x16_B374D848, Seq: 7, Version: 1_756_138_420_436_907, Reason: deadletter.BadValue, Error: "column event_ts: \"infinity\"\nis no time",
		Time: time.Date(2026, 11, 27, 10, 0, 0, 123_000, time.UTC),
		Record: deadletter.Record{
			Key: []byte("k\x00\xff"), Value: []byte("{\"before\":\xff"),
			Headers: []deadletter.Header{{"penstock.lsn", []byte("16/B374D848")}, {"a", nil}, {"a", []byte{}}, {deadletter.HeaderFormat, []byte("9")}, {deadletter.HeaderReason, []byte("mine")}},
		},
	}
}

func TestLettersAreReadAsWritten(t *testing.T) {
	cases := map[string]func(*deadletter.Letter){
		"whole":                 func(*deadletter.Letter) {},
		"of a capture":          func(l *deadletter.Letter) { l.Pipeline, l.Capture, l.Offset, l.Timestamp = "", "shop", -1, -1 },
		"without coordinates":   func(l *deadletter.Letter) { l.LSN, l.Seq, l.Version, l.Reason = 0, 0, 0, deadletter.BadHeaders },
		"null key and value":    func(l *deadletter.Letter) { l.Record.Key, l.Record.Value = nil, nil },
		"empty key and value":   func(l *deadletter.Letter) { l.Record.Key, l.Record.Value = []byte{}, []byte{} },
		"no headers":            func(l *deadletter.Letter) { l.Record.Headers = nil },
		"value left out":        func(l *deadletter.Letter) { l.Record.LeftOut = 5 << 20 },
		"waits":                 func(l *deadletter.Letter) { l.Reason, l.Behind, l.Error = deadletter.Waits, "0123456789abcdef", "" },
		"time of the past":      func(l *deadletter.Letter) { l.Time = time.Unix(0, 0).UTC() },
		"first of a topic":      func(l *deadletter.Letter) { l.Partition, l.Offset, l.Timestamp = 0, 0, 0 },
		"version without LSN":   func(l *deadletter.Letter) { l.LSN, l.Seq = 0, 0 },
		"reason of tomorrow":    func(l *deadletter.Letter) { l.Reason = "unheard-of" },
		"text that is not text": func(l *deadletter.Letter) { l.Error = "\xff\x00" },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			want := full()
			change(&want)
			m := want.Message()
			if m.Value == nil || string(m.Key) != want.ID() {
				t.Errorf("value %q, key %q: a compacted topic takes a null value for a deletion", m.Value, m.Key)
			}
			got, decision, err := deadletter.Parse(m)
			if err != nil || decision != nil {
				t.Fatalf("got %v, %v", decision, err)
			}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("(-written +read):\n%s", diff)
			}
		})
	}
}

func TestDecisionsAreReadAsWritten(t *testing.T) {
	at := time.Date(2026, 11, 27, 10, 0, 0, 1000, time.UTC)
	for _, want := range []deadletter.Decision{
		{ID: full2ID(), State: deadletter.Retried, Time: at, Sent: 2001, Value: []byte("{}")},
		{ID: full2ID(), State: deadletter.Discarded, Time: at, Sent: -1, Note: "a load test's"},
		{ID: full2ID(), State: deadletter.Open, Time: at, Sent: 0, Value: []byte{}},
	} {
		letter, got, err := deadletter.Parse(want.Message())
		if err != nil || letter != nil {
			t.Fatalf("got %v, %v", letter, err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

// TestRemovalsRemoveWhatTheyName: a compacted topic goes by the keys.
func TestRemovalsRemoveWhatTheyName(t *testing.T) {
	l := full()
	d := deadletter.Decision{ID: l.ID()}
	letter, decision := deadletter.Removals(l.ID())
	if string(letter.Key) != string(l.Message().Key) || string(decision.Key) != string(d.Message().Key) || letter.Value != nil || decision.Value != nil {
		t.Errorf("got %+v, %+v", letter, decision)
	}
	for want, m := range map[bool]deadletter.Message{false: letter, true: decision} {
		if id, ofDecision := deadletter.Removed(m); id != l.ID() || ofDecision != want {
			t.Errorf("%q removes %s, decision: %v", m.Key, id, ofDecision)
		}
	}
}

func full2ID() string { l := full(); return l.ID() }

// TestTheIDIsThePlace: what is written again is the same letter, and what lies
// elsewhere another. The golden value must never change: letters are kept for ever.
func TestTheIDIsThePlace(t *testing.T) {
	l := full()
	if got := l.ID(); got != "b8748a513367fb68" {
		t.Errorf("the id of a letter has become %s", got)
	}
	same := full()
	same.Time, same.Error, same.Reason, same.Behind, same.Record = time.Now(), "x", deadletter.Refused, "b", deadletter.Record{}
	if same.ID() != l.ID() {
		t.Error("the id depends on more than the place")
	}
	seen := map[string]string{l.ID(): "itself"}
	for name, change := range map[string]func(*deadletter.Letter){
		"pipeline": func(l *deadletter.Letter) { l.Pipeline = "x" }, "capture": func(l *deadletter.Letter) { l.Capture = "x" },
		"shifted name": func(l *deadletter.Letter) { l.Capture, l.Pipeline = l.Pipeline, "" }, "topic": func(l *deadletter.Letter) { l.Topic += "x" },
		"partition": func(l *deadletter.Letter) { l.Partition++ }, "offset": func(l *deadletter.Letter) { l.Offset++ },
		"timestamp": func(l *deadletter.Letter) { l.Timestamp++ }, "LSN": func(l *deadletter.Letter) { l.LSN++ },
		"seq": func(l *deadletter.Letter) { l.Seq++ }, "version": func(l *deadletter.Letter) { l.Version++ },
	} {
		other := full()
		change(&other)
		if twin, ok := seen[other.ID()]; ok {
			t.Errorf("another %s has the id of %s", name, twin)
		}
		seen[other.ID()] = name
	}
}

func TestBadMessagesAreErrors(t *testing.T) {
	with := func(key, value string) func(*deadletter.Message) {
		return func(m *deadletter.Message) {
			for i := len(m.Headers) - 1; i >= 0; i-- {
				if m.Headers[i].Key == key {
					m.Headers[i].Value = []byte(value)
					return
				}
			}
			m.Headers = append(m.Headers, deadletter.Header{Key: key, Value: []byte(value)})
		}
	}
	for _, c := range []struct {
		name   string
		change func(*deadletter.Message)
		want   string
	}{
		{"no headers", func(m *deadletter.Message) { m.Headers = nil }, "header penstock.dlq.format is missing"},
		{"of tomorrow", with(deadletter.HeaderFormat, "2"), "header penstock.dlq.format is \"2\", and this program knows 1"},
		{"another's key", func(m *deadletter.Message) { m.Key = []byte("x") }, "key \"x\" is not the letter's id"},
		{"no topic", with(deadletter.HeaderTopic, ""), "header penstock.dlq.topic: is missing"},
		{"no reason", with(deadletter.HeaderReason, ""), "header penstock.dlq.reason: is missing"},
		{"bad partition", with(deadletter.HeaderPartition, "-1"), "header penstock.dlq.partition: or offset or timestamp is missing or negative"},
		{"huge partition", with(deadletter.HeaderPartition, "9999999999"), "value out of range"},
		{"bad offset", with(deadletter.HeaderOffset, "1e3"), "header penstock.dlq.offset: strconv.ParseInt"},
		{"bad LSN", with(deadletter.HeaderLSN, "7"), "header penstock.dlq.lsn: lsn \"7\""},
		{"bad time", with(deadletter.HeaderTime, "now"), "header penstock.dlq.time: parsing time"},
		{"two origins", with(deadletter.HeaderCapture, "c"), "and not both"},
		{"negative length", with(deadletter.HeaderLeftOut, "-5"), "header penstock.dlq.left-out: is negative"},
		{"null with a value", with(deadletter.HeaderNull, "value"), "header penstock.dlq.null: stands on a record with a value"},
		{"state of nothing", func(m *deadletter.Message) { m.Key = append(m.Key, "/state"...) }, "header penstock.dlq.state: is missing"},
		{"unknown state", func(m *deadletter.Message) {
			m.Key = append(m.Key, "/state"...)
			with(deadletter.HeaderState, "lost")(m)
		}, "header penstock.dlq.state: \"lost\" is none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := full()
			m := l.Message()
			c.change(&m)
			letter, decision, err := deadletter.Parse(m)
			if err == nil || !strings.Contains(err.Error(), c.want) || letter != nil || decision != nil {
				t.Errorf("got %v, %v, %v", letter, decision, err)
			}
		})
	}
}

// FuzzParse: no message panics, and what is read is written as it was.
func FuzzParse(f *testing.F) {
	l := full()
	m := l.Message()
	f.Add(m.Key, m.Value, "b8748a513367fb68", "k", "v", uint8(3))
	f.Add([]byte("a/state"), []byte(nil), "open", deadletter.HeaderState, "open", uint8(0))
	f.Fuzz(func(t *testing.T, key, value []byte, reason, header, text string, drop uint8) {
		l := full()
		l.Reason, l.Record.Value = deadletter.Reason(reason), value
		m := l.Message()
		hurt := m
		hurt.Headers = append(append([]deadletter.Header{}, m.Headers...), deadletter.Header{Key: header, Value: []byte(text)})
		if i := int(drop) % len(hurt.Headers); drop > 0 {
			hurt.Headers = append(hurt.Headers[:i], hurt.Headers[i+1:]...)
		}
		for _, candidate := range []deadletter.Message{m, hurt, {Key: key, Value: value, Headers: hurt.Headers}} {
			letter, decision, err := deadletter.Parse(candidate)
			if err != nil {
				continue
			}
			var again deadletter.Message
			if letter != nil {
				again = letter.Message()
			} else {
				again = decision.Message()
			}
			letter2, decision2, err := deadletter.Parse(again)
			if err != nil {
				t.Fatalf("what was read cannot be read again: %v", err)
			}
			if diff := cmp.Diff(letter, letter2) + cmp.Diff(decision, decision2); diff != "" {
				t.Fatalf("(-read +read again):\n%s", diff)
			}
		}
	})
}
