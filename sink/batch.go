package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/schema/record"
)

// maxErrorText bounds what a letter says of an error, in bytes.
const maxErrorText = 4 << 10

// batch is a run of a partition's records on its way: those that can be processed
// go to the stores, the others to dead letters, and then the offset moves on.
type batch struct {
	sink    *Sink
	owner   *owner
	entries []entry
	letters []posted
	held    map[int64]string // letters that keys wait for, by the offsets of their records
	next    Progress         // behind the last record that was taken
	done    Progress         // behind the last record that is durable; Offset 0 for none
}

// entry is a record with the change that it holds.
type entry struct {
	record *kgo.Record
	change change
	at     record.Coordinates
}

// take sorts in the next record of the partition. An error is the fault that
// stops the sink at it.
//
// A record whose letter a key waits for waits with it, whoever has filed it, also where it could be processed by
// now: so all who read the partition, one further than the other, come to the same, and to what the letters
// say when one goes on in another's place.
func (b *batch) take(r *kgo.Record) error {
	c, at, err := b.sink.decode(r)
	truncates := err == nil && c.truncate != nil
	if truncates {
		b.waitWith(r, at, &c, slices.Collect(maps.Keys(b.owner.waiting))...)
	}
	_, waits := b.owner.waiting[string(r.Key)]
	id, filed := b.held[r.Offset]
	switch {
	case filed && !waits:
		b.owner.waiting[string(r.Key)] = id
	case filed:
	case waits && !truncates:
		if err := b.refuse(r, at, errWaits); err != nil {
			return err
		}
	case err != nil:
		if err := b.refuse(r, at, err); err != nil {
			return err
		}
	default:
		b.owner.outlive(&c, r.Key)
		b.entries = append(b.entries, entry{record: r, change: c, at: at})
	}
	b.next.Partition, b.next.Offset = r.Partition, r.Offset+1
	if err == nil {
		b.next.LSN, b.next.Version, b.next.CommitTime = at.LSN, at.Version, c.commitTime
	}
	return nil
}

// flush makes everything that was taken durable: the rows in every store, the
// letters on Kafka.
func (b *batch) flush(ctx context.Context) error {
	entries := b.entries
	b.entries = nil
	for len(entries) > 0 {
		refused, err := b.apply(ctx, entries)
		if err == nil {
			break
		}
		if refused < 0 {
			return err
		}
		e := entries[refused]
		if !errors.Is(err, errHeld) {
			err = b.refuse(e.record, e.at, err)
		}
		if err != nil {
			if failed := b.deliver(ctx); failed != nil {
				return failed
			}
			if refused > 0 {
				b.stands(behindOf(&entries[refused-1]))
			}
			return err
		}
		// What it began to join again stays so, whatever becomes of the rest.
		if err := b.deliver(ctx); err != nil {
			return err
		}
		b.stands(behindOf(&e))
		if entries, err = b.behind(entries[refused+1:], e.record.Key); err != nil {
			return err
		}
	}
	if err := b.deliver(ctx); err != nil {
		return err
	}
	b.stands(b.next)
	return nil
}

// stands notes that everything below p is durable.
func (b *batch) stands(p Progress) {
	b.done = p
	b.owner.advance(p)
}

// behindOf is the progress when everything up to an entry is durable.
func behindOf(e *entry) Progress {
	return Progress{
		Partition: e.record.Partition, Offset: e.record.Offset + 1,
		LSN: e.at.LSN, Version: e.at.Version, CommitTime: e.change.commitTime,
	}
}

// behind returns the entries without those of a key whose record was refused
// before them: they wait for its letter.
func (b *batch) behind(entries []entry, key []byte) ([]entry, error) {
	kept := entries[:0:0]
	for _, e := range entries {
		switch {
		case e.change.truncate != nil:
			b.waitWith(e.record, e.at, &e.change, string(key))
		case bytes.Equal(e.record.Key, key):
			if err := b.refuse(e.record, e.at, errWaits); err != nil {
				return nil, err
			}
			continue
		}
		kept = append(kept, e)
	}
	return kept, nil
}

// waitWith leaves keys that wait at a truncation's place out of it, and lets the
// truncation wait with them, too.
func (b *batch) waitWith(r *kgo.Record, at record.Coordinates, c *change, keys ...string) {
	if len(keys) == 0 {
		return
	}
	if c.but == nil {
		c.but = make(map[string]bool, len(keys))
		b.post(r, at, &RecordError{Reason: deadletter.Waits, Err: errors.New("a truncation; keys of the partition wait")}, "")
	}
	for _, key := range keys {
		c.but[key] = true
	}
}

// apply makes entries durable in every store. When a record of them cannot be, or
// has to wait for a store, it finds the first such, makes those before it durable, and returns its index with
// its error; -1 says that the error is no record's.
func (b *batch) apply(ctx context.Context, entries []entry) (refused int, err error) {
	ofRecord := func(err error) bool { return asRecordError(err) != nil || errors.Is(err, errHeld) }
	err = b.store(ctx, entries)
	if err == nil || !ofRecord(err) {
		return -1, err
	}
	// Every prefix may be applied again: the stores keep what is newest. The last attempt has to be the one
	// that stands, for each takes back what the one before has begun to join again.
	sound, broken, stands := 0, len(entries), false
	for sound < broken-1 || sound > 0 && !stands {
		middle := (sound + broken) / 2
		switch failed := b.store(ctx, entries[:middle]); {
		case failed == nil:
			sound, stands = middle, true
		case !ofRecord(failed):
			return -1, failed
		default:
			if middle == sound { // a store was lost meanwhile
				sound = 0
			}
			broken, stands, err = middle, false, failed
		}
	}
	return sound, err
}

