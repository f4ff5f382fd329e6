package sink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// Read folds the whole topic, up to its end as of now, into a book; a topic that
// does not exist is an empty one.
func (b *Letterbox) Read(ctx context.Context) (*Book, error) {
	reading := newReading(b)
	return reading.book, reading.catchUp(ctx)
}

// reading is a book that is kept up with the topic. It may be used concurrently.
type reading struct {
	box   *Letterbox
	holds atomic.Bool // there are letters that keys wait for, or waited

	mu   sync.Mutex      // guards what follows
	book *Book           //
	next map[int32]int64 // by partition: the offset behind what the book holds
}

func newReading(box *Letterbox) *reading {
	return &reading{box: box, book: newBook(), next: make(map[int32]int64)}
}

// with brings the book up to the end of the topic as of now and works on it.
// Nothing of the book may be kept but copies.
func (r *reading) with(ctx context.Context, work func(*Book)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	work(r.book)
	return nil
}

// find returns a copy of a letter that the book holds already, nil for none.
func (r *reading) find(id string) *Filed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.book.Find(id); f != nil {
		return copies([]*Filed{f})[0]
	}
	return nil
}

// holding returns the letters that the book has already of records and that keys wait for behind these, by the records' offsets.
// The records are of one partition. The reading may be nil.
func (r *reading) holding(records []*kgo.Record) map[int64]string {
	if r == nil || !r.holds.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	held := make(map[int64]string)
	for _, record := range records {
		if f := r.book.holding(record); f != nil {
			held[record.Offset] = f.ID
		}
	}
	return held
}

// catchUp reads to the high watermark and waits for what is open below it: a
// decision and what it sent become visible together, but not at one instant.
func (r *reading) catchUp(ctx context.Context) error {
	client, err := r.box.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := r.box.ends(ctx, kadm.NewClient(client))
	if err != nil {
		return err
	}
	from := make(map[int32]kgo.Offset, len(ends))
	for p, end := range ends {
		switch next, found := r.next[p]; {
		case next == end:
			delete(ends, p)
		case next > end:
			return r.startAgain(ctx)
		case found:
			from[p] = kgo.NewOffset().At(next)
		default:
			from[p] = kgo.NewOffset().AtStart()
		}
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.box.cfg.Topic: from})
	for len(ends) > 0 {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			return r.box.fault("read topic "+r.box.cfg.Topic, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if end, found := ends[record.Partition]; found && record.Offset+1 >= end {
				delete(ends, record.Partition)
			}
			if r.next[record.Partition] = record.Offset + 1; !record.Attrs.IsControl() {
				r.book.take(record)
			}
		})
		r.holds.Store(len(r.book.held) > 0)
	}
	return nil
}

// startAgain reads a topic that is another than before.
func (r *reading) startAgain(ctx context.Context) error {
	clear(r.next)
	*r.book = *newBook()
	return r.catchUp(ctx)
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
