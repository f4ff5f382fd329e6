package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/record"
)

// PartitionProgress is a partition's progress beside what its input topic holds.
type PartitionProgress struct {
	Progress       // as it was committed; Offset is -1 if none was
	Start    int64 // the first offset that the topic holds
	End      int64 // behind the last record that can be read: the last stable offset

	// Lag is how many offsets lie between the committed one and End, those of
	// commit markers among them; 0 if nothing but markers does.
	Lag int64
	// Next is when the source committed the first change that is not durable in every
	// store, microseconds since the Unix epoch; 0 if there is none.
	Next int64
}

// Behind is how old the first change is that some store lacks; 0 if there is none.
func (p *PartitionProgress) Behind(now time.Time) time.Duration {
	if p.Next == 0 {
		return 0
	}
	return max(now.Sub(time.UnixMicro(p.Next)), 0)
}

// Lost reports whether the topic no longer holds what comes next.
func (p *PartitionProgress) Lost() bool { return max(p.Offset, 0) < p.Start }

// ReadProgress returns the progress of every partition of a pipeline, in their
// order, as it stands in Kafka; no sink need run. Of the configuration it uses
// Pipeline, Brokers, Client, Topic and Group. Each of its figures is of a moment of
// its own, the committed offsets first, so that what moves meanwhile counts as lag.
//
// Errors are faults, classed as those of [Sink.Run].
func ReadProgress(ctx context.Context, cfg Config) ([]PartitionProgress, error) {
	r := &progressReader{cfg: cfg}
	client, err := r.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	committed, err := admin.FetchOffsets(ctx, cfg.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, r.fault("read the offsets of group "+cfg.Group, err)
	}
	starts, err := r.list(ctx, admin.ListStartOffsets)
	if err != nil {
		return nil, err
	}
	ends, err := r.list(ctx, admin.ListCommittedOffsets)
	if err != nil {
		return nil, err
	}
	var list []PartitionProgress
	for _, end := range ends.Offsets().Sorted() {
		p := PartitionProgress{Progress: Progress{Partition: end.Partition, Offset: -1}, End: end.At}
		start, _ := starts.Lookup(cfg.Topic, end.Partition)
		p.Start = start.Offset
		if at, found := committed.Lookup(cfg.Topic, end.Partition); found && at.At >= 0 && at.Err == nil {
			p.Offset = at.At
			p.decode(at.Metadata)
		}
		list = append(list, p)
	}
	return list, r.firsts(ctx, list)
}

type progressReader struct{ cfg Config }

func (r *progressReader) fault(doing string, err error) error {
	rights := fmt.Sprintf("READ on topic %s and DESCRIBE on group %s", r.cfg.Topic, r.cfg.Group)
	return kafkaFault("kafka at "+strings.Join(r.cfg.Brokers, ","), rights, doing, err)
}

func (r *progressReader) client(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(r.cfg.Brokers...), kgo.MetadataMinAge(firstPause)}, r.cfg.Client, opts)...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka", What: "client options are not usable", Err: err}
	}
	return client, nil
}

// list asks for an offset of every partition of the input topic.
func (r *progressReader) list(ctx context.Context, ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (kadm.ListedOffsets, error) {
	listed, err := ask(ctx, r.cfg.Topic)
	if err == nil {
		err = listed.Error()
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, &fault.Error{
			Kind: fault.Usage, Where: fmt.Sprintf("pipeline %s: topic %s", r.cfg.Pipeline, r.cfg.Topic),
			What: "the input topic does not exist", Fix: "start the capture, which creates it",
		}
	case err != nil:
		return nil, r.fault("list the offsets of topic "+r.cfg.Topic, err)
	}
	return listed, nil
}

// firsts finds the first record that is not committed of each partition: only
// markers may lie there, and how old it is says how far the stores are behind.
func (r *progressReader) firsts(ctx context.Context, list []PartitionProgress) error {
	from, left := make(map[int32]kgo.Offset), make(map[int32]*PartitionProgress)
	for i := range list {
		p := &list[i]
		if at := max(p.Offset, p.Start); at < p.End {
			from[p.Partition], left[p.Partition] = kgo.NewOffset().At(at), p
			p.Lag = p.End - max(p.Offset, 0)
		}
	}
	if len(left) == 0 {
		return nil
	}
	client, err := r.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.cfg.Topic: from}), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxPartitionBytes(64<<10), kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			return r.fault("read topic "+r.cfg.Topic, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			p := left[record.Partition]
			switch {
			case p == nil:
				return
			case !record.Attrs.IsControl():
				p.Next = sourceTime(record)
			case record.Offset+1 >= p.End:
				p.Lag = 0
			default:
				return
			}
			delete(left, record.Partition)
			client.PauseFetchPartitions(map[string][]int32{r.cfg.Topic: {record.Partition}})
		})
	}
	return nil
}

// sourceTime is when the source committed a record's change, as far as it says so.
func sourceTime(r *kgo.Record) int64 {
	if parsed, err := record.Parse(r.Value); err == nil {
		return parsed.CommitTime
	}
	return r.Timestamp.UnixMicro()
}