func (b *batch) store(ctx context.Context, entries []entry) error {
	changes := make([]change, len(entries))
	for i := range entries {
		changes[i] = entries[i].change
	}
	what := fmt.Sprintf("the stores, partition %d", b.owner.partition)
	return b.owner.patience.Do(ctx, what, func(ctx context.Context) error {
		err := b.owner.apply(ctx, changes)
		for err != nil && fault.KindOf(err) == fault.Unreachable && b.owner.leaveBehind(b.sink) {
			err = b.owner.apply(ctx, changes)
		}
		return err
	})
}

// refuse does with a record that cannot be processed what the policy says: it
// becomes a letter, or the error is the fault that stops the sink. One that waits
// is sound, and a letter under both.
func (b *batch) refuse(r *kgo.Record, at record.Coordinates, err error) error {
	cause := asRecordError(err)
	if cause == nil || b.sink.cfg.OnError != DeadLetter && cause.Reason != deadletter.Waits {
		return b.sink.refuse(r, at, err)
	}
	id := b.post(r, at, cause, b.owner.waiting[string(r.Key)])
	if cause.Reason.Holds() && r.Key != nil {
		b.owner.waiting[string(r.Key)] = id
	}
	return nil
}

// errWaits does not say for which letter, as another may come in its place.
var errWaits = reasoned(deadletter.Waits, errors.New("it waits for a dead letter of the same key"))

// post adds a record's letter and returns its id.
func (b *batch) post(r *kgo.Record, at record.Coordinates, cause *RecordError, behind string) string {
	l := &deadletter.Letter{
		Pipeline: b.sink.cfg.Pipeline, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(),
		LSN: at.LSN, Seq: at.Seq, Version: at.Version, Reason: cause.Reason, Error: clip(cause.Error()), Behind: behind, Time: time.Now(),
		Record: deadletter.Record{Key: r.Key, Value: r.Value},
	}
	for _, h := range r.Headers {
		l.Record.Headers = append(l.Record.Headers, deadletter.Header(h))
	}
	id := l.ID()
	// After a replay it may be there already: the owner has read the topic when it took over.
	b.letters = append(b.letters, posted{
		message: l.Message(), id: id, group: groupOf(l), reason: l.Reason, filed: b.sink.filed.find(id), where: b.sink.place(r, at),
	})
	return id
}

// clip is the beginning of a text that is too long, to a whole character.
func clip(text string) string {
	if len(text) <= maxErrorText {
		return text
	}
	end := maxErrorText
	for end > maxErrorText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// deliver writes the letters. Only then may the offset move past their records: a
// crash in between writes them again, as the same letters.
func (b *batch) deliver(ctx context.Context) error {
	if len(b.letters) == 0 {
		return nil
	}
	letters, err := b.sink.unfiled(ctx, b.letters)
	if err != nil {
		return err
	}
	if len(letters) > 0 {
		err = b.sink.patience().Do(ctx, b.sink.kafka(), func(ctx context.Context) error { return b.sink.letters.write(ctx, letters) })
	}
	if err != nil {
		return err
	}
	b.sink.meter.write(letters)
	b.letters = nil
	b.sink.cfg.reach(FailLettered)
	return nil
}

// unfiled leaves out the letters of records that wait where they are filed already. Another reader of the partition may
// have found since that a key waits for such a one itself; written again it would say that it does not, and
// whoever goes by the letters would let the key go on without it.
func (s *Sink) unfiled(ctx context.Context, letters []posted) (kept []posted, err error) {
	waits := func(p posted) bool { return p.reason == deadletter.Waits }
	if !slices.ContainsFunc(letters, waits) {
		return letters, nil
	}
	err = s.withBook(ctx, func(book *Book) {
		kept = slices.DeleteFunc(slices.Clone(letters), func(p posted) bool {
			f := book.Find(p.id)
			return waits(p) && f != nil && (f.Letter.Reason == deadletter.Waits || f.Letter.Holds())
		})
	})
	return kept, err
}

// decode types one record.
func (s *Sink) decode(r *kgo.Record) (change, record.Coordinates, error) {
	at, err := record.ParseCoordinates(func(key string) ([]byte, bool) { return header(r, key) })
	if err != nil {
		return change{}, at, reasoned(deadletter.BadHeaders, err)
	}
	c, err := decode(s.cfg.Plan, r.Key, r.Value, at.Version)
	c.offset = r.Offset
	return c, at, err
}

// place is a record's coordinates in words.
func (s *Sink) place(r *kgo.Record, at record.Coordinates) string {
	return fmt.Sprintf("pipeline %s: topic %s partition %d offset %d lsn %s", s.cfg.Pipeline, r.Topic, r.Partition, r.Offset, at.LSN)
}

// refuse is the fault that stops the sink at a record.
func (s *Sink) refuse(r *kgo.Record, at record.Coordinates, cause error) error {
	return &fault.Error{
		Kind: fault.KindOf(cause), Where: s.place(r, at), Err: cause,
		What: "record cannot be applied to the stores", Why: "going on would leave the stores different from the source",
		Fix: "if the record is sound, mend what the stores lack; else set on_error of the pipeline to dead-letter, " +
			"and decide the letter by penstock dlq (meanwhile penstock run --only capture keeps Kafka going)",
	}
}

func header(r *kgo.Record, key string) ([]byte, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}
