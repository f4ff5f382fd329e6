package sink

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"penstock/sink/plan"
	"penstock/sink/totals"
)

const (
	settleCells = 128 // totals at most that are read, made and written together
	partBytes   = 600 // that an hour of a join value takes in memory, about

	// A sketch cannot forget: that of a join value is made anew of its hours' when more
	// rows than one in so many have left their user.
	staleUsers = 200
)

// tally keeps the totals of one partition. It is told of every write that is durable,
// notes which totals it touches, and settles them once for each batch.
//
// A cell that is kept is what the history holds: a write counts in it as it does
// there, by its version, so that nothing counts twice. One that is not kept is read from the
// history, after the batch's own writes are durable. A nil tally does nothing.
type tally struct {
	plan      *plan.Totals
	history   int // the place
	reader    TotalsReader
	partition int32
	ration    func() int64 // the bytes that may be kept

	settling sync.Mutex
	// Guarded by settling.
	wholes map[plan.Value]*whole
	turn   int64 // counts calls of settle
	from   stamp // of the last record of the batch that was settled last

	mu      sync.Mutex // taken within settling
	touches            // guarded by mu, like cells; not settled since
	later   touches    // guarded by mu: by a rejoin that has not ended
	defers  bool       // guarded by mu: what is touched is so later
	cells   map[totals.ID]*cell
}

// touches are totals that writes concern.
type touches struct {
	ids     map[totals.ID]int   // how many writes
	cleared map[plan.Value]bool // join values of which it is every hour
}

// touch is a total with how many writes concern it.
type touch struct {
	totals.ID

	writes int
}

func newTouches() touches {
	return touches{ids: make(map[totals.ID]int), cleared: make(map[plan.Value]bool)}
}

// stamp is a place in the partition: the offset of a record, and a version that rises
// with the offset, also where that of the record does not.
type stamp struct {
	offset, version int64
}

// cell is a cell that is kept.
type cell struct {
	totals.Cell

	used  int64 // the turn
	fresh int   // how many writes it has from the history, that were not seen in it
}

// whole is a join value's total over its hours.
type whole struct {
	sums   totals.Sums
	sketch totals.Sketch
	bytes  int  // of the sketch, as it was written last
	left   int  // rows that left their user since the sketch was made
	last   part // as it was written last
	hours  map[int64]part
	used   int64
}

// weight is about what it takes in memory, in bytes.
func (w *whole) weight() int { return partBytes*(1+len(w.hours)) + w.bytes }

// part is an hour of a whole, as it was written last.
type part struct {
	sums      totals.Sums
	digest    uint64
	stamp     // of the write
	partition int32
}

func newTally(p *plan.Plan, reader Lookup, partition int32, ration func() int64) *tally {
	counted, ok := reader.(TotalsReader)
	if p.Totals == nil || !ok {
		return nil
	}
	return &tally{
		plan: p.Totals, history: p.History.Place, reader: counted, partition: partition, ration: ration,
		touches: newTouches(), later: newTouches(), cells: make(map[totals.ID]*cell), wholes: make(map[plan.Value]*whole),
	}
}

// observe notes writes that are durable, or after an error may be. It may be called
// concurrently.
func (y *tally) observe(p *plan.Plan, writes []Write, err error) {
	if y == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	// Removals come last: what they find newer stays, and nothing comes back behind them.
	for _, action := range []Action{Put, Delete} {
		for i := range writes {
			if w := &writes[i]; w.Action == action && w.Touches(p, y.history) {
				y.note(p, w, err == nil)
			}
		}
	}
	for i := range writes {
		if w := &writes[i]; w.Action == ClearHistory {
			y.cleared[w.Join] = true
		}
	}
}

func (y *tally) note(p *plan.Plan, w *Write, durable bool) {
	id := totals.ID{Join: w.Row[p.Join], Hour: plan.HourOf(w.Row[y.plan.Time])}
	if y.defers {
		y.later.ids[id]++
	} else {
		y.ids[id]++
	}
	c := y.cells[id]
	switch {
	case c == nil:
	case !durable:
		delete(y.cells, id)
	case w.Action == Delete:
		c.Remove(y.plan, w.Row, w.Version)
	case !c.Put(y.plan, w.Row, w.Version):
		delete(y.cells, id)
	}
}

// forget makes the tally read everything anew that it needs. What is touched stays so.
func (y *tally) forget() {
	if y == nil {
		return
	}
	y.mu.Lock()
	clear(y.cells)
	y.mu.Unlock()
	clear(y.wholes)
}

// settle writes the totals that the batch touched, and those that a batch before it
// did that failed. The batch's own writes are durable. After an error the next call
// does it again.
func (y *tally) settle(ctx context.Context, batch []change, write func(context.Context, []Write) error) (err error) {
	if y == nil {
		return nil
	}
	y.settling.Lock()
	defer y.settling.Unlock()
	at := y.from.after(batch)
	y.turn++
	due, done := y.due()
	defer func() { done(err) }()
	ids, err := y.spread(ctx, due.ids, due.cleared)
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		n, err := y.portion(ctx, ids)
		if err != nil {
			return err
		}
		if err := y.settleSome(ctx, ids, n, at, write); err != nil {
			return err
		}
		y.evict()
		ids = ids[n:]
	}
	y.from = at
	return nil
}

// pass notes that a batch's totals are to be settled with a later one.
func (y *tally) pass(batch []change) {
	if y == nil {
		return
	}
	y.settling.Lock()
	defer y.settling.Unlock()
	y.from = y.from.after(batch)
}

// after is the stamp of the last record of a batch.
func (s stamp) after(batch []change) stamp {
	for i := range batch {
		s = s.next(&batch[i])
	}
	return s
}

