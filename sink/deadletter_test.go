package sink_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

// poison is a record of somebody who is not the capture, one for each way.
func poison(of *kgo.Record) map[deadletter.Reason]*kgo.Record {
	with := func(change func(*kgo.Record)) *kgo.Record {
		record := *of
		record.Headers = slices.Clone(of.Headers)
		change(&record)
		return &record
	}
	return map[deadletter.Reason]*kgo.Record{
		deadletter.BadHeaders:   with(func(r *kgo.Record) { r.Headers, r.Value = r.Headers[:2], []byte("\xff\x00 not JSON") }),
		deadletter.NullKey:      with(func(r *kgo.Record) { r.Key = nil }),
		deadletter.WrongKey:     with(func(r *kgo.Record) { r.Key = []byte("x") }),
		deadletter.UnknownTable: with(func(r *kgo.Record) { r.Value = bytes.ReplaceAll(r.Value, []byte(`"public"`), []byte(`"other"`)) }),
		deadletter.BadValue:     with(func(r *kgo.Record) { r.Key, r.Value = []byte("nobody's"), nil }),
	}
}

// TestPoisonBecomesLettersAndTheOthersFlow: of every kind, among the others, with
// a crash between letters and offsets; each is there once and as it was.
func TestPoisonBecomesLettersAndTheOthersFlow(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	kinds := poison(s.partitions[1][0])
	at := map[deadletter.Reason]int{}
	for reason, record := range kinds {
		at[reason] = len(s.partitions[1]) / 2
		s.partitions[1] = slices.Insert(s.partitions[1], at[reason], record)
	}
	r.produce(s, kgo.TryCommit)

	cfg := r.letters()
	ctx, crash := context.WithCancel(t.Context())
	cfg.Batch = 1000
	cfg.Failpoint = func(p sink.Failpoint) {
		if p == sink.FailLettered {
			crash()
		}
	}
	crashing, alive := uncommitted(r, cfg)
	if err := r.run(ctx, crashing, model); err != nil {
		t.Fatal(err)
	}
	alive()
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)

	book := r.book()
	got := map[deadletter.Reason]int{}
	for _, f := range book.All() {
		l := r.letter(f.ID).Letter
		got[l.Reason]++
		want := kinds[l.Reason]
		if !bytes.Equal(l.Record.Key, want.Key) || (l.Record.Key == nil) != (want.Key == nil) || !bytes.Equal(l.Record.Value, want.Value) || (l.Record.Value == nil) != (want.Value == nil) || len(l.Record.Headers) != len(want.Headers) {
			t.Errorf("%s: kept %q %q with %d headers", l.Reason, l.Record.Key, l.Record.Value, len(l.Record.Headers))
		}
		if l.Pipeline != "engagement" || l.Topic != "t" || l.Partition != 1 || l.Error == "" || f.State() != deadletter.Open {
			t.Errorf("got %+v", l)
		}
		if known := l.Reason != deadletter.BadHeaders; known && (l.LSN != 0x16B3748 || l.Version == 0) {
			t.Errorf("%s: at %s, version %d", l.Reason, l.LSN, l.Version)
		}
	}
	want := map[deadletter.Reason]int{}
	for reason := range kinds {
		want[reason] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("letters (-want +got):\n%s", diff)
	}
	written := map[string]int{}
	for _, record := range r.read("dead") {
		written[string(record.Key)]++
	}
	for _, f := range book.All() {
		want := 2 // the crash came between letters and offsets
		if f.Letter.Holds() {
			want = 1 // it is found
		}
		if n := written[string(f.Letter.Message().Key)]; n != want {
			t.Errorf("%s: the letter was written %d times, want %d", f.Letter.Reason, n, want)
		}
	}
}

