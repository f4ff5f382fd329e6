package sink

import (
	"context"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/internal/fault"
	"penstock/sink/plan"
)

// maxReading bounds how many join values one owner reads the rows of at once, so
// that their pages stay in memory's bounds.
const maxReading = 16

// owner holds what one partition needs between two batches. One goroutine at a
// time uses it; it is dropped when the partition is revoked.
type owner struct {
	partition int32
	next      int64    // the offset behind what is durable
	last      Progress // as of next; without an LSN until a record tells one
	plan      *plan.Plan
	stores    []Store   // that it writes to; without those that have a lane
	counted   []Store   // that it writes totals to; nil for those of stores
	checks    []Checker // those of all stores that know what they refuse
	lookup    Lookup
	mode      mode
	patience  Patience // with the stores

	lanes    []*lane       // of the stores that are behind
	held     []*kgo.Record // what it cannot go on with until a lane has ended, or all rejoins have
	heldFor  error         // errHeld, or errRejoining
	paused   bool          // no records of the partition are fetched
	reported Progress      // as of the last commit

	rejoins []*rejoin         // in the order of their work
	resumed map[string]Rejoin // what owners before have left, by join value
	refused map[string]int64  // lookup rows, by join value, whose rows are joined at once: one of them cannot be
	atOnce  int               // how many rows of a join value are joined within a batch; 0 is all
	rests   time.Time         // until then no rejoin goes on
	refuses *rejoin           // that met a row which cannot be joined
	failing time.Time         // since when the stores do not take a page
	toldAt  time.Time         // when a commit told how far the rejoins are

	// Of a replay into a store that follows: the version of the stream table's last
	// truncation, and of keys that wait the last that they did not wait at.
	gone   int64
	spared map[string]int64

	// cache holds lookup rows as of the last batch, also those known not to
	// exist. Nobody else changes them while this owner owns the partition.
	cache  *otter.Cache[plan.Value, known]
	ration *ration // of the memory that cache and totals take
	// begun are the lookup rows that a run began to carry and none has finished since,
	// each with the highest version: some stored rows may be joined with them.
	begun map[plan.Value]int64
	// waiting are the keys whose records wait, each with the id of the dead letter
	// that they wait for.
	waiting map[string]string
	// totals is nil where nothing is counted.
	totals *tally
	// partitionOf maps a record key to its partition of the input topic.
	partitionOf func(ctx context.Context) (func(key string) int32, error)
}

// newOwner returns the owner of a partition that begins at an offset, with an empty cache.
func (s *Sink) newOwner(client *kgo.Client, partition int32, next int64, waiting map[string]string) *owner {
	o := &owner{
		partition: partition, next: next, last: Progress{Partition: partition, Offset: next},
		plan: s.cfg.Plan, stores: slices.Clone(s.stores), checks: checkers(s.stores), lookup: s.lookup, patience: s.patience(),
		begun:       make(map[plan.Value]int64),
		partitionOf: s.partitionOf(client), waiting: waiting,
	}
	o.remember(&s.memory)
	o.reported = o.progress()
	return o
}

// remember gives the owner its part of the memory, until [owner.end].
func (o *owner) remember(m *memory) {
	o.ration = m.ration()
	o.cache = otter.Must(&otter.Options[plan.Value, known]{MaximumWeight: uint64(o.ration.share(m.lookups)), Weigher: lookupBytes})
	o.totals = newTally(o.plan, o.lookup, o.partition, func() int64 { return o.ration.share(m.totals) })
}

// fit gives up what is more than the owner's part of the memory, when that has become less.
func (o *owner) fit() {
	if most := uint64(o.ration.share(o.ration.lookups)); most != o.cache.GetMaximum() {
		o.cache.SetMaximum(most)
		o.totals.fit()
	}
}

// end stops the owner's lanes, and leaves its memory to others. It is not used again.
func (o *owner) end() {
	for _, l := range o.lanes {
		l.stop()
	}
	o.ration.giveBack()
}

// partitionOf asks whether the topic's partitions are those of the beginning, and returns Kafka's default
// mapping of keys to partitions.
func (s *Sink) partitionOf(client *kgo.Client) func(context.Context) (func(key string) int32, error) {
	return func(ctx context.Context) (func(key string) int32, error) {
		if err := s.samePartitions(ctx, client); err != nil {
			return nil, err
		}
		partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(s.cfg.Topic)
		return func(key string) int32 {
			return int32(partitioner.Partition(&kgo.Record{Key: []byte(key)}, s.partitions))
		}, nil
	}
}

// known is a lookup row of which all stored rows are known to be joined with it,
// if carried.
type known struct {
	plan.LookupRow
	carried bool
}

// lookupBytes is about what a lookup row takes in the cache.
func lookupBytes(join plan.Value, k known) uint32 {
	bytes := 350 + len(join.Text()) + len(k.Key.Text())
	for i := range k.Values {
		bytes += 32 + len(k.Values[i].Text())
	}
	return uint32(bytes)
}

// advance notes how far the partition has come in the stores that the owner writes to.
func (o *owner) advance(p Progress) { o.next, o.last = p.Offset, p }

