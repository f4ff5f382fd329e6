package sink_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink"
	"penstock/sink/storetest"
)

const partitions = 3

// rig is a fake Kafka with the input topic "t".
type rig struct {
	t       *testing.T
	cluster *kfake.Cluster
	sent    []int // records of the source already produced, by partition
}

func newRig(t *testing.T) *rig {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return &rig{t: t, cluster: cluster, sent: make([]int, partitions)}
}

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(r.cluster.ListenAddrs()...))...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(client.Close)
	return client
}

// committed is the offset that the group has committed, -1 for none.
func (r *rig) committed(partition int32) int64 {
	r.t.Helper()
	offsets, err := kadm.NewClient(r.client()).FetchOffsets(r.t.Context(), "g")
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		r.t.Fatal(err)
	}
	at, found := offsets.Lookup("t", partition)
	if !found {
		return -1
	}
	return at.At
}

// commit sets the offset that the group goes on from.
func (r *rig) commit(partition int32, offset int64) {
	r.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset("t", partition, offset, -1)
	if _, err := kadm.NewClient(r.client()).CommitOffsets(r.t.Context(), "g", offsets); err != nil {
		r.t.Fatal(err)
	}
}

// trim deletes the records before an offset, as retention does.
func (r *rig) trim(partition int32, before int64) {
	r.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset("t", partition, before, -1)
	if _, err := kadm.NewClient(r.client()).DeleteRecords(r.t.Context(), offsets); err != nil {
		r.t.Fatal(err)
	}
}

// produce writes what the source has not sent yet in one Kafka transaction.
func (r *rig) produce(s *source, end kgo.TransactionEndTry) {
	r.t.Helper()
	var records []*kgo.Record
	for p := range s.partitions {
		records = append(records, s.partitions[p][r.sent[p]:]...)
		if end == kgo.TryCommit {
			r.sent[p] = len(s.partitions[p])
		}
	}
	r.produceRecords(end, records...)
}

func (r *rig) produceRecords(end kgo.TransactionEndTry, originals ...*kgo.Record) {
	r.t.Helper()
	records := make([]*kgo.Record, len(originals)) // the client writes into what it sends
	for i, o := range originals {
		records[i] = &kgo.Record{Topic: "t", Partition: o.Partition, Key: o.Key, Value: o.Value, Headers: o.Headers}
	}
	client := r.client(kgo.TransactionalID("capture"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ctx := r.t.Context()
	if err := client.BeginTransaction(); err != nil {
		r.t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	if err := client.EndTransaction(ctx, end); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) config() sink.Config {
	return sink.Config{
		Pipeline: "engagement", Brokers: r.cluster.ListenAddrs(), Topic: "t", Group: "g",
		Wait: 20 * time.Second, Batch: 7,
		RejoinAtOnce: 1,                                                   // pages of the model are of two rows: every longer history is joined again between batches
		Client:       []kgo.Opt{kgo.FetchMaxWait(100 * time.Millisecond)}, // kfake does not end a fetch at every commit
	}
}

// runUntilDrained runs the sink until everything that was produced is committed.
func (r *rig) runUntilDrained(cfg sink.Config, model *storetest.Model, stores ...sink.Store) {
	r.t.Helper()
	if behind := r.runUntil(r.t.Context(), cfg, model, stores...); len(behind) > 0 {
		r.t.Fatalf("partitions that did not come to their end: %v", behind)
	}
}

// runUntil runs the sink until ctx ends or everything that was produced is
// committed, and returns what is not.
func (r *rig) runUntil(ctx context.Context, cfg sink.Config, model *storetest.Model, stores ...sink.Store) (behind map[int32]int64) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	if behind = r.behind(); len(behind) == 0 {
		return nil
	}
	cfg.OnCommit = func(p sink.Progress) {
		if behind[p.Partition] <= p.Offset {
			delete(behind, p.Partition)
		}
		if len(behind) == 0 {
			stop()
		}
	}
	if err := r.run(ctx, cfg, model, stores...); err != nil {
		r.t.Fatal(err)
	}
	return behind
}

// behind returns the offset after the last record of each partition where the
// group has not committed it.
func (r *rig) behind() map[int32]int64 {
	r.t.Helper()
	ends := make(map[int32]int64)
	for _, record := range r.read("t") {
		ends[record.Partition] = record.Offset + 1
	}
	for p, end := range ends {
		if r.committed(p) >= end {
			delete(ends, p)
		}
	}
	return ends
}

// read returns what a topic holds, up to its end as of now.
func (r *rig) read(topic string) (records []*kgo.Record) {
	r.t.Helper()
	ctx, stop := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer stop()
	reader := r.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	defer reader.Close()
	admin := kadm.NewClient(reader)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		r.t.Fatal(err)
	}
	left := ends[topic]
	maps.DeleteFunc(left, func(p int32, end kadm.ListedOffset) bool { return end.Offset == starts[topic][p].Offset })
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			r.t.Fatal(err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if end, found := left[record.Partition]; found && record.Offset+1 >= end.Offset {
				delete(left, record.Partition)
			}
			if !record.Attrs.IsControl() {
				records = append(records, record)
			}
		})
	}
	return records
}

// run runs the sink, for 30 s where it finds no end: then it returns nil.
func (r *rig) run(ctx context.Context, cfg sink.Config, model *storetest.Model, stores ...sink.Store) error {
	r.t.Helper()
	if len(stores) == 0 {
		stores = []sink.Store{model}
	}
	s, err := sink.New(cfg, model, stores, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	err = s.Run(ctx)
	if n := s.Owners(); n != 0 {
		r.t.Errorf("%d owners have memory still", n)
	}
	return err
}

// played is a source with some of everything.
func played() *source {
	s := newSource(partitions)
	for n := byte(1); n <= 5; n++ {
		s.put(someEvent(int64(n), n))
		s.putContent(someContent(n, int64(n)*100))
		s.put(someEvent(int64(n)+10, n))
	}
	s.put(someEvent(1, 2))
	s.remove(12)
	s.putContent(someContent(2, 7))
	return s
}
