package spool_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// world is a server that streams transactions at random, and what a server that
// does not stream would send for the same.
type world struct {
	*rand.Rand

	sent, want [][]byte
	running    []*running
	next       uint32 // transaction id
	rows       int
}

// running is a transaction that has not ended.
type running struct {
	xid     uint32
	sub     []uint32 // subtransactions under way, the innermost last, below them xid
	kept    []kept
	started bool // its first block was sent
}

type kept struct {
	xid     uint32
	parents []uint32
	message []byte
}

func newWorld(seed uint64) *world { return &world{Rand: rand.New(rand.NewPCG(seed, seed)), next: 1} }

func (w *world) id() uint32 {
	w.next++
	return w.next
}

func (w *world) message() []byte {
	w.rows++
	size := w.IntN(20)
	if w.IntN(400) == 0 { // more than a buffer
		size = w.IntN(400 << 10)
	}
	return row(table, fmt.Sprintf("%d %s", w.rows, bytes.Repeat([]byte{'.'}, size)))
}

// step lets something happen.
func (w *world) step() {
	if len(w.running) == 0 || w.IntN(12) == 0 {
		xid := w.id()
		w.running = append(w.running, &running{xid: xid, sub: []uint32{xid}})
		return
	}
	i := w.IntN(len(w.running))
	tx := w.running[i]
	switch w.IntN(20) {
	case 0: // a transaction that is not streamed
		xid := w.id()
		whole := list(beginOf(xid), w.message(), w.message(), commitOf(xid))
		w.sent, w.want = append(w.sent, whole...), append(w.want, whole...)
	case 1, 2, 3: // SAVEPOINT
		tx.sub = append(tx.sub, w.id())
	case 4: // RELEASE
		if len(tx.sub) > 1 {
			tx.sub = tx.sub[:len(tx.sub)-1]
		}
	case 5, 6: // ROLLBACK TO
		if len(tx.sub) > 1 {
			w.rollBack(tx, tx.sub[1+w.IntN(len(tx.sub)-1)])
		}
	case 7: // ROLLBACK
		if w.IntN(3) == 0 && tx.started {
			w.rollBack(tx, tx.xid)
			w.running = slices.Delete(w.running, i, i+1)
		}
	case 8: // COMMIT
		if w.IntN(2) == 0 && tx.started {
			w.commit(tx)
			w.running = slices.Delete(w.running, i, i+1)
		}
	default:
		w.block(tx)
	}
}

// block sends some changes of a transaction; it may go in and out of
// subtransactions within.
func (w *world) block(tx *running) {
	if tx.started {
		w.sent = append(w.sent, later(tx.xid))
	} else {
		w.sent = append(w.sent, first(tx.xid))
	}
	tx.started = true
	for range w.IntN(12) {
		if w.IntN(4) == 0 {
			tx.sub = append(tx.sub, w.id())
		}
		m := w.message()
		xid := tx.sub[len(tx.sub)-1]
		w.sent = append(w.sent, of(xid, m))
		tx.kept = append(tx.kept, kept{xid: xid, parents: slices.Clone(tx.sub), message: m})
		if w.IntN(4) == 0 && len(tx.sub) > 1 {
			tx.sub = tx.sub[:len(tx.sub)-1]
		}
	}
	w.sent = append(w.sent, stop())
}

// rollBack takes back a subtransaction with all that began within it, each by a
// message of its own, as the server does.
func (w *world) rollBack(tx *running, xid uint32) {
	gone := map[uint32]bool{}
	tx.kept = slices.DeleteFunc(tx.kept, func(k kept) bool {
		if !slices.Contains(k.parents, xid) {
			return false
		}
		gone[k.xid] = true
		return true
	})
	gone[xid] = true // also when nothing of its own came
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(gone))) {
		if tx.started {
			w.sent = append(w.sent, abort(tx.xid, id))
		}
	}
	if i := slices.Index(tx.sub, xid); i >= 0 {
		tx.sub = tx.sub[:max(i, 1)]
	}
}

func (w *world) commit(tx *running) {
	w.sent = append(w.sent, committed(tx.xid))
	w.want = append(w.want, beginOf(tx.xid))
	for _, k := range tx.kept {
		w.want = append(w.want, k.message)
	}
	w.want = append(w.want, commitOf(tx.xid))
}

// TestReplayIsWhatAServerSendsThatDoesNotStream, for many servers.
func TestReplayIsWhatAServerSendsThatDoesNotStream(t *testing.T) {
	const worlds, steps = 100, 300
	var rolledBack, committed, interleaved int
	for seed := range uint64(worlds) {
		w := newWorld(seed)
		for range steps {
			w.step()
			interleaved = max(interleaved, len(w.running))
		}
		s, dir := newSpool(t)
		got := mustPass(t, s, w.sent...)
		if !slices.EqualFunc(w.want, got, bytes.Equal) {
			t.Fatalf("seed %d (-want +got):\n%s", seed, cmp.Diff(sayAll(w.want), sayAll(got)))
		}
		if waiting := len(files(t, dir)); waiting > len(w.running) {
			t.Fatalf("seed %d: %d files for %d transactions", seed, waiting, len(w.running))
		}
		for _, m := range w.sent {
			switch m[0] {
			case 'A':
				rolledBack++
			case 'c':
				committed++
			}
		}
	}
	t.Logf("%d commits, %d rollbacks, up to %d transactions at a time", committed, rolledBack, interleaved)
	if rolledBack < worlds || committed < worlds || interleaved < 5 {
		t.Error("these servers do too little")
	}
}
