package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

// Read folds the whole topic, up to its end as of now, into a book; a topic that
// does not exist is an empty one. keep says which letters are wanted with their
// record's value and headers; the others have only their key.
//
// It reads to the high watermark and waits for what is open below it: a decision
// and what it sent become visible together, but not at one instant.
func (b *Letterbox) Read(ctx context.Context, keep func(*deadletter.Letter) bool) (*Book, error) {
	book := newBook()
	client, err := b.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := b.ends(ctx, kadm.NewClient(client))
	if err != nil {
		return nil, err
	}
	from := make(map[int32]kgo.Offset, len(ends))
	for p := range ends {
		from[p] = kgo.NewOffset().AtStart()
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{b.cfg.Topic: from})
	for len(ends) > 0 {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			return nil, b.fault("read topic "+b.cfg.Topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
			if !r.Attrs.IsControl() {
				book.take(r, keep)
			}
		})
	}
	return book, nil
}

// ends returns the high watermark of each partition that holds anything.
func (b *Letterbox) ends(ctx context.Context, admin *kadm.Client) (map[int32]int64, error) {
	starts, err := admin.ListStartOffsets(ctx, b.cfg.Topic)
	if err != nil {
		return nil, b.fault("list offsets", err)
	}
	listed, err := admin.ListEndOffsets(ctx, b.cfg.Topic)
	if err != nil {
		return nil, b.fault("list offsets", err)
	}
	ends := make(map[int32]int64)
	for p, end := range listed[b.cfg.Topic] {
		if errors.Is(end.Err, kerr.UnknownTopicOrPartition) {
			return ends, nil
		}
		if end.Err != nil {
			return nil, b.fault("list offsets", end.Err)
		}
		if start, found := starts.Lookup(b.cfg.Topic, p); found && start.Offset < end.Offset {
			ends[p] = end.Offset
		}
	}
	return ends, nil
}

// take files one record of the topic.
func (b *Book) take(r *kgo.Record, keep func(*deadletter.Letter) bool) {
	m := deadletter.Message{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, deadletter.Header(h))
	}
	l, d, err := deadletter.Parse(m)
	if err != nil {
		l, d = nil, nil
	}
	if l != nil && !keep(l) {
		l.Record.Value, l.Record.Headers = nil, nil
	}
	b.add(r.Partition, l, d)
}

// kafkaFault classes an error of Kafka: refused credentials and rights are for
// the operator, the rest of what Kafka answers is final unless Kafka itself says
// that it passes, and no answer may pass. rights is what the user must be allowed.
func kafkaFault(where, rights, doing string, err error) error {
	f := &fault.Error{Kind: fault.Unreachable, Where: where, What: doing, Err: err,
		Fix: "check that the brokers in kafka.brokers run and can be reached"}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return f
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		f.Kind, f.Fix = fault.Usage, "set the user and password that Kafka knows"
	case errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		f.Kind = fault.Usage
		f.Fix = fmt.Sprintf("allow the user %s", rights)
	case !code.Retriable && !movedAway(err):
		f.Kind, f.Fix = fault.Runtime, "see the broker's log"
	}
	return f
}
