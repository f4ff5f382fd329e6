package simulation_test

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"penstock/schema"
)

// The tables of every run. The first two are the sides of a pipeline and log
// whole old rows; the third logs its key only.
const (
	tableEvent   = "event"   // id, content_id, v
	tableContent = "content" // id, kind, v
	tableNote    = "note"    // id, kind, v
)

// row is a row of any of the tables. Its v is unique over all changes of a run:
// by it a change is known again.
type row struct{ id, ref, v string }

// change is one change message of a commit.
type change struct {
	op       schema.Op
	table    string
	old, new row        // as far as the operation has them
	toasted  bool       // of an update: ref is not sent again
	lsn      schema.LSN // of the row, which is below its commit's and in no order to other commits'
}

// entry is one record of the log that a slot can see: a commit, a logical
// message, or, with neither, log that is of no interest to it.
type entry struct {
	start, end schema.LSN // of the commit record, or of the message
	commit     *commit
	message    *message
}

// commit is a transaction.
type commit struct {
	xid      uint32
	at       time.Time // by a clock that may jump
	changes  []change  // none in an empty transaction
	messages []message // transactional ones, sent before the changes
}

// message is what pg_logical_emit_message wrote.
type message struct {
	prefix, content string
	transactional   bool
	lsn             schema.LSN
}

// wal is the log of a server: what is committed, in order. Safe for concurrent use.
type wal struct {
	mu      sync.Mutex
	entries []entry
	end     schema.LSN
	changed chan struct{} // closed and replaced when there is more
}

// firstLSN is where the log begins.
const firstLSN schema.LSN = 0x1_0000_0100

func newWAL() *wal { return &wal{end: firstLSN, changed: make(chan struct{})} }

// next returns the first entry whose record starts at or after from, and a
// channel that is closed when there is more.
func (w *wal) next(from schema.LSN) (entry, bool, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The readers are near the end: look from there.
	i := len(w.entries)
	for i > 0 && w.entries[i-1].start >= from {
		i--
	}
	if i == len(w.entries) {
		return entry{}, false, w.changed
	}
	return w.entries[i], true, w.changed
}

// flushed is the end of the log.
func (w *wal) flushed() schema.LSN {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end
}

// commits returns all commits so far, in order.
func (w *wal) commits() []entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []entry
	for _, e := range w.entries {
		if e.commit != nil {
			all = append(all, e)
		}
	}
	return all
}

// truncate loses the log from at on, as a standby does that is behind.
func (w *wal) truncate(at schema.LSN) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n := len(w.entries); n > 0 && w.entries[n-1].end > at; n-- {
		w.entries = w.entries[:n-1]
	}
	w.end = at
}

// add appends what record makes of the log's end.
func (w *wal) add(record func(end schema.LSN) entry) entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := record(w.end)
	w.entries = append(w.entries, e)
	w.end = e.end
	close(w.changed)
	w.changed = make(chan struct{})
	return e
}

// emit appends a non-transactional message, as a heartbeat does.
func (w *wal) emit(prefix, content string) schema.LSN {
	return w.add(func(end schema.LSN) entry {
		return entry{start: end, end: end + 64, message: &message{prefix: prefix, content: content, lsn: end}}
	}).end
}

// author writes a run's transactions, from a seed and nothing else.
type author struct {
	rand   *rand.Rand
	wal    *wal
	xid    uint32
	serial int // of the last v
	clock  time.Time
	rows   map[string][]row // of each table, as they are now
	large  int              // a commit of this size is split
}

func newAuthor(seed uint64, w *wal, large int) *author {
	return &author{
		rand: rand.New(rand.NewPCG(seed, 1)), wal: w, xid: 700, large: large,
		clock: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), rows: map[string][]row{},
	}
}

// write appends one more entry to the log.
func (a *author) write() { a.wal.add(a.entry) }

func (a *author) entry(start schema.LSN) entry {
	if a.rand.IntN(3) > 0 { // else the commit record is adjacent to the last
		start += schema.LSN(8 * (1 + a.rand.IntN(40)))
	}
	switch dice := a.rand.IntN(20); {
	case dice == 0:
		return entry{start: start, end: start + schema.LSN(8*(1+a.rand.IntN(4000)))}
	case dice == 1:
		m := message{prefix: "note", content: strconv.Itoa(a.serial), lsn: start}
		return entry{start: start, end: start + 64, message: &m}
	case dice == 2:
		return entry{start: start, end: start + 48, commit: a.commit(start, 0)}
	case dice <= 5:
		return entry{start: start, end: start + 48, commit: a.commit(start, a.large+a.rand.IntN(3*a.large))}
	default:
		return entry{start: start, end: start + 48, commit: a.commit(start, 1+a.rand.IntN(4))}
	}
}

// commit makes a transaction of n changes.
func (a *author) commit(start schema.LSN, n int) *commit {
	a.xid++
	a.clock = a.clock.Add(time.Duration(a.rand.IntN(300)) * time.Millisecond)
	switch a.rand.IntN(20) {
	case 0:
		a.clock = a.clock.Add(time.Hour)
	case 1:
		a.clock = a.clock.Add(-time.Hour)
	}
	c := &commit{xid: a.xid, at: a.clock}
	if a.rand.IntN(10) == 0 {
		c.messages = append(c.messages, message{prefix: "note", content: "in", transactional: true, lsn: start - 8})
	}
	at := start - schema.LSN(8*(n+a.rand.IntN(200)))
	for range n {
		if a.rand.IntN(4) > 0 { // else one record of the log holds several rows
			at += 8
		}
		change := a.change()
		change.lsn = at
		c.changes = append(c.changes, change)
	}
	return c
}

func (a *author) change() change {
	table := []string{tableEvent, tableEvent, tableContent, tableNote}[a.rand.IntN(4)]
	rows := a.rows[table]
	dice := a.rand.IntN(40)
	switch {
	case dice == 0:
		a.rows[table] = nil
		return change{op: schema.OpTruncate, table: table}
	case dice < 16 || len(rows) == 0:
		r := row{id: strconv.Itoa(a.serial + 1), ref: a.ref(), v: a.value()}
		a.rows[table] = append(rows, r)
		return change{op: schema.OpCreate, table: table, new: r}
	}
	i := a.rand.IntN(len(rows))
	old := rows[i]
	if dice < 22 {
		a.rows[table] = append(rows[:i:i], rows[i+1:]...)
		return change{op: schema.OpDelete, table: table, old: old}
	}
	c := change{op: schema.OpUpdate, table: table, old: old, new: row{id: old.id, ref: old.ref, v: a.value()}}
	switch {
	case dice < 25:
		c.new.id = c.new.v
	case dice < 29:
		c.new.ref = a.ref()
	default:
		c.toasted = a.rand.IntN(4) == 0
	}
	rows[i] = c.new
	return c
}

func (a *author) value() string {
	a.serial++
	return strconv.Itoa(a.serial)
}

// ref is one of a few, so that joins meet.
func (a *author) ref() string { return strconv.Itoa(1 + a.rand.IntN(5)) }
