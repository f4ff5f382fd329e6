package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

// releaseSlice is how long a step works on a release of the owner of a partition, and more where one
// part takes longer.
const releaseSlice = 50 * time.Millisecond

// errReleasing says that a release is not through: the next step goes on with it.
var errReleasing = errors.New("waits for a release to end")

// releasing is a release on its way: part by part, between the batches of other partitions. Until it
// has ended its record stays uncommitted, and whoever owns the partition next does it again as a whole.
type releasing struct {
	offset int64 // of its record
	id     string
	chain  []*Filed // what it frees
	done   int      // how many of them are decided
}

// releaseProgress is how far a release is that is on its way.
func (o *owner) releaseProgress() Release {
	if o.releasing == nil {
		return Release{}
	}
	return Release{Letter: o.releasing.id, Done: o.releasing.done, Letters: len(o.releasing.chain)}
}

// release ends the waiting of a key: the letters that wait go to the stores in
// the order of their records, each with its own version, as if they came only
// now. Nothing of the key was applied since the first of them, so nothing newer
// is overwritten and nothing older comes back.
//
// The first that fails again is what the key waits for from then on. Everything
// is a function of the log and of the decisions: a crash repeats it, to the same end.
// The error is errReleasing when a part of it is done.
func (b *batch) release(ctx context.Context, r *kgo.Record, id string) error {
	b.next.Partition, b.next.Offset = r.Partition, r.Offset+1
	on := b.owner.releasing
	if on == nil || on.offset != r.Offset {
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
		chain, err := b.waiters(ctx, r, waits)
		if err != nil {
			return err
		}
		on = &releasing{offset: r.Offset, id: id, chain: chain}
		b.owner.releasing = on
		b.sink.log.Info("releases", zap.String(keyLetter, id), zap.Int(keyLetters, len(chain)))
	}
	failed, err := b.free(ctx, r.Key, on)
	if err != nil {
		return err
	}
	b.owner.releasing = nil
	if failed == nil {
		delete(b.owner.waiting, string(r.Key))
	} else {
		b.owner.waiting[string(r.Key)] = failed.ID
	}
	b.sink.cfg.reach(FailReleased)
	b.sink.log.Info("released", zap.String(keyLetter, id), zap.Int(keyLetters, on.done), zap.Bool(keyWaits, failed != nil))
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
	if err := b.sink.patience().Do(ctx, b.sink.kafka(), func(ctx context.Context) error { return b.sink.filed.with(ctx, find) }); err != nil || !freed {
		return "", err
	}
	return waits, nil
}

// waiters finds the letters that a release sets free.
func (b *batch) waiters(ctx context.Context, r *kgo.Record, id string) (chain []*Filed, err error) {
	found := false
	find := func(book *Book) {
		if head := book.Find(id); head != nil {
			found, chain = true, book.chain(head, r.Offset)
		}
	}
	if err := b.sink.patience().Do(ctx, b.sink.kafka(), func(ctx context.Context) error { return b.sink.filed.with(ctx, find) }); err != nil {
		return nil, err
	}
	if !found {
		return nil, &fault.Error{
			Kind: fault.Runtime, Where: fmt.Sprintf("pipeline %s: topic %s partition %d offset %d", b.sink.cfg.Pipeline, r.Topic, r.Partition, r.Offset),
			What: fmt.Sprintf("releases dead letter %s, which topic %s does not hold", id, b.sink.cfg.DeadLetterTopic),
			Why:  "the changes that it kept are lost", Fix: "backfill the tables, then skip the record by setting the group's offset behind it",
		}
	}
	return chain, nil
}

// free applies the letters of a chain, from where it stands, up to the first whose key has to wait on,
// and decides those that are in the stores.
func (b *batch) free(ctx context.Context, key []byte, on *releasing) (failed *Filed, err error) {
	// Within one record nothing waits for the end of a rejoin that the record itself began.
	atOnce := b.owner.atOnce
	b.owner.atOnce = 0
	defer func() { b.owner.atOnce = atOnce }()
	until := time.Now().Add(b.sink.cfg.releaseSlice)
	for part := range chunks(on.chain[on.done:], b.sink.cfg.Batch) {
		var whole []*Filed
		err := b.sink.patience().Do(ctx, b.sink.kafka(), func(ctx context.Context) (err error) {
			whole, err = b.sink.letters.load(ctx, part)
			return err
		})
		if err != nil {
			return nil, err
		}
		freed, failed, err := b.freeSome(ctx, key, whole)
		if err != nil {
			return nil, err
		}
		b.decide(freed, on.offset)
		if err := b.deliver(ctx); err != nil || failed != nil {
			on.done += len(freed)
			return failed, err
		}
		on.done += len(part)
		if b.owner.yields && on.done < len(on.chain) && time.Now().After(until) {
			return nil, errReleasing
		}
	}
	return nil, nil
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