// TestAKeyWaitsForItsLetter: what follows of a key waits, others do not; a
// corrected record and what waited end as if nothing had happened.
func TestAKeyWaitsForItsLetter(t *testing.T) {
	for _, c := range []struct {
		name    string
		discard bool
	}{{"retried with a corrected value", false}, {"discarded", true}} {
		t.Run(c.name, func(t *testing.T) {
			r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
			s.putContent(someContent(1, 100))
			s.putContent(someContent(2, 100))
			s.put(someEvent(1, 1))
			moved := someEvent(1, 1)
			moved.Time += 3_600_000_000
			s.put(moved)
			p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
			last := s.partitions[p][len(s.partitions[p])-1]
			sound := last.Value
			last.Value = replace(last.Value, `"2025`, `"infinity`)
			s.put(someEvent(2, 2))
			s.putContent(someContent(1, 50)) // would enrich the row that the letter replaces
			s.put(someEvent(3, 1))
			if c.discard {
				s.events[1] = someEvent(1, 1)
			}
			r.produce(s, kgo.TryCommit)
			r.runUntilDrained(r.letters(), model)

			var ids []string
			for _, f := range r.book().All() {
				ids = append(ids, f.ID)
			}
			heads := r.book().Heads()
			if len(ids) != 3 || len(heads) != 1 || heads[0].ID != ids[0] {
				t.Fatalf("letters %v, heads %v", ids, heads)
			}
			if rows := rowsOf(model); rows[2].ID != 2 || rows[1].LengthSeconds != engagement.Some(int64(100)) || len(rows) != 2 {
				t.Fatalf("rows while the key waits: %+v", rows)
			}
			order := sink.Order{State: deadletter.Retried, Value: sound, Note: "corrected"}
			if c.discard {
				order = sink.Order{State: deadletter.Discarded, Note: "not ours"}
			}
			r.decide(ids[0], order)
			r.runUntilDrained(r.letters(), model)
			wantEqual(t, s, model)
			for _, f := range r.book().All()[1:] {
				if f.State() != deadletter.Retried {
					t.Errorf("letter %s at offset %d is %s", f.ID, f.Letter.Offset, f.State())
				}
			}
			// The key waits no more, also for a sink that starts now.
			s.put(someEvent(4, 1))
			r.produce(s, kgo.TryCommit)
			r.runUntilDrained(r.letters(), model)
			wantEqual(t, s, model)
		})
	}
}

// TestDecisionsAreRefusedThatBreakTheOrder, and are made once.
func TestDecisionsAreRefusedThatBreakTheOrder(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	s.partitions[p][0].Value = []byte("{")
	s.put(someEvent(1, 1))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	all := r.book().All()
	try := func(id string, state deadletter.State) error {
		_, err := r.letterbox().Decide(t.Context(), sink.Order{State: state, Choose: func(b *sink.Book) ([]*sink.Filed, error) { return []*sink.Filed{b.Find(id)}, nil }})
		return err
	}
	wantFault(t, try(all[1].ID, deadletter.Retried), fault.Refused, "dead letter "+all[1].ID, "waits for "+all[0].ID)
	if err := try(all[0].ID, deadletter.Retried); err != nil {
		t.Fatal(err)
	}
	wantFault(t, try(all[0].ID, deadletter.Retried), fault.Refused, "was retried at 2", "penstock dlq list --state all shows it")
	wantFault(t, try(all[0].ID, deadletter.Discarded), fault.Refused, "was retried at 2", "penstock dlq list --state all shows it")
	// It fails again, and can be decided again.
	r.runUntilDrained(r.letters(), model)
	head := r.book().Find(all[0].ID)
	if head.State() != deadletter.Open || !strings.HasPrefix(head.Decision.Note, "failed again: envelope") {
		t.Fatalf("got %s, %+v", head.State(), head.Decision)
	}
	r.decide(all[0].ID, sink.Order{State: deadletter.Discarded})
	r.runUntilDrained(r.letters(), model)
	if rows := rowsOf(model); len(rows) != 1 {
		t.Errorf("rows %+v, want the event that waited", rows)
	}
}

