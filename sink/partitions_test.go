package sink_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/storetest"
)

// grow adds a partition to the topic. The source places keys by the new number from then on.
func (r *rig) grow(s *source) {
	r.t.Helper()
	grown, err := kadm.NewClient(r.client()).CreatePartitions(r.t.Context(), 1, "t")
	if err == nil {
		err = grown.Error()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	s.partitions, r.sent = append(s.partitions, nil), append(r.sent, 0)
}

// wantRepartitioned says that the sink refuses to go on with a partition more, and where it was.
func (r *rig) wantRepartitioned(err error, committed []int64) {
	r.t.Helper()
	wantFault(r.t, err, fault.Refused, "pipeline engagement: topic t: ", "has 4 partitions, 3 when group g began", "topic and group of pipelines.engagement", "backfill")
	for p, want := range committed {
		if at := r.committed(int32(p)); at != want {
			r.t.Errorf("partition %d: offset %d is committed, it was %d", p, at, want)
		}
	}
}

func (r *rig) allCommitted() (offsets []int64) {
	for p := range r.sent {
		offsets = append(offsets, r.committed(int32(p)))
	}
	return offsets
}

// again changes every row of played.
func (s *source) again() {
	for n := byte(1); n <= 5; n++ {
		s.put(someEvent(int64(n), n%5+1))
		s.putContent(someContent(n, int64(n)*1000))
	}
}

func TestPartitionsThatAreAddedWhileItIsStopped(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.config(), model)
	r.grow(s)
	before := r.allCommitted()
	r.wantRepartitioned(r.run(t.Context(), r.config(), model), before) // without a record of that time, too

	replay, err := sink.New(r.config(), model, []sink.Store{model}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.wantRepartitioned(replay.Replay(t.Context(), model.Name(), nil), before)
}

// Until a key has moved nothing is wrong; the first record that lies elsewhere than its key did is not applied.
func TestPartitionsThatAreAddedWhileItRuns(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	ends, drained := r.behind(), make(chan struct{})
	cfg := r.config()
	cfg.OnCommit = func(p sink.Progress) {
		if end, left := ends[p.Partition]; left && p.Offset >= end {
			if delete(ends, p.Partition); len(ends) == 0 {
				close(drained)
			}
		}
	}
	done := make(chan error, 1) // one send
	go func() { done <- r.run(t.Context(), cfg, model) }()
	select {
	case <-drained:
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	}
	before := r.allCommitted()
	wantEqual(t, s, model)
	later := played()
	r.grow(later)
	later.again()
	var moved *kgo.Record // to a partition that was there, of a key that was in another
	for p := range partitions {
		for _, record := range later.partitions[p][r.sent[p]:] {
			if sink.PartitionOf(string(record.Key), partitions) != int32(p) {
				moved = record
			}
		}
	}
	if moved == nil {
		t.Fatal("no key moved between the old partitions")
	}
	r.produceRecords(kgo.TryCommit, moved)
	r.wantRepartitioned(<-done, before)
	wantEqual(t, s, model) // as before
	r.wantRepartitioned(r.run(t.Context(), r.config(), model), before)
}

// Offsets that say nothing of partitions, of an operator or of a version before, are gone on from.
func TestOffsetsThatSayNoPartitions(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.commit(1, 0)
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.config(), model)
	wantEqual(t, s, model)
}
