package sink_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/storetest"
)

// waitingKey has one letter of a bad event, behind which a content waits, and returns
// the letter's id and the value that would have been sound.
func waitingKey(r *rig, s *source, model *storetest.Model) (id string, sound []byte) {
	r.t.Helper()
	s.putContent(someContent(1, 100))
	s.put(someEvent(1, 1))
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	last := s.partitions[p][len(s.partitions[p])-1]
	sound = last.Value
	last.Value = replace(last.Value, `"2025`, `"infinity`)
	s.putContent(someContent(1, 50))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	return r.book().Heads()[0].ID, sound
}

// TestAnotherKeysValueKeepsTheKeyWaiting: a correction that is none of the key's fails,
// and the key waits on, or what comes behind the letter would be in the stores before it.
func TestAnotherKeysValueKeepsTheKeyWaiting(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	r.decide(id, sink.Order{State: deadletter.Retried, Value: replace(sound, storetest.ContentID(1).String(), storetest.ContentID(2).String())})
	r.runUntilDrained(r.letters(), model)
	if heads := r.book().Heads(); len(heads) != 1 || heads[0].ID != id {
		t.Errorf("keys wait for %v, want for letter %s", heads, id)
	}
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	if heads := r.book().Heads(); len(heads) != 0 {
		t.Errorf("keys wait for %v after the right correction", heads)
	}
}

// TestLetterOfAPipelineThatHasAnotherNameNow is retried as any other, and keeps its record.
func TestLetterOfAPipelineThatHasAnotherNameNow(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	renamed := r.letters()
	renamed.Pipeline = "renamed"
	r.decide(id, sink.Order{State: deadletter.Retried})
	r.runUntilDrained(renamed, model)
	if l := r.book().Find(id).Letter; len(l.Record.Value) == 0 || !l.Holds() {
		t.Fatalf("the letter has a record of %d bytes, and says %s", len(l.Record.Value), l.Reason)
	}
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(renamed, model)
	if heads := r.book().Heads(); len(heads) != 0 {
		t.Errorf("keys wait for %v after the correction", heads)
	}
}

// TestOneOrderRetriesALetterOnce, also one that has failed again before the order is done.
func TestOneOrderRetriesALetterOnce(t *testing.T) {
	const letters = 6
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	first := s.partitions[p][0]
	first.Value = []byte("{")
	for i := range letters - 1 {
		other := *first
		other.Key = fmt.Appendf(nil, "k%d", i)
		s.partitions[p] = append(s.partitions[p], &other)
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.run(running, r.letters(), model) }()
	box := r.letterbox()
	box.DecideAtOnce(letters - 1)
	decided, err := box.Decide(t.Context(), sink.Order{State: deadletter.Retried, Choose: func(b *sink.Book) ([]*sink.Filed, error) {
		for again := b; ; again = r.book() { // until what was retried has failed again
			heads := again.Heads()
			if len(heads) == letters {
				return heads, nil
			}
		}
	}})
	stop()
	if runErr := <-ended; err != nil || runErr != nil {
		t.Fatal(err, runErr)
	}
	times := map[string]int{}
	for _, f := range decided {
		times[f.ID]++
	}
	if len(decided) != letters || len(times) != letters {
		t.Errorf("%d decisions of %d letters, want one of each of %d", len(decided), len(times), letters)
	}
}
