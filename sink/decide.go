package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

const (
	decisionTimeout = 30 * time.Second // after which Kafka aborts the transaction of an operator who is gone
	decisionChunk   = 500              // letters decided in one Kafka transaction
	decisionTries   = 5                // how often another operator may come between
	maxSent         = 64 << 20         // bytes of one record; the topics have limits of their own
)

// Order is what an operator decides of some letters.
type Order struct {
	State deadletter.State // Retried or Discarded
	Note  string           // the operator's reason
	Value []byte           // of a retry: replaces the record's value; nil leaves it
	Check bool             // of a retry without Value: refuse a record that would fail again as it is

	// Choose picks the letters. It is called again, with the topic as it is then,
	// when another operator came between. Its error ends the order.
	Choose func(*Book) ([]*Filed, error)
}

// Decide carries an order out and returns the letters that it decided, without
// their records and in the order of those. What is sent to the pipelines and what becomes of the
// letters is one Kafka transaction, begun before the letters are read and fenced
// by whoever begins after: two operators at once never decide one letter twice.
//
// Only an open letter can be decided. A letter that waits cannot be retried: what
// it waits for can.
func (b *Letterbox) Decide(ctx context.Context, order Order) ([]*Filed, error) {
	at := time.Now().Truncate(time.Microsecond)
	reading := newReading(b)
	var decided []*Filed
	done := map[string]bool{}
	for try := 1; ; {
		some, more, err := b.decideOnce(ctx, reading, order, at, done)
		switch {
		case fenced(err) && try < decisionTries:
			try++
			if err := pause(ctx, try); err != nil {
				return decided, err
			}
			continue
		case fenced(err):
			return decided, &fault.Error{
				Kind: fault.Refused, Where: b.where(), What: "other operators decide at the same time: nothing was done", Err: err, Fix: "try again",
			}
		case err != nil:
			return decided, err
		}
		decided = append(decided, some...)
		for _, f := range some {
			done[f.ID] = true
		}
		if !more {
			return decided, nil
		}
	}
}

