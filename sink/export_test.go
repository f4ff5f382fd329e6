package sink

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/sink/plan"
)

// Owner is a partition's owner without Kafka, for tests.
type Owner struct {
	sink  *Sink
	owner *owner
}

// NewOwner returns the owner of one of count partitions, with an empty cache.
func NewOwner(partition, count int32, lookup Lookup, stores []Store) *Owner {
	return NewPlanOwner(nil, partition, count, lookup, stores)
}

// NewPlanOwner is NewOwner for a plan; nil is the preset's.
func NewPlanOwner(p *plan.Plan, partition, count int32, lookup Lookup, stores []Store) *Owner {
	cfg := Config{Pipeline: "p", Plan: p}.withDefaults()
	o := &owner{
		partition: partition, plan: cfg.Plan, stores: stores, checks: checkers(stores), lookup: lookup,
		begun: make(map[plan.Value]int64),
		partitionOf: func(context.Context) (func(string) int32, error) {
			p := kgo.StickyKeyPartitioner(nil).ForTopic("t")
			return func(key string) int32 { return int32(p.Partition(&kgo.Record{Key: []byte(key)}, int(count))) }, nil
		},
	}
	o.remember(&memory{lookups: 50_000, totals: cfg.TotalsBytes})
	return &Owner{sink: &Sink{cfg: cfg}, owner: o}
}

// KeepTotals sets how many bytes of totals are kept.
func (o *Owner) KeepTotals(bytes int64) *Owner {
	o.owner.ration.totals = bytes
	return o
}

// TotalsBytes is about what the totals take that are kept.
func (o *Owner) TotalsBytes() (bytes int) {
	for _, c := range o.owner.totals.cells {
		bytes += c.Bytes()
	}
	for _, w := range o.owner.totals.wholes {
		bytes += w.weight()
	}
	return bytes
}

// Owners is how many owners have a part of the sink's memory.
func (s *Sink) Owners() int64 { return s.memory.owners.Load() }

// Apply decodes and applies one batch once.
func (o *Owner) Apply(ctx context.Context, records []*kgo.Record) error {
	batch := make([]change, len(records))
	for i, r := range records {
		var err error
		if batch[i], _, err = o.sink.decode(r); err != nil {
			return err
		}
	}
	return o.owner.apply(ctx, batch)
}

// PartitionOf is Kafka's default partition of a key.
func PartitionOf(key string, count int32) int32 {
	p := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	return int32(p.Partition(&kgo.Record{Key: []byte(key)}, int(count)))
}

// AsRecordError is asRecordError.
func AsRecordError(err error) *RecordError { return asRecordError(err) }

// Coalesce is coalesce.
func Coalesce(p *plan.Plan, writes []Write) []Write { return coalesce(p, writes) }

// DecideAtOnce sets how many letters are decided in one Kafka transaction.
func (b *Letterbox) DecideAtOnce(letters int) { b.chunk = letters }

// BookOf is the book of a topic with these records.
func BookOf(records ...*kgo.Record) *Book {
	b := newBook()
	for _, r := range records {
		b.take(r)
	}
	return b
}

// Removable is removable.
func (b *Book) Removable(topic string, partition int32, start int64, before time.Time) []*Filed {
	return b.removable(topic, partition, start, before)
}

// WaitingAt is waiting.
func (b *Book) WaitingAt(topic string, partition int32, next int64) map[string]string {
	return b.waiting(topic, partition, next)
}

// Chain is chain.
func (b *Book) Chain(head *Filed, release int64) []*Filed { return b.chain(head, release) }

// Chunks is chunks of letters of these sizes: how many each has.
func Chunks(most int, sizes ...int) (counts []int) {
	letters := make([]*Filed, len(sizes))
	for i, size := range sizes {
		letters[i] = &Filed{size: size}
	}
	for some := range chunks(letters, most) {
		counts = append(counts, len(some))
	}
	return counts
}

// Breaker is a breaker, for tests.
type Breaker struct{ b *breaker }

// NewBreaker returns one that opens after a time.
func NewBreaker(after time.Duration) *Breaker {
	return &Breaker{&breaker{name: "a store", after: after, log: zap.NewNop()}}
}

// Do is do.
func (b *Breaker) Do(ctx context.Context, call func(context.Context) error) error {
	return b.b.do(ctx, call)
}

// IsOpen is isOpen.
func (b *Breaker) IsOpen() (open, ready bool) { return b.b.isOpen() }

// Follow makes the owner one of a store that another's history leads.
func (o *Owner) Follow() *Owner {
	o.owner.mode = follows
	return o
}
