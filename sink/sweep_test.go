package sink_test

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/storetest"
)

// lettered is a record of the topic of letters.
func lettered(m deadletter.Message) *kgo.Record {
	r := &kgo.Record{Topic: "dead", Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}

// randomBook has letters of two keys and of truncations, in any state.
func randomBook(random *rand.Rand, letters int64) (records []*kgo.Record) {
	reasons := []deadletter.Reason{deadletter.BadValue, deadletter.Waits, deadletter.Waits, deadletter.BadHeaders}
	for offset := range letters {
		l := deadletter.Letter{Pipeline: "p", Topic: "t", Offset: offset, Timestamp: 1, Reason: reasons[random.IntN(len(reasons))], Time: time.Unix(0, 0)}
		switch random.IntN(6) {
		case 0:
			l.Reason = deadletter.Waits // a truncation
		case 1, 2:
			l.Record.Key = []byte("a")
		default:
			l.Record.Key = []byte("b")
		}
		records = append(records, lettered(l.Message()))
		d := deadletter.Decision{ID: l.ID(), State: deadletter.Retried, Time: time.Unix(random.Int64N(4), 0), Sent: offset + 1 + random.Int64N(letters)}
		switch random.IntN(8) {
		case 0:
			continue
		case 1:
			d.State = deadletter.Open
		case 2:
			d.State = deadletter.Discarded
		case 3:
			d.State, d.Sent = deadletter.Discarded, -1
		}
		records = append(records, lettered(d.Message()))
	}
	return records
}

// TestRemovingLettersChangesNothing that a reader of what the partition still holds
// could see: which keys wait at any place of it, and what any release in it sets free.
func TestRemovingLettersChangesNothing(t *testing.T) {
	random := randomly(t)
	before, removed, waits, freed := time.Unix(2, 0), 0, 0, 0
	for range 2000 {
		const letters = 12
		records := randomBook(random, letters)
		whole := sink.BookOf(records...)
		start := random.Int64N(2 * letters)
		gone := whole.Removable("t", 0, start, before)
		for _, f := range gone {
			letter, decision := deadletter.Removals(f.ID)
			records = append(records, lettered(letter), lettered(decision))
			if f.State() == deadletter.Open || f.Letter.Offset >= start || !f.Decision.Time.Before(before) {
				t.Fatalf("letter of offset %d is %s, decided at %s, and goes at start %d", f.Letter.Offset, f.State(), f.Decision.Time, start)
			}
		}
		left := sink.BookOf(records...)
		if removed += len(gone); len(left.All()) != len(whole.All())-len(gone) || left.Foreign != 0 {
			t.Fatalf("%d letters, %d removed, %d left", len(whole.All()), len(gone), len(left.All()))
		}
		for next := start; next <= 2*letters+1; next++ {
			want := whole.WaitingAt("t", 0, next)
			if diff := cmp.Diff(want, left.WaitingAt("t", 0, next)); diff != "" {
				t.Fatalf("waiting at %d, start %d (-whole +left):\n%s", next, start, diff)
			}
			waits += len(want)
			for _, f := range left.All() {
				if !f.Letter.Holds() || f.Letter.Offset >= next {
					continue
				}
				want := ids(whole.Chain(whole.Find(f.ID), next))
				if diff := cmp.Diff(want, ids(left.Chain(f, next))); diff != "" {
					t.Fatalf("chain of offset %d at %d, start %d (-whole +left):\n%s", f.Letter.Offset, next, start, diff)
				}
				freed += len(want)
			}
		}
	}
	if removed < 1000 || waits < 1000 || freed < 1000 {
		t.Errorf("%d letters removed, %d keys waited, %d letters in chains", removed, waits, freed)
	}
}

func ids(letters []*sink.Filed) (ids []string) {
	for _, f := range letters {
		ids = append(ids, f.ID)
	}
	return ids
}

// TestALetterInTwoPartitionsStays: what would be removed is one of them.
func TestALetterInTwoPartitionsStays(t *testing.T) {
	l := deadletter.Letter{Pipeline: "p", Topic: "t", Offset: 3, Timestamp: 1, Reason: deadletter.BadHeaders, Time: time.Unix(0, 0)}
	d := deadletter.Decision{ID: l.ID(), State: deadletter.Discarded, Time: time.Unix(0, 0), Sent: -1}
	there, second := lettered(d.Message()), lettered(l.Message())
	second.Partition = 1
	for _, c := range []struct {
		records []*kgo.Record
		want    int
	}{
		{[]*kgo.Record{lettered(l.Message()), lettered(l.Message()), there}, 1},
		{[]*kgo.Record{lettered(l.Message()), there, second}, 0},
		{[]*kgo.Record{second, there, lettered(l.Message()), lettered(l.Message())}, 0},
	} {
		if got := sink.BookOf(c.records...).Removable("t", 0, 100, time.Now()); len(got) != c.want {
			t.Errorf("%d letters go, want %d", len(got), c.want)
		}
	}
}

// TestDecidedLettersGoOnceTheirRecordsHave, the letter before its decision, and not before.
func TestDecidedLettersGoOnceTheirRecordsHave(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	r.createTopic(compacted())
	id, sound := waitingKey(r, s, model)
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	release := r.book().Find(id).Decision.Sent
	more := func(keep time.Duration) {
		t.Helper()
		cfg := r.letters()
		cfg.KeepDecided = keep
		s.put(someEvent(int64(len(s.events)+10), 1))
		r.produce(s, kgo.TryCommit)
		r.runUntilDrained(cfg, model)
	}
	for _, c := range []struct {
		start int64
		keep  time.Duration
		left  int
	}{{0, 1, 2}, {release, 1, 2}, {release + 1, time.Hour, 2}, {release + 1, 1, 0}} {
		r.trim(p, c.start)
		more(c.keep)
		if book := r.book(); len(book.All()) != c.left || book.Foreign != 0 {
			t.Errorf("from offset %d on, kept for %s: %d letters are left, want %d; %d records are foreign", c.start, c.keep, len(book.All()), c.left, book.Foreign)
		}
	}
	wantEqual(t, s, model)
	var removed []string
	for _, record := range r.read("dead") {
		if record.Value == nil {
			_, decision, _ := strings.Cut(string(record.Key), "/")
			removed = append(removed, decision)
		}
	}
	if diff := cmp.Diff([]string{"", "", "state", "state"}, removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	r.file("last", "x") // which compaction leaves alone
	r.cluster.Compact()
	if left := r.read("dead"); len(left) != 1 || string(left[0].Key) != "last" {
		t.Errorf("%d records are left, want the last one", len(left))
	}
}

// file writes a record of somebody else to the topic of letters.
func (r *rig) file(key, value string) {
	r.t.Helper()
	if err := r.client(kgo.DefaultProduceTopic("dead")).ProduceSync(r.t.Context(), kgo.KeySliceRecord([]byte(key), []byte(value))).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
}

// TestALetterThatMovesWhileItIsRead is no letter without a record: it was written
// again, and compaction has removed what the book knows.
func TestALetterThatMovesWhileItIsRead(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, _ := waitingKey(r, s, model)
	book := r.book()
	r.decide(id, sink.Order{State: deadletter.Retried}) // it fails, and is written again
	r.runUntilDrained(r.letters(), model)
	r.file("last", "x")
	r.cluster.Compact()
	visit := func(book *sink.Book) (visited int, err error) {
		err = r.letterbox().Visit(t.Context(), book.All(), func(f *sink.Filed) error {
			if visited++; len(f.Letter.Record.Value) == 0 {
				t.Errorf("letter %s has no value", f.ID)
			}
			return nil
		})
		return visited, err
	}
	_, err := visit(book)
	wantFault(t, err, fault.Unreachable, "dead letter "+id+" was written again while it was read", "try again")
	if visited, err := visit(r.book()); err != nil || visited != 2 {
		t.Errorf("visited %d letters, %v", visited, err)
	}
}

// trimming deletes what has been polled, as retention does under a slow sink.
type trimming struct{ trim func(*kgo.Record) }

func (h trimming) OnFetchRecordUnbuffered(r *kgo.Record, polled bool) {
	if polled && r.Topic == "t" {
		h.trim(r)
	}
}

// TestLettersOfWhatWasPolledStay: a release may be on its way to the stores, and gone from the topic.
func TestLettersOfWhatWasPolledStay(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	id, sound := waitingKey(r, s, model)
	r.decide(id, sink.Order{State: deadletter.Retried, Value: sound})
	p, release := sink.PartitionOf(storetest.ContentID(1).String(), partitions), r.book().Find(id).Decision.Sent
	s.put(someEvent(5, 1)) // the partition's end stays where it is
	r.produce(s, kgo.TryCommit)
	cfg := r.letters()
	trimmed := false
	cfg.Client = append(cfg.Client, kgo.WithHooks(trimming{func(*kgo.Record) {
		if !trimmed {
			trimmed = true
			r.trim(p, release+1)
		}
	}}))
	r.runUntilDrained(cfg, model)
	wantEqual(t, s, model)
	if !trimmed {
		t.Error("nothing was trimmed")
	}
}

// TestLettersAreReadOnce by a sink that goes on: a release reads what is new, and
// its own letters.
func TestLettersAreReadOnce(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	r.createTopic(compacted())
	admin := kadm.NewClient(r.client())
	r.file("first", "x")
	const keys = 4
	for n := range byte(keys) {
		s.putContent(someContent(n+1, 100))
		p := sink.PartitionOf(storetest.ContentID(n+1).String(), partitions)
		s.partitions[p][len(s.partitions[p])-1].Value = []byte("{")
	}
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	retry := sink.Order{State: deadletter.Retried, Choose: func(b *sink.Book) ([]*sink.Filed, error) { return b.Heads(), nil }}
	if decided, err := r.letterbox().Decide(t.Context(), retry); err != nil || len(decided) != keys {
		t.Fatalf("%d decided, %v", len(decided), err)
	}
	topics, err := admin.ListTopics(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	var whole, releases atomic.Int32 // whole: requests for the first record
	r.cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.KeepControl()
		for _, topic := range request.(*kmsg.FetchRequest).Topics {
			if topic.TopicID == topics["dead"].ID && topic.Partitions[0].FetchOffset == 0 {
				whole.Add(1)
			}
		}
		return nil, nil, false //nolint:nilnil // it is not handled here
	})
	cfg := r.letters()
	cfg.Failpoint = func(p sink.Failpoint) {
		if p == sink.FailReleased {
			releases.Add(1)
		}
	}
	r.runUntilDrained(cfg, model)
	if whole.Load() != 1 || releases.Load() != keys {
		t.Errorf("%d readings of the whole topic, want 1; %d releases, want %d", whole.Load(), releases.Load(), keys)
	}
}

// TestDiscardedLettersOfACaptureGoWithALaterDecision, once they have been there for a week.
func TestDiscardedLettersOfACaptureGoWithALaterDecision(t *testing.T) {
	r := newRig(t)
	r.createTopic(compacted())
	const day = 24 * time.Hour
	var letters []*deadletter.Letter
	for n, decision := range []deadletter.Decision{
		{State: deadletter.Discarded, Time: time.Now().Add(-8 * day)}, {State: deadletter.Discarded, Time: time.Now().Add(-6 * day)},
		{State: deadletter.Open, Time: time.Now().Add(-8 * day)}, {},
	} {
		l := &deadletter.Letter{Capture: "shop", Topic: "docs", Offset: -1, Timestamp: -1, Version: int64(n + 1), Reason: deadletter.Oversized, Time: time.Now()}
		letters = append(letters, l)
		records := []*kgo.Record{lettered(l.Message())}
		if decision.State != "" {
			decision.ID, decision.Sent = l.ID(), -1
			records = append(records, lettered(decision.Message()))
		}
		if err := r.client().ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	r.decide(letters[3].ID(), sink.Order{State: deadletter.Discarded})
	want := []string{letters[1].ID(), letters[2].ID(), letters[3].ID()}
	if diff := cmp.Diff(want, ids(r.book().All())); diff != "" {
		t.Errorf("letters that are left (-want +got):\n%s", diff)
	}
}

// TestLettersAreHeldInMemoryByTheirSize.
func TestLettersAreHeldInMemoryByTheirSize(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ sizes, want []int }{
		{nil, nil},
		{[]int{1, 1, 1, 1, 1}, []int{3, 2}},
		{[]int{10 * mib, 6 * mib, 1, 20 * mib, 1, 1}, []int{2, 1, 1, 2}},
		{[]int{100 * mib}, []int{1}},
	} {
		if diff := cmp.Diff(c.want, sink.Chunks(3, c.sizes...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.sizes, diff)
		}
	}
}
