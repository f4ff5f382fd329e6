package sink

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
)

// ReplayProgress is how far a replay has come.
type ReplayProgress struct {
	Done, Total int64 // records, counted by offsets; of a refill rows, of which Total is 0: not known
}

// Replay writes what the input topic holds into one store again, from the first
// record of each partition to the end as of now. It is no member of the group and
// commits nothing, and every write has the version that it had: what the
// store has stays as it is, and a daemon may run meanwhile.
//
// A store that the join does not read follows the history of the one that it does,
// which has to be whole. What was truncated is not in the history any
// more, so the records before the last truncation of the stream table become deletes at its version; of a key
// that waits, those before the last truncation that came before.
//
// report, which may be nil, is called now and then by one goroutine at a time.
// Errors are as those of [Sink.Run]; of dead letters the policy decides, as there.
func (s *Sink) Replay(ctx context.Context, store string, report func(ReplayProgress)) error {
	i := slices.IndexFunc(s.stores, func(other Store) bool { return other.Name() == store })
	if i < 0 {
		return &fault.Error{Kind: fault.Usage, Where: "pipeline " + s.cfg.Pipeline, What: "has no store " + store}
	}
	r := &replay{sink: s, store: s.stores[i].(*guarded), report: report} //nolint:forcetypeassert // New has made it
	if err := s.begin(ctx); err != nil {
		return err
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := s.patience().Do(ctx, s.kafka(), func(ctx context.Context) error { return r.measure(ctx, client) }); err != nil {
		return err
	}
	if !r.store.reads {
		if err := r.read(ctx, r.findTruncations); err != nil {
			return err
		}
	}
	for _, p := range r.parts {
		if p.owner, err = r.newOwner(ctx, client, p); err != nil {
			return err
		}
	}
	return r.read(ctx, r.carry)
}

type replay struct {
	sink   *Sink
	store  *guarded
	parts  map[int32]*replayPart
	total  int64
	report func(ReplayProgress)

	mu   sync.Mutex
	done int64 // guarded by mu
}

// replayPart is a partition on its way.
type replayPart struct {
	partition  int32
	start, end int64        // offsets
	gone       []truncation // of the stream table, in order
	owner      *owner
}

// truncation is where a table was truncated.
type truncation struct {
	offset, version int64
}

// goneBefore is the version of the last truncation before an offset; 0 for none.
func (p *replayPart) goneBefore(offset int64) (version int64) {
	for _, t := range p.gone {
		if t.offset < offset {
			version = max(version, t.version)
		}
	}
	return version
}

func (r *replay) client(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(r.sink.cfg.Brokers...), kgo.MetadataMinAge(firstPause)}, opts, r.sink.cfg.Client)...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka", What: "client options are not usable", Err: err}
	}
	return client, nil
}

// measure finds what there is to do.
func (r *replay) measure(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, r.sink.cfg.Topic)
	if err != nil {
		return r.sink.kafkaFault("list offsets", err)
	}
	ends, err := admin.ListCommittedOffsets(ctx, r.sink.cfg.Topic)
	if err != nil {
		return r.sink.kafkaFault("list offsets", err)
	}
	r.parts, r.total = make(map[int32]*replayPart), 0
	for _, end := range ends.Offsets().Sorted() {
		start, found := starts.Lookup(end.Topic, end.Partition)
		if !found || start.Err != nil {
			return r.sink.kafkaFault("list offsets", start.Err)
		}
		if start.Offset < end.At {
			r.parts[end.Partition] = &replayPart{partition: end.Partition, start: start.Offset, end: end.At}
			r.total += end.At - start.Offset
		}
	}
	return nil
}

func (r *replay) newOwner(ctx context.Context, client *kgo.Client, p *replayPart) (*owner, error) {
	waiting, err := r.sink.waitingAt(ctx, p.partition, p.start)
	if err != nil {
		return nil, err
	}
	o := r.sink.newOwner(client, p.partition, p.start, waiting)
	o.stores, o.mode = []Store{r.store}, steps
	if r.store.reads {
		return o, nil
	}
	o.mode, o.gone = follows, p.goneBefore(p.end)
	o.spared, err = r.spared(ctx, p)
	return o, err
}

