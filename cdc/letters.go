package cdc

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
)

// letters makes the dead letters of a capture: of what cannot be delivered, with its
// place, the reason and, as far as the topic takes it, the record.
type letters struct {
	capture string
	topic   topicRef
}

// letter is a record that cannot be delivered.
type letter struct {
	event     *schema.Event
	topic     string // where it would have gone
	partition int32
	key       []byte
	value     []byte
	headers   []kgo.RecordHeader
	reason    deadletter.Reason
	why       error
	nowMicros int64

	// What stands for a value that the topic of dead letters does not take, or that was
	// not made: it would have had at least so many bytes.
	about   []byte
	leftOut int
}

// longestReason is how much of an error a dead letter keeps, in bytes.
const longestReason = 8 << 10

// write makes the dead letter. An error says that not even its place fits.
func (l *letters) write(x letter) (*kgo.Record, error) {
	e := x.event
	d := deadletter.Letter{
		Capture: l.capture, Topic: x.topic, Partition: x.partition, Offset: -1, Timestamp: -1,
		LSN: e.Source.CommitLSN, Seq: e.Source.Seq, Version: e.Version,
		Reason: x.reason, Error: x.why.Error(), Time: time.UnixMicro(x.nowMicros).UTC(),
		Record: deadletter.Record{Key: x.key, Value: x.value, LeftOut: x.leftOut},
	}
	if d.Topic == "" {
		d.Topic = "?" // the message names none
	}
	if len(d.Error) > longestReason {
		d.Error = strings.ToValidUTF8(d.Error[:longestReason], "")
	}
	for _, h := range x.headers {
		d.Record.Headers = append(d.Record.Headers, deadletter.Header(h))
	}
	limit := int(l.topic.maxBytes)
	if x.leftOut > 0 {
		d.Record.Value = x.about
	}
	r := l.record(&d)
	if limit > 0 && size(r) > limit && x.leftOut == 0 {
		d.Record.Value, d.Record.LeftOut = x.about, len(x.value)
		r = l.record(&d)
	}
	if limit > 0 && size(r) > limit {
		boundNames(&d)
		r = l.record(&d)
	}
	if limit > 0 && size(r) > limit {
		return nil, &fault.Error{
			Kind: fault.Refused, Where: fmt.Sprintf("commit %s, change %d", e.Source.CommitLSN, e.Source.Seq),
			What: fmt.Sprintf("not even what a dead letter says of it fits: topic %s takes %d bytes", l.topic.name, limit), Err: x.why,
			Fix: "raise max.message.bytes of the topic of dead letters",
		}
	}
	return r, nil
}

// Of names that do not fit a dead letter keeps so many bytes.
const (
	keptName  = 249 // as many as a topic's may have
	keptBytes = 1 << 10
)

// boundNames cuts what is as long as whoever wrote the change made it: the topic that it names,
// and its key, of which the hash is left, also in headers.
func boundNames(d *deadletter.Letter) {
	if len(d.Topic) > keptName {
		d.Topic = strings.ToValidUTF8(d.Topic[:keptName], "") + "..."
	}
	if len(d.Record.Key) > keptBytes {
		d.Record.Key = hashed(d.Record.Key)
	}
	for i := range d.Record.Headers {
		if h := &d.Record.Headers[i]; len(h.Value) > keptBytes {
			h.Value = hashed(h.Value)
		}
	}
}

func hashed(data []byte) []byte {
	return fmt.Appendf(nil, "%d bytes, SHA-256 %x", len(data), sha256.Sum256(data))
}

func (l *letters) record(d *deadletter.Letter) *kgo.Record {
	m := d.Message()
	r := &kgo.Record{Topic: l.topic.name, Partition: l.topic.partition(m.Key), Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}