// TestAKeyWaitsUnderThePolicyStop, too: what is sound and waits does not stop the
// sink, and the operator's word frees it.
func TestAKeyWaitsUnderThePolicyStop(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	sound := s.partitions[p][0].Value
	s.partitions[p][0].Value = []byte("{")
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	head := r.book().Heads()[0]
	s.put(someEvent(1, 1))
	s.put(someEvent(2, 2))
	r.produce(s, kgo.TryCommit)
	cfg := r.letters()
	cfg.OnError = sink.Stop
	r.runUntilDrained(cfg, model)
	if rows := rowsOf(model); len(rows) != 1 || rows[2].ID != 2 {
		t.Fatalf("rows %+v, want the one that does not wait", rows)
	}
	r.decide(head.ID, sink.Order{State: deadletter.Retried})
	for range 2 { // also when it starts again
		wantFault(t, r.run(t.Context(), cfg, model), fault.Runtime, "offset 0 lsn", "envelope: unexpected end")
	}
	r.decide(head.ID, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(cfg, model)
	wantEqual(t, s, model)
}

// TestAReleaseOfSomebodyElse is without effect: no letter waits for it. With a
// value it is a record like others.
func TestAReleaseOfSomebodyElse(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	release := []kgo.RecordHeader{{Key: deadletter.HeaderRelease, Value: []byte("0123456789abcdef")}}
	s.partitions[1] = append(s.partitions[1], &kgo.Record{Partition: 1, Key: []byte("k"), Headers: release},
		&kgo.Record{Partition: 1, Key: []byte("k"), Value: []byte("{"), Headers: release})
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)
	if all := r.book().All(); len(all) != 1 || all[0].Letter.Reason != deadletter.BadHeaders {
		t.Errorf("letters %+v, want the one with a value", all)
	}
}

// TestTwoOperatorsDecideALetterOnce, whoever of them comes first.
func TestTwoOperatorsDecideALetterOnce(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	for _, record := range poison(s.partitions[1][0]) {
		s.partitions[1] = append(s.partitions[1], record)
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	const operators = 4
	var done = make(chan int, operators) // one send each
	for range operators {
		go func() {
			decided, err := r.letterbox().Decide(t.Context(), sink.Order{State: deadletter.Discarded, Choose: func(b *sink.Book) ([]*sink.Filed, error) {
				return slices.DeleteFunc(b.All(), func(f *sink.Filed) bool { return f.State() != deadletter.Open }), nil
			}})
			if err != nil && fault.KindOf(err) != fault.Refused {
				t.Error(err)
			}
			done <- len(decided)
		}()
	}
	total := 0
	for range operators {
		total += <-done
	}
	for _, f := range r.book().All() {
		if f.State() != deadletter.Discarded {
			t.Errorf("letter %s is %s", f.ID, f.State())
		}
	}
	if want := len(r.book().All()); total != want {
		t.Errorf("%d decisions of %d letters", total, want)
	}
}

// TestARefusedWriteIsTheLetterOfItsRecord: the one record is found among those
// of its batch, and stops the sink or is retried once the store is mended.
func TestARefusedWriteIsTheLetterOfItsRecord(t *testing.T) {
	r, s, model, strict := newRig(t), played(), storetest.NewModel(), storetest.NewModel()
	e := someEvent(77, 3)
	e.Device = engagement.Some("refused")
	s.put(e)
	s.put(someEvent(78, 3))
	s.put(someEvent(79, 4))
	s.putContent(someContent(3, 333))
	r.produce(s, kgo.TryCommit)
	store := refusing{strict, new(atomic.Bool)}

	cfg := r.config()
	cfg.RejoinAtOnce = 100 // else what is joined again would hold the offset, too
	err := r.run(t.Context(), cfg, model, model, store)
	p := sink.PartitionOf(storetest.ContentID(3).String(), partitions)
	offset := slices.IndexFunc(s.partitions[p], func(k *kgo.Record) bool { return bytes.Contains(k.Value, []byte("refused")) })
	wantFault(t, err, fault.Runtime, "pipeline engagement: topic t partition ", "lsn 0/16B3748", "does not take it")
	if got := r.committed(p); got != int64(offset) {
		t.Errorf("a sink that stops committed offset %d, want that of the record, %d", got, offset)
	}

	r.runUntilDrained(r.letters(), model, model, store)
	all := r.book().All()
	if len(all) != 3 || all[0].Letter.Offset != int64(offset) || all[0].Letter.Reason != deadletter.Refused || all[1].Letter.Reason != deadletter.Waits || all[1].Letter.Behind != all[0].ID {
		t.Fatalf("got letters %+v", all)
	}
	_, err = r.letterbox().Decide(t.Context(), sink.Order{State: deadletter.Retried, Value: []byte("{}"), Choose: func(b *sink.Book) ([]*sink.Filed, error) { return b.Heads(), nil }})
	wantFault(t, err, fault.Refused, "another store may have taken this one")
	store.mended.Store(true)
	r.decide(all[0].ID, sink.Order{State: deadletter.Retried})
	r.runUntilDrained(r.letters(), model, model, store)
	wantEqual(t, s, strict)
	wantEqual(t, s, model)
}
