package sink_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/plan"
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
	if l := r.letter(id).Letter; len(l.Record.Value) == 0 || !l.Holds() {
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

// TestALetterStaysInItsPartition, whatever becomes of the topic's partitions: what is
// said of it later would else stand beside it, and not after it.
func TestALetterStaysInItsPartition(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	if _, err := kadm.NewClient(r.client()).CreatePartitions(t.Context(), 50, "dead"); err != nil {
		t.Fatal(err)
	}
	r.decide(id, sink.Order{State: deadletter.Retried}) // and fails again
	r.runUntilDrained(r.letters(), model)
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)
	records := r.read("dead")
	for _, record := range records {
		if record.Partition != 0 {
			t.Errorf("record %s is in partition %d, its letter in 0", record.Key, record.Partition)
		}
	}
	if len(records) != 7 { // 2 letters; retried; the letter and its state, open; retried; that the other is in the stores
		t.Errorf("%d records, want 7", len(records))
	}
}

// TestWhatWaitsKeepsItsOrderUnderAnotherName of the pipeline.
func TestWhatWaitsKeepsItsOrderUnderAnotherName(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	renamed := r.letters()
	renamed.Pipeline = "another" // which sorts before the first
	for n := range int64(renamed.Batch) {
		s.putContent(someContent(1, 70+n))
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(renamed, model)
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(renamed, model)
	wantEqual(t, s, model)
}

// TestAnotherKeysValueIsRefused before it is sent, where the pipeline is known.
func TestAnotherKeysValueIsRefused(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	box := sink.NewLetterbox(sink.LetterboxConfig{Brokers: r.cluster.ListenAddrs(), Topic: "dead", Plans: map[string]*plan.Plan{
		"t": plan.Engagement(schema.TableName{Schema: "public", Name: "engagement_events"}, schema.TableName{Schema: "public", Name: "content"}, ""),
	}})
	retry := func(value []byte) error {
		_, err := box.Decide(t.Context(), sink.Order{State: deadletter.Retried, Value: value, Check: value == nil, Choose: func(b *sink.Book) ([]*sink.Filed, error) {
			return []*sink.Filed{b.Find(id)}, nil
		}})
		return err
	}
	for value, says := range map[string]string{
		string(replace(sound, storetest.ContentID(1).String(), storetest.ContentID(2).String())): "is not the row's join key",
		"{": "unexpected end of JSON",
	} {
		wantFault(t, retry([]byte(value)), fault.Refused, "dead letter "+id+": would fail again with this value", says)
	}
	wantFault(t, retry(nil), fault.Refused, "dead letter "+id+": would fail again as it is", "infinity")
	if f := r.book().Find(id); f.Decision != nil {
		t.Errorf("the letter is decided: %+v", f.Decision)
	}
	if err := retry(sound); err != nil {
		t.Fatal(err)
	}
}

// TestWhatWaitsNamesTheLetterOfNow: once the first was decided, another of the key may be waited for.
func TestWhatWaitsNamesTheLetterOfNow(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, _ := waitingKey(r, s, model)
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	s.put(someEvent(2, 1))
	s.partitions[p][len(s.partitions[p])-1].Value = []byte("{")
	s.put(someEvent(3, 1))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	last := func(b *sink.Book) ([]*sink.Filed, error) { return b.All()[3:], nil }
	retry := func() error {
		_, err := r.letterbox().Decide(t.Context(), sink.Order{State: deadletter.Retried, Choose: last})
		return err
	}
	wantFault(t, retry(), fault.Refused, "waits for "+id)
	r.decide(id, sink.Order{State: deadletter.Discarded})
	wantFault(t, retry(), fault.Refused, "waits for the release of its key, which was sent")
	r.runUntilDrained(r.letters(), model)
	heads := r.book().Heads()
	if len(heads) != 1 || heads[0].ID == id {
		t.Fatalf("keys wait for %v, want for the second bad record", heads)
	}
	wantFault(t, retry(), fault.Refused, "waits for "+heads[0].ID)
	if book := r.book(); book.Queue().Waiting(book.Find(heads[0].ID)) != 1 {
		t.Errorf("%d wait for the second bad record, want 1", book.Queue().Waiting(book.Find(heads[0].ID)))
	}
}

// TestALongErrorIsCutBetweenCharacters, wherever the limit falls.
func TestALongErrorIsCutBetweenCharacters(t *testing.T) {
	r, s := newRig(t), newSource(partitions)
	for n := range byte(3) {
		s.put(someEvent(int64(n), n+1))
		p := sink.PartitionOf(storetest.ContentID(n+1).String(), partitions)
		s.partitions[p][len(s.partitions[p])-1].Key = []byte(strings.Repeat("a", int(n)) + strings.Repeat("€", 3000))
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), storetest.NewModel())
	all := r.book().All()
	for _, f := range all {
		text, cut := strings.CutSuffix(f.Letter.Error, "…")
		if !cut || !utf8.ValidString(text) || len(text) < 4<<10-utf8.UTFMax || len(text) > 4<<10 {
			t.Errorf("%d bytes, cut: %v, ends with %q", len(text), cut, text[len(text)-6:])
		}
	}
	if len(all) != 3 {
		t.Errorf("%d letters, want 3", len(all))
	}
}

// TestALetterThatIsWrittenAgainStaysInItsPartition: what fails again is the same letter.
func TestALetterThatIsWrittenAgainStaysInItsPartition(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	if _, err := kadm.NewClient(r.client()).CreatePartitions(t.Context(), 50, "dead"); err != nil {
		t.Fatal(err)
	}
	r.decide(id, sink.Order{State: deadletter.Retried})
	r.runUntilDrained(r.letters(), model)
	written := map[string]int{}
	for _, record := range r.read("dead") {
		if written[string(record.Key)]++; record.Partition != 0 {
			t.Errorf("letter %s is in partition %d, and in 0", record.Key, record.Partition)
		}
	}
	if n := written[string(r.letter(id).Letter.Message().Key)]; n != 2 {
		t.Errorf("the letter was written %d times, want twice", n)
	}
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)
}
