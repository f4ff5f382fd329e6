package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/sink/plan"
)

const (
	rejoinSlice = 50 * time.Millisecond // how long a step works on the rows of a partition's rejoins
	rejoinTold  = time.Second           // how often a commit tells how far they are, if nothing else is to be committed
	maxPage     = 10_000                // rows; no store has larger pages
	maxRejoins  = 1000                  // of a partition; more lookup rows are joined at once
)

// rejoin joins the stored rows of one join value with its lookup row again, when they are
// many: page by page, between the batches of its partition. Until it has ended the offset of the change
// stays uncommitted, so that whoever owns the partition next meets the change again, and goes on
// behind the last page that every store has: the bookmark is kept with the offset. A later change of the lookup row takes
// its place, and begins with the first row. Rows that come meanwhile are joined with the new lookup
// row already, at higher versions, by which every store knows them from a page's.
type rejoin struct {
	*group

	instead *rejoin // whose place it took

	from  Progress // below it everything is durable, and nothing above is committed
	begun time.Time

	bookmark []byte // behind the last page that the owner's stores have
	kept     []byte // behind the last page that every store has
	partly   bool   // a page since was not for every store: one of them has a lane
	rows     int64  // that were joined, also by owners before
	read     bool   // no page is left: the totals are
}

// Rejoin is how far the stored rows of a join value are joined with its lookup row again.
type Rejoin struct {
	Join     string // as the records' key has it
	Version  int64  // of the lookup row
	Rows     int64  // that every store has, or had before a page came again
	Bookmark string // where it goes on; see [Lookup]
}

var (
	errMany      = errors.New("too many rows to be joined at once")
	errEnough    = errors.New("enough for now")
	errRejoining = fmt.Errorf("%w: rows are being joined again", errHeld)
)

// rejoin joins the stored rows of a group again. It returns what is left of it, nil for nothing; what is
// left of an earlier change is covered by that.
func (o *owner) rejoin(ctx context.Context, g *group) (*rejoin, error) {
	j := &rejoin{group: g, from: o.last, begun: time.Now()}
	key := plan.KeyText(g.join)
	before, resumed := o.resumed[key]
	if resumed = resumed && o.mode == leads && before.Version == g.lookup.Version; resumed {
		j.bookmark, j.rows = []byte(before.Bookmark), before.Rows
	}
	some := o.atOnce
	if o.refused[key] == g.lookup.Version || len(o.rejoins) >= maxRejoins {
		some = 0
	}
	rows := 0
	err := o.lookup.Rows(ctx, g.join, j.bookmark, func(stored []plan.Stored, bookmark []byte) error {
		rows += len(stored)
		if err := o.rejoinPage(ctx, j, stored, bookmark); err != nil {
			return err
		}
		if some > 0 && rows >= some {
			return errMany
		}
		return nil
	})
	left := errors.Is(err, errMany)
	if resumed {
		o.totals.touchAll(g.join, left) // by pages of before, too
	}
	if !left && (err != nil || !o.isRejoined(g.join)) {
		return nil, err
	}
	j.read = !left
	j.group = &group{plan: g.plan, mode: g.mode, join: g.join, lookup: g.lookup, turns: []*plan.LookupRow{g.lookup}, ahead: g.ahead}
	return j, nil
}

// rejoinPage makes a page durable in the owner's stores.
func (o *owner) rejoinPage(ctx context.Context, j *rejoin, stored []plan.Stored, bookmark []byte) error {
	writes, err := j.otherSide(stored)
	if err != nil {
		return err
	}
	if err := o.write(ctx, writes); err != nil {
		return err
	}
	j.rows += int64(len(stored))
	j.bookmark = slices.Clone(bookmark)
	if j.partly = j.partly || len(o.lanes) > 0; !j.partly {
		j.kept = j.bookmark
	}
	return nil
}

// begins puts a rejoin in the place of that of an earlier change.
func (o *owner) begins(j *rejoin) {
	at := slices.IndexFunc(o.rejoins, func(other *rejoin) bool { return other.join == j.join })
	if at < 0 {
		o.rejoins = append(o.rejoins, j)
		return
	}
	j.instead = o.rejoins[at]
	o.rejoins[at] = j
}

// undo takes back what an attempt has begun whose records are not durable: they may be refused, or held.
func (o *owner) undo() {
	durable := o.rejoins[:0]
	for _, j := range o.rejoins {
		for j != nil && j.from.Offset >= o.last.Offset {
			j = j.instead
		}
		if j != nil {
			j.instead = nil
			durable = append(durable, j)
		}
	}
	clear(o.rejoins[len(durable):])
	o.rejoins = durable
}

// isRejoined reports whether stored rows of a join value are being joined again.
func (o *owner) isRejoined(join plan.Value) bool {
	return slices.ContainsFunc(o.rejoins, func(j *rejoin) bool { return j.join == join })
}

