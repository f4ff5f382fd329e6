package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

// release ends the waiting of a key: the letters that wait go to the stores in
// the order of their records, each with its own version, as if they came only
// now. Nothing of the key was applied since the first of them, so nothing newer
// is overwritten and nothing older comes back.
//
// The first that fails again is what the key waits for from then on. Everything
// is a function of the log and of the decisions: a crash repeats it, to the same end.
func (b *batch) release(ctx context.Context, r *kgo.Record, id string) error {
	b.next.Partition, b.next.Offset = r.Partition, r.Offset+1
	key := string(r.Key)
	waits, err := b.frees(ctx, r, id)
	if err != nil {
		return err
	}
	if waits == "" {
		// A replay found the letter's record sound, or the key waits for an earlier one.
		b.sink.log.Info("nothing to release", zap.String(keyLetter, id))
		b.stands(b.next)
		return nil
	}
	chain, still, err := b.waiters(ctx, r, waits)
	if err != nil {
		return err
	}
	// Within one record nothing waits for the end of a rejoin that the record itself began.
	atOnce := b.owner.atOnce
	b.owner.atOnce = 0
	freed, failed, err := b.free(ctx, r.Key, chain)
	b.owner.atOnce = atOnce
	if err != nil {
		return err
	}
	switch {
	case failed != nil:
		b.owner.waiting[key] = failed.ID
	case still != "":
		b.owner.waiting[key] = still
	default:
		delete(b.owner.waiting, key)
	}
	b.decide(freed, r.Offset)
	if err := b.deliver(ctx); err != nil {
		return err
	}
	b.sink.cfg.reach(FailReleased)
	b.sink.log.Info("released", zap.String(keyLetter, id), zap.Int(keyLetters, len(freed)), zap.Bool(keyWaits, failed != nil || still != ""))
	b.stands(b.next)
	return nil
}

// frees is the letter that the key waits for, if a release of a letter frees it: it is that letter, or, in a
// replay that found the key free by then, one that the release has freed behind it. Empty for none.
func (b *batch) frees(ctx context.Context, r *kgo.Record, id string) (waits string, err error) {
	if waits = b.owner.waiting[string(r.Key)]; waits == id || waits == "" {
		return waits, nil
	}
	freed := false
	find := func(book *Book) {
		f := book.Find(waits)
		freed = f != nil && f.State() == deadletter.Retried && f.sent() == r.Offset
	}
	if err := b.sink.withBook(ctx, find); err != nil || !freed {
		return "", err
	}
	return waits, nil
}

// waiters finds the letters that a release sets free, and what the key still waits for behind it by the letters: a
// reader who came to the release before has found that it fails again, or it was decided later. Who reads
// again comes to the same, also where he could process it.
func (b *batch) waiters(ctx context.Context, r *kgo.Record, id string) (chain []*Filed, still string, err error) {
	found := false
	find := func(book *Book) {
		head := book.Find(id)
		if found = head != nil; !found {
			return
		}
		chain = book.chain(head, r.Offset)
		f := book.Find(book.waiting(r.Topic, r.Partition, r.Offset+1)[string(r.Key)])
		if f == nil || f.State() == deadletter.Open && b.sink.cfg.OnError != DeadLetter { // under that policy it is tried, and may stop the sink, again
			return
		}
		still = f.ID
		// It is no part of the chain itself if it was discarded.
		if n := slices.IndexFunc(chain, func(freed *Filed) bool { return inOrder(freed, f) >= 0 }); n >= 0 {
			chain = chain[:n]
		}
	}
	if err := b.sink.withBook(ctx, find); err != nil {
		return nil, "", err
	}
	if !found {
		return nil, "", &fault.Error{
			Kind: fault.Runtime, Where: fmt.Sprintf("pipeline %s: topic %s partition %d offset %d", b.sink.cfg.Pipeline, r.Topic, r.Partition, r.Offset),
			What: fmt.Sprintf("releases dead letter %s, which topic %s does not hold", id, b.sink.cfg.DeadLetterTopic),
			Why:  "the changes that it kept are lost", Fix: "backfill the tables, then skip the record by setting the group's offset behind it",
		}
	}
	return chain, still, nil
}

