package sink_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/storetest"
)

func (r *rig) progress() []sink.PartitionProgress {
	r.t.Helper()
	list, err := sink.ReadProgress(r.t.Context(), r.config())
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// named is a store by another name.
type named struct {
	sink.Store
	name string
}

func (n named) Name() string { return n.name }

// TestProgressIsKeptWithTheOffset: what a sink has committed is read back by whoever comes, and what it lacks is
// told from the markers of transactions.
func TestProgressIsKeptWithTheOffset(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	for _, p := range r.progress() {
		records := s.partitions[p.Partition]
		want := sink.PartitionProgress{
			Progress: sink.Progress{Partition: p.Partition, Offset: -1}, End: int64(len(records) + 1), Lag: int64(len(records) + 1), Next: versionOf(t, records[0]),
		}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("before the sink ran (-want +got):\n%s", diff)
		}
	}
	r.runUntilDrained(r.config(), model, named{model, "one"}, named{storetest.NewModel(), "two"})
	var ends [partitions]int
	for _, p := range r.progress() {
		records := s.partitions[p.Partition]
		at, last := int64(len(records)), versionOf(t, records[len(records)-1])
		want := sink.PartitionProgress{End: at + 1, Progress: sink.Progress{
			Partition: p.Partition, Offset: at, LSN: 0x16B3748, Version: last, CommitTime: last, Stores: map[string]int64{"one": at, "two": at},
		}}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Errorf("drained (-want +got):\n%s", diff)
		}
		ends[p.Partition] = len(records)
	}
	for n := byte(1); n <= 5; n++ {
		s.put(someEvent(int64(n)+20, n))
	}
	r.produce(s, kgo.TryAbort) // nobody reads these
	for _, p := range r.progress() {
		if p.Lag != 0 || p.Next != 0 || p.Behind(time.Now()) != 0 {
			t.Errorf("after an aborted transaction: %+v", p)
		}
	}
	r.produce(s, kgo.TryCommit)
	for _, p := range r.progress() {
		if more := s.partitions[p.Partition][ends[p.Partition]:]; len(more) > 0 && (p.Lag != p.End-p.Offset || p.Next != versionOf(t, more[0])) {
			t.Errorf("after another transaction: %+v, want the next change at %d", p, versionOf(t, more[0]))
		}
	}
}

func versionOf(t *testing.T, record *kgo.Record) int64 {
	t.Helper()
	version, err := strconv.ParseInt(string(record.Headers[3].Value), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// A record that tells no LSN leaves the last one.
func TestProgressOfARecordThatNobodyUnderstands(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	r.produceRecords(kgo.TryCommit, &kgo.Record{Partition: 1, Key: []byte("x"), Value: []byte("{")})
	cfg := r.letters()
	cfg.Batch = 1 // it is committed alone
	r.runUntilDrained(cfg, model)
	records := s.partitions[1]
	// Between them lies the marker of the first transaction.
	want := sink.Progress{Partition: 1, Offset: int64(len(records) + 2), LSN: 0x16B3748, Version: versionOf(t, records[len(records)-1])}
	want.CommitTime, want.Stores = want.Version, map[string]int64{"model": want.Offset}
	if diff := cmp.Diff(want, r.progress()[1].Progress); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProgressOfWhatAnOperatorSet(t *testing.T) {
	r, s := newRig(t), played()
	r.produce(s, kgo.TryCommit)
	r.commit(1, 2)
	r.trim(1, 3)
	if p := r.progress()[1]; p.Offset != 2 || p.Stores != nil || !p.Lost() || p.Start != 3 || p.Next == 0 {
		t.Errorf("got %+v", p)
	}
	cfg := r.config()
	cfg.Topic = "absent"
	_, err := sink.ReadProgress(t.Context(), cfg)
	wantFault(t, err, fault.Usage, "pipeline engagement: topic absent", "does not exist", "start the capture")
}
