package sink_test

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
)

// letters is the rig's configuration with dead letters.
func (r *rig) letters() sink.Config {
	cfg := r.config()
	cfg.OnError, cfg.DeadLetterTopic = sink.DeadLetter, "dead"
	return cfg
}

func (r *rig) letterbox() *sink.Letterbox {
	return sink.NewLetterbox(sink.LetterboxConfig{Brokers: r.cluster.ListenAddrs(), Topic: "dead"})
}

func (r *rig) book() *sink.Book {
	r.t.Helper()
	book, err := r.letterbox().Read(r.t.Context(), func(*deadletter.Letter) bool { return true })
	if err != nil {
		r.t.Fatal(err)
	}
	return book
}

// decide decides one letter, and counts what that sends.
func (r *rig) decide(id string, order sink.Order) {
	r.t.Helper()
	order.Choose = func(b *sink.Book) ([]*sink.Filed, error) { return []*sink.Filed{b.Find(id)}, nil }
	decided, err := r.letterbox().Decide(r.t.Context(), order)
	if err != nil || len(decided) != 1 {
		r.t.Fatalf("decided %d letters, %v", len(decided), err)
	}
	if decided[0].Decision.Sent >= 0 {
		r.extra++
	}
}

// raw are the records on the topic of letters up to its end, repeats included.
func (r *rig) raw() (records []*kgo.Record) {
	r.t.Helper()
	reader := r.client(kgo.ConsumeTopics("dead"), kgo.KeepControlRecords())
	ends, err := kadm.NewClient(reader).ListEndOffsets(r.t.Context(), "dead")
	if err != nil || ends.Error() != nil {
		r.t.Fatal(err, ends.Error())
	}
	left := ends["dead"]
	maps.DeleteFunc(left, func(_ int32, end kadm.ListedOffset) bool { return end.Offset == 0 })
	for len(left) > 0 {
		fetches := reader.PollFetches(r.t.Context())
		if err := fetches.Err(); err != nil {
			r.t.Fatal(err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if record.Offset+1 >= left[record.Partition].Offset {
				delete(left, record.Partition)
			}
			if !record.Attrs.IsControl() {
				records = append(records, record)
			}
		})
	}
	return records
}

// uncommitted is a configuration whose sink commits no offsets from a failpoint
// on: what a crash leaves. The rig hears again when alive is called.
func uncommitted(r *rig, cfg sink.Config) (crashing sink.Config, alive func()) {
	crash := cfg.Failpoint
	var dead atomic.Bool
	r.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !dead.Load() {
			return nil, nil, false //nolint:nilnil // it is not handled here
		}
		r.cluster.KeepControl()
		return nil, errors.New("gone"), true
	})
	cfg.Failpoint = func(p sink.Failpoint) {
		dead.Store(true)
		crash(p)
	}
	return cfg, func() { dead.Store(false) }
}

// refusing is a store that does not take rows of one device.
type refusing struct {
	sink.Store
	mended *atomic.Bool // takes them
}

func (s refusing) refuses(writes []sink.Write, reason deadletter.Reason) error {
	for _, w := range writes {
		if w.Row != nil && w.Row.Device == sink.Some("refused") && !s.mended.Load() {
			return &sink.RecordError{Reason: reason, Err: &fault.Error{Kind: fault.Runtime, Where: "a store", What: "does not take it"}}
		}
	}
	return nil
}

func (s refusing) Apply(ctx context.Context, writes []sink.Write) error {
	if err := s.refuses(writes, deadletter.Refused); err != nil {
		return err
	}
	return s.Store.Apply(ctx, writes)
}

// checking is one that says so before.
type checking struct{ refusing }

func (s checking) Check(writes []sink.Write) error { return s.refuses(writes, deadletter.TooLarge) }