// free applies the letters of a chain up to the first whose key has to wait on.
// It returns those that are in the stores, without their records.
func (b *batch) free(ctx context.Context, key []byte, chain []*Filed) (freed []*Filed, failed *Filed, err error) {
	for part := range chunks(chain, b.sink.cfg.Batch) {
		var whole []*Filed
		err := b.sink.patience().Do(ctx, b.sink.kafka(), func(ctx context.Context) (err error) {
			whole, err = b.sink.letters.load(ctx, part)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		some, failed, err := b.freeSome(ctx, key, whole)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range some {
			f.Letter.Record.Value, f.Letter.Record.Headers = nil, nil
		}
		if freed = append(freed, some...); failed != nil {
			return freed, failed, nil
		}
	}
	return freed, nil, nil
}

// freeSome is free with letters as a whole.
func (b *batch) freeSome(ctx context.Context, key []byte, letters []*Filed) (freed []*Filed, failed *Filed, err error) {
	var entries []entry
	var behind []*Filed // the letters of entries
	for i, f := range letters {
		e, err := b.entryOf(f, key)
		if err == nil {
			entries, behind = append(entries, e), append(behind, f)
		}
		if last := i == len(letters)-1; err == nil && !last {
			continue
		}
		n, refusal := b.applyFreed(ctx, entries)
		freed = append(freed, behind[:n]...)
		switch {
		case refusal != nil && asRecordError(refusal) == nil:
			return nil, nil, refusal
		case refusal != nil:
			return freed, behind[n], b.failAgain(ctx, entries[n], behind[n], refusal)
		case err != nil:
			if err := b.failAgain(ctx, e, f, err); err != nil {
				return nil, nil, err
			}
			if f.Letter.Reason.Holds() || asRecordError(err).Reason.Holds() {
				return freed, f, nil
			}
		}
		entries, behind = nil, nil
	}
	return freed, nil, nil
}

// applyFreed returns how many of the entries are in the stores.
func (b *batch) applyFreed(ctx context.Context, entries []entry) (int, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	refused, err := b.apply(ctx, entries)
	if err == nil {
		return len(entries), nil
	}
	return max(refused, 0), err
}

// entryOf is a letter's record as it came, with the value that an operator gave
// it. A truncation, which other keys did not wait for, is the released key's alone.
func (b *batch) entryOf(f *Filed, key []byte) (entry, error) {
	l := f.Letter
	r := &kgo.Record{
		Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, Timestamp: time.UnixMilli(l.Timestamp), Key: l.Record.Key, Value: l.Record.Value,
	}
	for _, h := range l.Record.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	if f.Decision != nil && f.Decision.Value != nil {
		r.Value = f.Decision.Value
	}
	c, at, err := b.sink.decode(r)
	c.offset = b.next.Offset - 1
	if c.truncate != nil {
		only := string(key)
		c.only = &only
	} else if err == nil {
		b.owner.outlive(&c, key)
	}
	return entry{record: r, change: c, at: at}, err
}

// failAgain writes of a letter what its record fails of now, and opens it again
// for the next decision. It returns the fault if the policy is to stop.
func (b *batch) failAgain(ctx context.Context, e entry, f *Filed, err error) error {
	cause := asRecordError(err)
	l := *f.Letter
	l.Error, l.Behind, l.Time = clip(cause.Error()), "", time.Now()
	if !f.Letter.Reason.Holds() || cause.Reason.Holds() {
		l.Reason = cause.Reason
	} // else another value was given that is none of the key's: the key waits on
	b.letters = append(b.letters, posted{message: l.Message(), filed: f, where: b.sink.place(e.record, e.at)})
	// What is open already is not opened again: an operator may be deciding it.
	if d := f.Decision; d != nil && d.State != deadletter.Open {
		again := deadletter.Decision{ID: f.ID, State: deadletter.Open, Time: time.Now(), Note: "failed again: " + l.Error, Sent: d.Sent, Value: d.Value}
		b.letters = append(b.letters, posted{message: again.Message(), filed: f, where: f.ID})
	}
	if b.sink.cfg.OnError == DeadLetter {
		return nil
	}
	return errors.Join(b.deliver(ctx), b.sink.refuse(e.record, e.at, err))
}

// decide notes of the letters that are in the stores that they are.
func (b *batch) decide(freed []*Filed, release int64) {
	for _, f := range freed {
		if f.State() == deadletter.Retried {
			continue
		}
		if f.Letter.Record.Key == nil && len(b.owner.waiting) > 0 {
			continue // a truncation that other keys wait for, too
		}
		d := deadletter.Decision{ID: f.ID, State: deadletter.Retried, Time: time.Now(), Sent: release}
		b.letters = append(b.letters, posted{message: d.Message(), filed: f, where: f.ID})
	}
}
