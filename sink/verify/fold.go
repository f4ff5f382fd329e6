package verify

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink/plan"
)

// history is the checksums of the rows of both tables as the input topic has them,
// without keeping any: what a change replaced is taken out of the sum again. So it is
// exact only of rows of which the topic has every change; of all others it differs.
type history struct {
	plan   *plan.Plan
	hasher *hasher

	mu         sync.Mutex
	partitions map[int32]*[sides]*fold // guarded by mu; a partition's are its reader's

	unreadable atomic.Int64
}

func newHistory(p *plan.Plan, h *hasher) *history {
	return &history{plan: p, hasher: h, partitions: make(map[int32]*[sides]*fold)}
}

// take takes the next records of a partition.
func (h *history) take(partition int32, records []*kgo.Record) error {
	h.mu.Lock()
	folds := h.partitions[partition]
	if folds == nil {
		folds = &[sides]*fold{newFold(), newFold()}
		h.partitions[partition] = folds
	}
	h.mu.Unlock()
	for _, r := range records {
		c, err := parseChange(h.plan, r)
		switch {
		case errors.Is(err, errNoChange):
			continue
		case err != nil:
			h.unreadable.Add(1)
			continue
		case c.truncate:
			folds[c.side] = newFold()
			continue
		}
		f := folds[c.side]
		if c.before != nil {
			f.sums[h.hasher.bucketOf(c.before.key)].take(h.hasher.digest(c.before.entry()))
		}
		if c.after != nil {
			f.sums[h.hasher.bucketOf(c.after.key)].add(h.hasher.digest(c.after.entry()))
		}
	}
	return nil
}

// fold returns the checksums of one table.
func (h *history) fold(of side) *fold {
	all := newFold()
	for _, folds := range h.partitions {
		for b := range all.sums {
			all.sums[b].merge(folds[of].sums[b])
		}
	}
	return all
}

// latest is the last change of each row, of some buckets of each table: the compacted
// view of the input topic.
type latest struct {
	plan   *plan.Plan
	hasher *hasher
	wanted [sides]set // nil for no bucket
	reader *topic

	mu        sync.Mutex
	rows      [sides]map[string]lastChange   // guarded by mu
	truncated [sides]map[int32]int64         // guarded by mu: by partition, the version of the last truncation
	keys      func(of side, key string) bool // when set, of these keys alone; see narrow
}

// lastChange is a row's last.
type lastChange struct {
	version   int64
	partition int32
	values    []plan.Value // nil of a row that was deleted
}

func newLatest(p *plan.Plan, h *hasher) *latest {
	l := &latest{plan: p, hasher: h}
	for s := range sides {
		l.rows[s], l.truncated[s] = make(map[string]lastChange), make(map[int32]int64)
	}
	return l
}

// take takes the next records of a partition.
func (l *latest) take(partition int32, records []*kgo.Record) error {
	for _, r := range records {
		c, err := parseChange(l.plan, r)
		if err != nil {
			continue // the row differs, then
		}
		l.mu.Lock()
		l.fold(&c, partition)
		l.mu.Unlock()
	}
	return nil
}

func (l *latest) fold(c *change, partition int32) {
	if c.truncate {
		l.truncated[c.side][partition] = max(l.truncated[c.side][partition], c.version)
		return
	}
	for _, i := range []*image{c.before, c.after} {
		if i == nil || i == c.before && c.after != nil && c.after.key == c.before.key || !l.wants(c.side, i.key) {
			continue
		}
		have, found := l.rows[c.side][i.key]
		if found && have.version >= c.version {
			continue
		}
		last := lastChange{version: c.version, partition: partition}
		if i == c.after {
			last.values = i.values
		}
		l.rows[c.side][i.key] = last
	}
}

func (l *latest) wants(of side, key string) bool {
	if l.keys != nil {
		return l.keys(of, key)
	}
	return l.wanted[of] != nil && l.wanted[of].has(l.hasher.bucketOf(key))
}

// row returns a row as the topic has it, nil for none; known says that it has a change
// of it.
func (l *latest) row(of side, key string) (e *entry, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.rows[of][key]
	if !known || last.values == nil || last.version < l.truncated[of][last.partition] {
		return nil, known
	}
	return &entry{key: key, values: last.values, version: last.version}, true
}

// narrow forgets all rows but some, and takes no others from then on.
func (l *latest) narrow(keep func(of side, key string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = keep
	for s := range l.rows {
		for key := range l.rows[s] {
			if !keep(side(s), key) {
				delete(l.rows[s], key)
			}
		}
	}
}
