package sink_test

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

// TestAReleaseAppliesItsOwnLettersOnly: those of an earlier incident of the key
// are older than what flowed since, and would enrich events with what was.
func TestAReleaseAppliesItsOwnLettersOnly(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	broken := func() (sound []byte) {
		last := s.partitions[p][len(s.partitions[p])-1]
		sound, last.Value = last.Value, []byte("{")
		return sound
	}
	mend := func(sound []byte) {
		t.Helper()
		r.produce(s, kgo.TryCommit)
		r.runUntilDrained(r.letters(), model)
		r.decide(r.book().Heads()[0].ID, sink.Order{State: deadletter.Retried, Value: sound})
		r.runUntilDrained(r.letters(), model)
	}
	s.putContent(someContent(1, 100))
	sound := broken()
	s.putContent(someContent(1, 50))
	mend(sound)
	s.putContent(someContent(1, 70))
	s.put(someEvent(1, 1))
	mend(broken())
	wantEqual(t, s, model)
}

// TestATruncationLeavesOutWhatWaits: it would write the stale row again, above the
// letter's version. The key is truncated in its turn.
func TestATruncationLeavesOutWhatWaits(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	s.put(someEvent(1, 1))
	changed := someEvent(1, 1)
	changed.DurationMS = engagement.Some(int64(7000))
	s.put(changed)
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	last := s.partitions[p][2]
	sound := last.Value
	last.Value = []byte("{")
	s.truncate("content")
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	r.decide(r.book().Heads()[0].ID, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)
}

// TestAnOperatorWhoIsOvertakenDecidesNothing: the letters that he has read may
// have been decided since.
func TestAnOperatorWhoIsOvertakenDecidesNothing(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	s.partitions[p][0].Value = []byte("{")
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	id, reads := r.book().Heads()[0].ID, 0
	decided, err := r.letterbox().Decide(t.Context(), sink.Order{State: deadletter.Retried, Choose: func(b *sink.Book) ([]*sink.Filed, error) {
		if reads++; reads == 1 {
			r.decide(id, sink.Order{State: deadletter.Discarded})
		}
		return []*sink.Filed{b.Find(id)}, nil
	}})
	wantFault(t, err, fault.Refused, "was discarded at")
	if f := r.book().Find(id); len(decided) != 0 || reads != 2 || f.State() != deadletter.Discarded {
		t.Errorf("%d letters decided after %d reads, the letter is %s", len(decided), reads, f.State())
	}
}

// TestAReplayFreesWhatAnotherReleaseFreed: what came behind a second dead letter, and passed with what came behind that, is refused alone in
// a replay, in which the second one was free before. The same release frees it.
func TestAReplayFreesWhatAnotherReleaseFreed(t *testing.T) {
	r, s, model, strict := newRig(t), newSource(partitions), storetest.NewModel(), storetest.NewModel()
	store := refusing{strict, new(atomic.Bool)}
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	sound := map[string][]byte{}
	broken := func(id int64) {
		s.put(someEvent(id, 1))
		last := s.partitions[p][len(s.partitions[p])-1]
		sound[string(last.Headers[3].Value)] = last.Value
		last.Value = []byte("{")
	}
	release := func() {
		t.Helper()
		head := r.book().Heads()[0]
		r.decide(head.ID, sink.Order{State: deadletter.Retried, Value: sound[string(r.letter(head.ID).Letter.Record.Headers[3].Value)]})
	}
	broken(1)
	broken(2)
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model, model, store)
	release()
	r.runUntilDrained(r.letters(), model, model, store)
	refused := someEvent(3, 1)
	refused.Device = engagement.Some("refused")
	s.put(refused)
	s.remove(3) // within a batch nothing of it is written
	s.put(someEvent(4, 1))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model, model, store)
	release()
	r.runUntilDrained(r.letters(), model, model, store)
	if heads := r.book().Heads(); len(heads) > 0 {
		t.Fatalf("%d letters wait: %+v", len(heads), heads[0].Letter)
	}
	wantEqual(t, s, strict)
	model, strict = storetest.NewModel(), storetest.NewModel()
	store = refusing{strict, new(atomic.Bool)}
	r.commit(p, 0)
	cfg := r.letters()
	cfg.Batch = 1
	r.runUntilDrained(cfg, model, model, store)
	// Alone, as one by one, it is refused again, and an operator is told.
	heads := r.book().Heads()
	if len(heads) != 1 || heads[0].Letter.Reason != deadletter.Refused {
		t.Fatalf("letters that wait: %+v", heads)
	}
	store.mended.Store(true)
	r.decide(heads[0].ID, sink.Order{State: deadletter.Retried})
	r.runUntilDrained(r.letters(), model, model, store)
	wantEqual(t, s, model)
	wantEqual(t, s, strict)
}