// spared are the keys that wait at the end of a partition, with the version of the last truncation that came before they did.
func (r *replay) spared(ctx context.Context, p *replayPart) (map[string]int64, error) {
	spared := make(map[string]int64)
	return spared, r.sink.withBook(ctx, func(book *Book) {
		for key, id := range book.waiting(r.sink.cfg.Topic, p.partition, p.end) {
			spared[key] = p.goneBefore(book.Find(id).Letter.Offset)
		}
	})
}

// read gives every record of the partitions to visit, those of one partition in
// their order, and of several at once.
func (r *replay) read(ctx context.Context, visit func(context.Context, *replayPart, []*kgo.Record) error) error {
	from := make(map[int32]kgo.Offset, len(r.parts))
	left := make(map[int32]bool, len(r.parts))
	for partition, p := range r.parts {
		from[partition], left[partition] = kgo.NewOffset().At(p.start), true
	}
	if len(left) == 0 {
		return nil
	}
	client, err := r.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.sink.cfg.Topic: from}), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxBytes(fetchBytes),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches, err := r.poll(ctx, client)
		if err != nil {
			return err
		}
		var working errgroup.Group
		working.SetLimit(r.sink.cfg.Parallel)
		fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
			p, n := r.parts[fetched.Partition], len(fetched.Records)
			if n == 0 || !left[fetched.Partition] {
				return
			}
			if fetched.Records[n-1].Offset+1 >= p.end {
				delete(left, fetched.Partition)
			}
			records := slices.DeleteFunc(fetched.Records, func(record *kgo.Record) bool { return record.Attrs.IsControl() || record.Offset >= p.end })
			working.Go(func() error { return visit(ctx, p, records) })
		})
		if err := working.Wait(); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) poll(ctx context.Context, client *kgo.Client) (fetches kgo.Fetches, err error) {
	err = r.sink.patience().Do(ctx, r.sink.kafka(), func(ctx context.Context) error {
		for {
			polling, cancel := context.WithTimeout(ctx, idleCheck)
			fetches = client.PollRecords(polling, r.sink.cfg.Batch*max(len(r.parts), 1))
			cancel()
			for _, e := range fetches.Errors() {
				if polling.Err() == nil || ctx.Err() != nil {
					return r.fault(ctx, e)
				}
			}
			if fetches.NumRecords() > 0 {
				return nil
			}
			if err := r.sink.ping(ctx, client); err != nil {
				return err
			}
		}
	})
	return fetches, err
}

func (r *replay) fault(ctx context.Context, e kgo.FetchError) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return r.sink.kafkaFault("poll", e.Err)
}

// findTruncations notes the truncations of the stream table. Only truncations have no key.
func (r *replay) findTruncations(_ context.Context, p *replayPart, records []*kgo.Record) error {
	for _, record := range records {
		if record.Key != nil {
			continue
		}
		if c, _, err := r.sink.decode(record); err == nil && c.truncate != nil && *c.truncate == r.sink.cfg.Plan.Stream {
			p.gone = append(p.gone, truncation{record.Offset, c.version})
		}
	}
	return nil
}

// carry brings records into the store.
func (r *replay) carry(ctx context.Context, p *replayPart, records []*kgo.Record) error {
	before := p.owner.next
	if err := r.sink.catchUp(ctx); err != nil {
		return err
	}
	for part := range slices.Chunk(records, r.sink.cfg.Batch) {
		if _, err := r.sink.carryPartition(ctx, p.owner, part); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += p.owner.next - before
	if r.report != nil {
		r.report(ReplayProgress{Done: r.done, Total: r.total})
	}
	return nil
}

// outlive makes of a change of a stream row what the table's last truncation has made of it, in a replay into a store
// that follows; of a key that waits, the last that it did not wait at.
func (o *owner) outlive(c *change, key []byte) {
	gone, waits := o.spared[string(key)]
	if !waits {
		gone = o.gone
	}
	if c.version < gone {
		c.truncateBy(gone)
	}
}

// Rate is a progress in words: how many a second, and how long it will take yet.
func (p ReplayProgress) Rate(since time.Time, now time.Time) string {
	passed := now.Sub(since)
	if p.Done == 0 || passed <= 0 {
		return ""
	}
	words := []string{fmt.Sprintf("%.0f/s", float64(p.Done)/passed.Seconds())}
	if p.Total > p.Done {
		left := time.Duration(float64(passed) * float64(p.Total-p.Done) / float64(p.Done))
		words = append(words, left.Round(time.Second).String()+" left")
	}
	return strings.Join(words, ", ")
}