// below is the progress of the stores that have no lane: as of next, or of the first change whose
// rejoin has not ended.
func (o *owner) below() Progress {
	p := o.last
	for _, j := range o.rejoins {
		if j.from.Offset < p.Offset {
			p = j.from
		}
	}
	return p
}

// rejoinProgress is how far the rejoins are, in the order of their work.
func (o *owner) rejoinProgress() (list []Rejoin) {
	for _, j := range o.rejoins {
		list = append(list, Rejoin{Join: plan.KeyText(j.join), Version: j.lookup.Version, Rows: j.rows, Bookmark: string(j.kept)})
	}
	return list
}

// rejoinSome works on the rejoins of an owner for a moment.
func (s *Sink) rejoinSome(ctx context.Context, o *owner) error {
	until := time.Now().Add(rejoinSlice)
	for len(o.rejoins) > 0 && o.refuses == nil && !o.blind() && ctx.Err() == nil {
		if now := time.Now(); now.After(until) || now.Before(o.rests) {
			return nil
		}
		j := o.rejoins[0]
		err := s.rejoinPages(ctx, o, j, until)
		if err == nil && j.read {
			err = s.rejoined(ctx, o, j)
		}
		if err != nil {
			return s.rejoinFailed(o, j, err)
		}
		o.failing = time.Time{}
	}
	return nil
}

// rejoinFailed says what becomes of a failure: the next step goes on after those that waiting mends.
func (s *Sink) rejoinFailed(o *owner, j *rejoin, err error) error {
	switch {
	case asRecordError(err) != nil:
		o.refuses = j
	case fault.KindOf(err) != fault.Unreachable:
		return err
	case o.leaveBehind(s):
		o.failing = time.Time{}
	case o.failing.IsZero():
		o.failing = time.Now()
	case time.Since(o.failing) >= s.cfg.Wait:
		return gaveUp(err, s.cfg.Wait)
	}
	return nil
}

// rejoinPages joins the rows of some pages again, and notes when none is left.
func (s *Sink) rejoinPages(ctx context.Context, o *owner, j *rejoin, until time.Time) error {
	if j.read {
		return nil
	}
	o.totals.deferring(true)
	defer o.totals.deferring(false)
	err := o.lookup.Rows(ctx, j.join, j.bookmark, func(stored []plan.Stored, bookmark []byte) error {
		if err := o.rejoinPage(ctx, j, stored, bookmark); err != nil {
			return err
		}
		s.cfg.reach(FailRejoined)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		now := time.Now()
		o.rests = now.Add(s.pace.ReserveN(now, len(stored)).DelayFrom(now))
		if now.After(until) || o.rests.After(now) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	if err != nil {
		return err
	}
	j.read = true
	o.totals.ripen()
	return nil
}

// rejoined ends a rejoin whose rows are all durable, when their totals are.
func (s *Sink) rejoined(ctx context.Context, o *owner, j *rejoin) error {
	if err := o.totals.settle(ctx, nil, o.writeTotals); err != nil {
		return err
	}
	o.rejoins = o.rejoins[1:]
	o.carried(j)
	s.log.Info("joined stored rows again", zap.Int32(keyPartition, o.partition), zap.Int64("version", j.lookup.Version), zap.Int64("rows", j.rows),
		zap.Duration(keyWaited, time.Since(j.begun)))
	return nil
}

// carried notes that all stored rows are joined with the lookup row of a rejoin.
func (o *owner) carried(j *rejoin) {
	if o.begun[j.join] > j.lookup.Version {
		return // an attempt at a later change has begun
	}
	delete(o.begun, j.join)
	if k, cached := o.cache.GetIfPresent(j.join); cached && k.Version == j.lookup.Version {
		k.carried = !j.ahead
		o.cache.Set(j.join, k)
	}
}

// rewind gives up the owner of a partition whose rejoin met a row that cannot be computed: the
// next one meets the change again, and joins its rows at once, so that the record is refused.
func (c *consumer) rewind(partition int32, o *owner) {
	at := o.progress()
	j := o.refuses
	o.end()
	delete(c.owners, partition)
	set := map[string][]int32{c.sink.cfg.Topic: {partition}}
	if o.paused {
		c.client.ResumeFetchPartitions(set)
	}
	if c.refused[partition] == nil {
		c.refused[partition] = make(map[string]int64)
	}
	c.refused[partition][plan.KeyText(j.join)] = j.lookup.Version
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.sink.cfg.Topic: {partition: {Epoch: -1, Offset: at.Offset}}})
	c.sink.log.Info("a stored row cannot be joined again: goes back to the change", zap.Int32(keyPartition, partition), zap.Int64(keyOffset, at.Offset))
}