// decideOnce decides up to a chunk of letters that are not done yet.
func (b *Letterbox) decideOnce(
	ctx context.Context, reading *reading, order Order, at time.Time, done map[string]bool,
) (decided []*Filed, more bool, err error) {
	client, err := b.client(
		kgo.TransactionalID("penstock.dlq."+b.cfg.Topic), kgo.TransactionTimeout(decisionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(maxSent),
	)
	if err != nil {
		return nil, false, err
	}
	defer client.Close()
	if _, _, err := client.ProducerID(ctx); err != nil { // fences, and ends what another left open
		return nil, false, b.fault("begin to decide", err)
	}
	if err := reading.catchUp(ctx); err != nil {
		return nil, false, err
	}
	chosen, err := order.Choose(reading.book)
	if err != nil {
		return nil, false, err
	}
	// An answer may have been lost: what bears this order's time is done. What failed again
	// meanwhile bears the sink's, and is for another order.
	chosen = slices.DeleteFunc(slices.Clone(chosen), func(f *Filed) bool {
		return done[f.ID] || f.Decision != nil && f.Decision.Time.Equal(at)
	})
	for _, f := range chosen {
		if err := b.allowed(&order, reading.book, f); err != nil {
			return nil, false, err
		}
	}
	for some := range chunks(chosen, b.chunk) {
		decided, err := b.whole(ctx, &order, some)
		if err == nil && order.Check {
			err = b.sound(decided)
		}
		if err == nil {
			err = b.transact(ctx, client, order, at, decided, reading.book.forgotten(at.Add(-keepDecided), b.chunk))
		}
		return decided, len(some) < len(chosen), err
	}
	return nil, false, nil
}

// whole returns copies of letters, with their records where those are sent.
func (b *Letterbox) whole(ctx context.Context, order *Order, letters []*Filed) ([]*Filed, error) {
	if slices.ContainsFunc(letters, func(f *Filed) bool {
		return f.corrected || order.Check || order.State == deadletter.Retried && !f.Letter.Holds()
	}) {
		return b.load(ctx, letters)
	}
	return copies(slices.Clone(letters)), nil
}

// allowed refuses what would break the order of a key, or cannot be done.
func (b *Letterbox) allowed(o *Order, book *Book, f *Filed) error {
	l := f.Letter
	refuse := func(what, fix string) error {
		return &fault.Error{Kind: fault.Refused, Where: "dead letter " + f.ID, What: what, Fix: fix}
	}
	switch {
	case f.State() != deadletter.Open:
		return refuse(fmt.Sprintf("was %s at %s", f.State(), f.Decision.Time.UTC().Format(time.RFC3339)),
			"penstock dlq list --state all shows it, without that what is open")
	case o.State == deadletter.Discarded:
		return nil
	case l.Capture != "":
		return refuse("is a capture's: its record never was in a topic",
			"mend the cause and write the row or the message again in the source, then discard the letter")
	case l.Reason == deadletter.Waits:
		if head := book.Queue().Head(f); head != nil {
			return refuse("waits for "+head.ID, "retry or discard that one")
		}
		return refuse("waits for the release of its key, which was sent", "see in a moment what penstock dlq list --waiting shows")
	case l.Reason == deadletter.Refused && o.Value != nil:
		return refuse("cannot be given another value: another store may have taken this one, with the same version",
			"mend the store and retry it as it is; or update the row in the source and discard the letter")
	}
	if o.Value == nil {
		return nil
	}
	return b.fits(f, o.Value, "with this value",
		fmt.Sprintf("penstock dlq show %s -o json prints the value that the record has; correct what its error names", f.ID))
}

// sound refuses letters whose records would fail again as they are.
func (b *Letterbox) sound(letters []*Filed) error {
	for _, f := range letters {
		value := f.Letter.Record.Value
		if f.corrected {
			value = f.Decision.Value
		}
		fix := fmt.Sprintf("penstock dlq retry %s --value FILE with a value that is mended, or penstock dlq discard %[1]s", f.ID)
		if err := b.fits(f, value, "as it is", fix); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses a value that is none for the letter's key: its record would fail
// again, with what waits for it. Of a pipeline that is not known it is not known.
func (b *Letterbox) fits(f *Filed, value []byte, how, fix string) error {
	l := f.Letter
	p, known := b.cfg.Plans[l.Topic]
	if !known || l.Record.LeftOut > 0 {
		return nil
	}
	if _, err := decode(p, l.Record.Key, value, l.Version); err != nil {
		return &fault.Error{Kind: fault.Refused, Where: "dead letter " + f.ID, What: "would fail again " + how, Err: err, Fix: fix}
	}
	return nil
}

// transact sends what the order makes of the letters and notes it, and removes
// those that are forgotten, all or nothing.
func (b *Letterbox) transact(ctx context.Context, client *kgo.Client, order Order, at time.Time, chosen, forgotten []*Filed) error {
	if err := client.BeginTransaction(); err != nil {
		return b.fault("begin a transaction", err)
	}
	for _, f := range chosen {
		d := deadletter.Decision{ID: f.ID, State: order.State, Time: at, Note: order.Note, Sent: -1}
		if d.Value = order.Value; d.Value == nil && f.Decision != nil {
			d.Value = f.Decision.Value
		}
		if sent := sentFor(f, &d); sent != nil {
			if err := b.send(ctx, client, sent); err != nil {
				return err
			}
			d.Sent = sent.Offset
		}
		if err := b.send(ctx, client, b.record(d.Message(), f.Home)); err != nil {
			return err
		}
		d.Value = nil
		f.Decision, f.Letter.Record.Value, f.Letter.Record.Headers = &d, nil, nil
	}
	for _, f := range forgotten {
		letter, decision := deadletter.Removals(f.ID)
		for _, removal := range []deadletter.Message{letter, decision} {
			if err := b.send(ctx, client, b.record(removal, f.Home)); err != nil {
				return err
			}
		}
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return b.fault("end the transaction", err)
	}
	return nil
}

// sentFor is what a decision sends to the letter's partition: the release of the
// key that waits for it, or the record again; nil for nothing.
func sentFor(f *Filed, d *deadletter.Decision) *kgo.Record {
	l := f.Letter
	r := &kgo.Record{Topic: l.Topic, Partition: l.Partition, Key: l.Record.Key}
	switch {
	case l.Holds():
		r.Headers = []kgo.RecordHeader{{Key: deadletter.HeaderRelease, Value: []byte(f.ID)}}
		return r
	case d.State != deadletter.Retried:
		return nil
	}
	if r.Value = l.Record.Value; d.Value != nil {
		r.Value = d.Value
	}
	for _, h := range l.Record.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: deadletter.HeaderRetry, Value: []byte(f.ID)})
	return r
}

// send produces one record within the transaction. On an error the transaction
// is aborted, by this client or by the next that begins. A record that is on its
// way outlives its context, so that is watched here.
func (b *Letterbox) send(ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	produced := make(chan error, 1) // one send
	client.Produce(ctx, r, func(_ *kgo.Record, err error) { produced <- err })
	var err error
	select {
	case err = <-produced:
	case <-ctx.Done():
		return b.fault("write to topic "+r.Topic, context.Cause(ctx))
	}
	if err == nil {
		return nil
	}
	if !fenced(err) && ctx.Err() == nil {
		err = errors.Join(err, client.EndTransaction(ctx, kgo.TryAbort))
	}
	return b.fault("write to topic "+r.Topic, err)
}

// fenced reports whether another operator has begun meanwhile.
func fenced(err error) bool {
	for _, sign := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.InvalidTxnState, kerr.TransactionAbortable} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}