// next is the stamp of a record behind another. The letters that a release sets free
// share its offset.
func (s stamp) next(c *change) stamp {
	if s.version > 0 && c.offset <= s.offset {
		return stamp{offset: s.offset, version: max(s.version, c.version)}
	}
	return stamp{offset: c.offset, version: max(s.version+1, c.version)}
}

// due takes what is touched. done gives it back after an error.
func (y *tally) due() (due touches, done func(error)) {
	y.mu.Lock()
	defer y.mu.Unlock()
	due = y.touches
	y.touches = newTouches()
	for join := range due.cleared {
		maps.DeleteFunc(y.cells, func(id totals.ID, _ *cell) bool { return id.Join == join }) // what is newer stays in the history
	}
	return due, func(err error) {
		if err == nil {
			return
		}
		y.mu.Lock()
		for id, writes := range due.ids {
			y.ids[id] += writes
		}
		maps.Copy(y.cleared, due.cleared)
		y.mu.Unlock()
		y.forget()
	}
}

// spread names every total that is touched, those of one join value side by side.
func (y *tally) spread(ctx context.Context, touched map[totals.ID]int, cleared map[plan.Value]bool) ([]touch, error) {
	all := maps.Clone(touched)
	for join := range cleared {
		err := y.reader.Totals(ctx, join, nil, func(v *totals.Value) error {
			if v.Hour != totals.Whole {
				all[v.ID] += int(v.Events)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	list := make([]touch, 0, len(all))
	for id, writes := range all {
		list = append(list, touch{ID: id, writes: writes})
	}
	slices.SortFunc(list, func(a, b touch) int {
		return cmp.Or(cmp.Compare(a.Join.Text(), b.Join.Text()), cmp.Compare(a.Join.Int(), b.Join.Int()), cmp.Compare(a.Hour, b.Hour))
	})
	return list, nil
}

// portion is how many of the totals are settled together: what has to be read for them takes half of what may be
// kept at most, unless one alone takes more. Their join values are loaded.
func (y *tally) portion(ctx context.Context, ids []touch) (int, error) {
	ids = ids[:min(len(ids), settleCells)]
	if err := y.loadWholes(ctx, ids); err != nil {
		return 0, err
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	most, taken := y.ration()/2, int64(0)
	for i, id := range ids {
		if y.cells[id.ID] == nil {
			taken += totals.CellBytes(y.wholes[id.Join].hours[id.Hour].sums.Events + int64(id.writes))
		}
		if i > 0 && taken > most {
			return i, nil
		}
	}
	return len(ids), nil
}

// settleSome makes and writes the first n totals, and those of their join values, which are loaded. The total of
// a join value comes with the last of its hours: with each it would say another thing at the same version.
func (y *tally) settleSome(ctx context.Context, all []touch, n int, at stamp, write func(context.Context, []Write) error) error {
	ids := all[:n]
	if err := y.loadCells(ctx, ids); err != nil {
		return err
	}
	writes, err := y.hours(ids, at)
	if err != nil {
		return err
	}
	var again []plan.Value // those whose users are counted anew, of what their hours have then
	for i, id := range ids {
		if i+1 < len(all) && all[i+1].Join == id.Join {
			continue
		}
		if w := y.wholes[id.Join]; int64(w.left)*staleUsers > w.sketch.Users() {
			again = append(again, id.Join)
			continue
		}
		writes = append(writes, y.wholeOf(id.Join, at))
	}
	if err := write(ctx, writes); err != nil || len(again) == 0 {
		return err
	}
	writes = writes[:0]
	for _, join := range again {
		if err := y.resketch(ctx, join); err != nil {
			return err
		}
		writes = append(writes, y.wholeOf(join, at))
	}
	return write(ctx, writes)
}

// wholeOf is the write of a join value's total.
func (y *tally) wholeOf(join plan.Value, at stamp) Write {
	w := y.wholes[join]
	v := totals.Value{ID: totals.ID{Join: join, Hour: totals.Whole}, Users: w.sketch.Users(), Sketch: w.sketch.Bytes()}
	w.bytes = len(v.Sketch)
	v.Sums.Add(&w.sums, 1)
	w.last = y.sign(&v, w.last, at)
	return Write{Action: PutTotals, Version: v.Version, Totals: &v}
}

// hours are the writes of cells, which are loaded. They count in their wholes.
func (y *tally) hours(ids []touch, at stamp) ([]Write, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	writes := make([]Write, 0, len(ids))
	for _, id := range ids {
		c, w := y.cells[id.ID], y.wholes[id.Join]
		if c == nil {
			continue // touched while it was read: the next call has it
		}
		v, left := c.Settle()
		v.ID = id.ID
		before := w.hours[id.Hour]
		if before.version > 0 {
			left += c.fresh // each may have been one that left
		}
		c.fresh = 0
		w.hours[id.Hour] = y.sign(&v, before, at)
		c.Raise(v.Version)
		w.left += left
		w.sums.Add(&v.Sums, 1)
		w.sums.Add(&before.sums, -1)
		if err := w.sketch.Merge(v.Sketch); err != nil {
			return nil, err
		}
		writes = append(writes, Write{Action: PutTotals, Version: v.Version, Totals: &v})
	}
	return writes, nil
}

// sign says what a value includes. Its version is that of the batch, so that it is above
// whatever an owner wrote who had come less far, in whichever store; where that is not above
// what was written before, as of a replay, it is what it was, unless the value is another.
func (y *tally) sign(v *totals.Value, before part, at stamp) part {
	p := part{sums: v.Sums, digest: v.Digest(), partition: y.partition, stamp: at}
	switch {
	case at.version > before.version:
	case p.digest == before.digest:
		p = before
	default:
		p.version = before.version + 1
	}
	v.Partition, v.Offset, v.Version = p.partition, p.offset, p.version
	return p
}