// apply makes a batch of changes durable in every store. It may be called again
// with the same batch after an error.
func (o *owner) apply(ctx context.Context, batch []change) error {
	o.undo()
	o.fit()
	for _, segment := range segments(batch) {
		var err error
		if segment[0].truncate != nil {
			err = o.truncate(ctx, &segment[0])
		} else {
			err = o.run(ctx, segment)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case o.blind(): // the history, which totals are read from, is behind: its lane settles them
		o.totals.pass(batch)
		return nil
	case o.mode == follows:
		return o.totals.copy(ctx, o.write)
	default:
		return o.totals.settle(ctx, batch, o.writeTotals)
	}
}

// run applies changes without truncations: their own side first, then the stored
// rows of the join values whose lookup row changed.
func (o *owner) run(ctx context.Context, changes []change) error {
	groups := groupByJoin(o.plan, o.mode, changes)
	lookups, err := o.lookups(ctx, groups)
	if err != nil {
		return err
	}
	stale := o.begin(groups)
	if len(stale) > 0 {
		if err := o.sees(); err != nil {
			return err
		}
	}
	writes := make([]Write, 0, 2*len(changes))
	for join, g := range groups {
		lookup := lookups[join]
		if writes, err = g.ownSide(writes, &lookup); err != nil {
			return err
		}
	}
	if err := o.write(ctx, coalesce(o.plan, writes)); err != nil {
		return err
	}
	if err := o.rejoinAll(ctx, stale); err != nil {
		return err
	}
	o.finish(groups, lookups)
	return nil
}

// rejoinAll joins the stored rows of groups again, side by side, or begins to.
func (o *owner) rejoinAll(ctx context.Context, stale []*group) error {
	left := make([]*rejoin, len(stale))
	var reading errgroup.Group
	reading.SetLimit(maxReading)
	for i, g := range stale {
		reading.Go(func() (err error) {
			left[i], err = o.rejoin(ctx, g)
			return err
		})
	}
	if err := reading.Wait(); err != nil {
		return err
	}
	for _, j := range left {
		if j != nil {
			o.begins(j)
		}
	}
	return nil
}

// begin notes which lookup rows the run is going to carry, and returns the groups
// whose stored rows have to be joined again.
func (o *owner) begin(groups map[plan.Value]*group) (stale []*group) {
	for join, g := range groups {
		if g.lookup == nil {
			continue
		}
		before, cached := o.cache.GetIfPresent(join)
		_, unfinished := o.begun[join]
		if cached && before.carried && !unfinished {
			g.before = &before.LookupRow
		}
		if o.mode == follows || g.before == nil || !g.sameUse(g.before) {
			stale = append(stale, g)
		}
		o.begun[join] = max(o.begun[join], g.lookup.Version)
	}
	return stale
}

// finish notes what is durable.
func (o *owner) finish(groups map[plan.Value]*group, lookups map[plan.Value]plan.LookupRow) {
	for join, lookup := range lookups {
		k := known{LookupRow: lookup}
		if groups[join].lookup == nil {
			before, cached := o.cache.GetIfPresent(join)
			k.carried = cached && before.carried
		} else if k.carried = lookup.Version >= o.begun[join] && !o.isRejoined(join); k.carried {
			delete(o.begun, join)
			// Of a row that is ahead, in a replay, the change that wrote it may be one that looks as if it
			// used no other columns: a store that lacks the row would not get it then.
			k.carried = !groups[join].ahead
		}
		o.cache.Set(join, k)
	}
}

// lookups returns the lookup row of every group as it stands after the run.
func (o *owner) lookups(ctx context.Context, groups map[plan.Value]*group) (map[plan.Value]plan.LookupRow, error) {
	lookups := make(map[plan.Value]plan.LookupRow, len(groups))
	var unknown []plan.Value
	for join, g := range groups {
		if g.lookup != nil {
			lookups[join] = *g.lookup
		} else if g.needsLookup() {
			cached, found := o.cache.GetIfPresent(join)
			if !found {
				unknown = append(unknown, join)
				continue
			}
			lookups[join] = cached.LookupRow
		}
	}
	if len(unknown) == 0 {
		return lookups, nil
	}
	if err := o.sees(); err != nil {
		return nil, err
	}
	rows, err := o.lookup.LookupRows(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for i, join := range unknown {
		lookups[join] = rows[i]
	}
	return lookups, nil
}

// write applies the writes to all stores at once and waits for all of them. An
// error that waiting cannot mend is preferred over one that it can.
func (o *owner) write(ctx context.Context, writes []Write) error {
	return o.writeTo(ctx, o.stores, writes)
}

// writeTotals applies the writes to the store that is read, and then to the others: none of
// them ever has a total at a version above the one that the next is made from.
func (o *owner) writeTotals(ctx context.Context, writes []Write) error {
	for _, reads := range []bool{true, false} {
		stores := o.stores
		if o.counted != nil {
			stores = o.counted
		}
		stores = slices.DeleteFunc(slices.Clone(stores), func(s Store) bool {
			g, isGuarded := s.(*guarded)
			return reads != (isGuarded && g.reads)
		})
		if err := o.writeTo(ctx, stores, writes); err != nil {
			return err
		}
	}
	return nil
}

func (o *owner) writeTo(ctx context.Context, stores []Store, writes []Write) error {
	if len(writes) == 0 || len(stores) == 0 {
		return nil
	}
	for _, checker := range o.checks {
		if err := checker.Check(writes); err != nil {
			return err
		}
	}
	errs := make([]error, len(stores))
	var storing errgroup.Group
	for i, store := range stores {
		storing.Go(func() error {
			errs[i] = store.Apply(ctx, writes)
			return nil
		})
	}
	_ = storing.Wait() // the errors are in errs
	var transient error
	for _, err := range errs {
		switch {
		case err == nil:
		case fault.KindOf(err) == fault.Unreachable:
			transient = err
		default:
			o.totals.observe(o.plan, writes, err)
			return err
		}
	}
	o.totals.observe(o.plan, writes, transient)
	return transient
}
