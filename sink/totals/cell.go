package totals

import (
	"math/bits"
	"slices"

	"penstock/sink/plan"
)

// Cell is the rows of one join value and hour, with what they add up to: what the
// history holds of them, row by row, each with the version it was written at. Only so
// a change that comes again, late or out of its turn counts once. The zero Cell is
// empty.
type Cell struct {
	rows  map[rowKey]row
	kinds []string // by number, 1 the first

	sums     Sums
	met      uint64   // the minutes, as bits, that rows were in
	minutes  []Minute // of those, in their order
	sketch   Sketch
	sketched int    // the bytes of the sketch when it was settled last
	left     int    // rows whose user has left since the sketch was made
	changed  uint64 // the minutes, as bits, whose sums may differ since Settle
	floor    int64  // the highest version of what left
}

// rowKey tells the rows of a cell apart as the history does.
type rowKey struct {
	id, millis int64
}

// row is what one row adds. The smaller, the more cells are kept.
type row struct {
	version     int64
	user        uint64
	millis, ppm int64
	kind        uint16 // 0 for NULL; the last one for all that are too many
	minute      uint8
	has         uint8
}

const (
	hasUser = 1 << iota
	hasMillis
	hasShare
)

// maxKinds bounds the kinds of one cell. More are counted as events only.
const maxKinds = 1 << 16

// About what a cell and its parts take in memory, in bytes.
const (
	cellBytes   = 1100
	rowBytes    = 110
	minuteBytes = 40
)

// CellBytes is about what a cell of so many rows takes in memory.
func CellBytes(rows int64) int64 { return cellBytes + rowBytes*rows }

// Bytes is about what the cell takes in memory.
func (c *Cell) Bytes() int {
	return cellBytes + rowBytes*len(c.rows) + minuteBytes*len(c.minutes) + c.sketched
}

// Anew says that the cell is about to be loaded, of which a version was settled, 0 for none: any
// minute may differ from what was settled.
func (c *Cell) Anew(version int64) {
	*c = Cell{changed: everyMinute}
	c.Raise(version)
}

const everyMinute = 1<<60 - 1

// Raise says that the cell was settled at a version before: what is not above it and
// not there may have been there.
func (c *Cell) Raise(version int64) { c.floor = max(c.floor, version) }

func keyOf(t *plan.Totals, r plan.Row) rowKey {
	return rowKey{id: r[t.ID].Int(), millis: plan.Millis(r[t.Time])}
}

// Put notes that a row was written to the history. It reports false when the cell
// cannot know what the history has now, and has to be read again: the row is not
// there, but something of its version or a higher one left or was settled.
func (c *Cell) Put(t *plan.Totals, r plan.Row, version int64) bool {
	key := keyOf(t, r)
	old, found := c.rows[key]
	c.touch(t, r)
	switch {
	case found && old.version >= version:
		return true
	case !found && version <= c.floor:
		return false
	}
	c.put(t, key, r, version)
	return true
}

// Load notes a row that the history has.
func (c *Cell) Load(t *plan.Totals, r plan.Row, version int64) { c.put(t, keyOf(t, r), r, version) }

func (c *Cell) put(t *plan.Totals, key rowKey, r plan.Row, version int64) {
	if c.rows == nil {
		c.rows = make(map[rowKey]row)
	}
	entry := row{version: version, minute: uint8(plan.MinuteOf(r[t.Time]))}
	if kind := r[t.Kind]; !kind.IsNull() {
		entry.kind = c.kindOf(kind.Text())
	}
	if user := r[t.User]; !user.IsNull() {
		entry.user, entry.has = hashUser(user.Text()), entry.has|hasUser
	}
	if millis := r[t.Millis]; !millis.IsNull() {
		entry.millis, entry.has = millis.Int(), entry.has|hasMillis
	}
	if share := r[t.Share]; !share.IsNull() {
		entry.ppm, entry.has = partsPerMillion(share.Float()), entry.has|hasShare
	}
	if old, found := c.rows[key]; found {
		c.take(&old, entry.user)
	}
	if entry.has&hasUser != 0 && c.left == 0 {
		c.sketch.add(entry.user)
	}
	c.rows[key] = entry
	c.count(&entry, 1)
}

// Remove notes that a row was removed from the history.
func (c *Cell) Remove(t *plan.Totals, r plan.Row, version int64) {
	c.floor = max(c.floor, version)
	key := keyOf(t, r)
	c.touch(t, r)
	if old, found := c.rows[key]; found && old.version <= version {
		c.take(&old, 0)
		delete(c.rows, key)
	}
}

// touch makes the minute of a row be written again, also when nothing changes in it: an owner before may have come
// further, and one store may have the minute as it was then.
func (c *Cell) touch(t *plan.Totals, r plan.Row) { c.changed |= 1 << plan.MinuteOf(r[t.Time]) }

// take takes a row away, in whose place one of a user comes, 0 for none.
func (c *Cell) take(old *row, user uint64) {
	c.count(old, -1)
	if old.has&hasUser != 0 && old.user != user {
		c.left++
	}
}

// count adds a row n times to the sums.
func (c *Cell) count(r *row, n int64) {
	s, m := &c.sums, c.minute(r.minute)
	c.changed |= 1 << r.minute
	s.Events += n
	m.Events += n
	if r.kind != 0 {
		s.addKind(c.kinds[r.kind-1], n)
	}
	if r.has&hasMillis != 0 {
		s.Millis += n * r.millis
		m.Millis += n * r.millis
	}
	if r.has&hasShare != 0 {
		s.Shares += n
		s.ShareSum += n * r.ppm
		s.Histogram[barOf(r.ppm)] += n
		m.Shares += n
		m.ShareSum += n * r.ppm
	}
}

// minute is the sums of a minute. They may move when another is asked for.
func (c *Cell) minute(n uint8) *Minute {
	bit := uint64(1) << n
	i := bits.OnesCount64(c.met & (bit - 1))
	if c.met&bit == 0 {
		c.met |= bit
		c.minutes = slices.Insert(c.minutes, i, Minute{})
	}
	return &c.minutes[i]
}

// kindOf is the number of a kind.
func (c *Cell) kindOf(kind string) uint16 {
	for i, have := range c.kinds {
		if have == kind {
			return uint16(i + 1)
		}
	}
	if len(c.kinds) == maxKinds-1 {
		return 0
	}
	c.kinds = append(c.kinds, kind)
	return uint16(len(c.kinds))
}

// Settle returns what the cell adds up to, and how many rows have left their user since it
// was settled last, and begins to note changes anew.
func (c *Cell) Settle() (v Value, left int) {
	left = c.left
	if left > 0 {
		c.sketch, c.left = Sketch{}, 0
		for _, r := range c.rows {
			if r.has&hasUser != 0 {
				c.sketch.add(r.user)
			}
		}
	}
	v = Value{Changed: c.changed, Users: c.sketch.Users(), Sketch: c.sketch.Bytes()}
	c.sketched = len(v.Sketch)
	for n, i := 0, 0; i < len(c.minutes); n++ {
		if c.met&(1<<n) != 0 {
			v.Minutes[n] = c.minutes[i]
			i++
		}
	}
	v.Sums.Add(&c.sums, 1)
	c.changed = 0
	return v, left
}
