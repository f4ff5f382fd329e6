package simulation_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"penstock/internal/fault"
	"penstock/schema"
)

// TestSourceChanges changes the server behind a capture's back. The next capture
// says what is the matter, in a state that programs know, and writes nothing.
func TestSourceChanges(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*world)
		want   fault.State
	}{
		{"the slot is lost", func(w *world) {
			w.postgres.alter(func(s replicationSlot) *replicationSlot { s.lost = true; return &s })
		}, fault.SlotLost},
		{"the slot is dropped", func(w *world) {
			w.postgres.alter(func(replicationSlot) *replicationSlot { return nil })
		}, fault.SlotLost},
		{"the slot is created anew", func(w *world) {
			w.author.write()
			w.postgres.alter(func(replicationSlot) *replicationSlot {
				return &replicationSlot{confirmed: w.wal.flushed(), saved: w.wal.flushed()}
			})
		}, fault.GapDetected},
		{"the slot is advanced", func(w *world) {
			w.author.write()
			w.postgres.alter(func(s replicationSlot) *replicationSlot { s.confirmed = w.wal.flushed(); return &s })
		}, fault.GapDetected},
		{"a standby is promoted that is behind", func(w *world) {
			w.postgres.promote(w.behind(), time.Second)
		}, fault.Diverged},
		{"a standby is promoted that is behind, and has caught up", func(w *world) {
			w.postgres.promote(w.behind(), time.Second)
			for range 50 {
				w.author.write()
			}
		}, fault.Diverged},
		{"the server is restored to an earlier point", func(w *world) {
			at := w.behind()
			w.wal.truncate(at)
			w.postgres.alter(func(s replicationSlot) *replicationSlot { s.confirmed = min(s.confirmed, at); return &s })
		}, fault.Diverged},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(5) {
				synctest.Test(t, func(t *testing.T) { sourceChanges(t, seed+1, c.change, c.want) })
			}
		})
	}
}

func sourceChanges(t *testing.T, seed uint64, change func(*world), want fault.State) {
	t.Helper()
	w, err := newWorld(t.Context(), seed)
	if err != nil {
		t.Fatal(err)
	}
	l := w.begin()
	w.postgres.awaitSlot(w.ctx)
	for range 30 {
		w.author.write()
	}
	w.finish(l)
	before := w.count(t)
	change(w)
	l = w.begin()
	if !await(l.ended, catchUp) {
		t.Errorf("seed %d: the capture goes on", seed)
	}
	l.kill()
	<-l.ended
	if f, ok := errors.AsType[*fault.Error](l.err); !ok || f.State != want || f.Kind != fault.PositionLost {
		t.Errorf("seed %d: the capture says %v, want state %s", seed, l.err, want)
	}
	if after := w.count(t); after != before {
		t.Errorf("seed %d: %d records before, %d after it", seed, before, after)
	}
	for _, p := range w.problems {
		t.Errorf("seed %d: %s", seed, p)
	}
	w.close()
}

// behind is an LSN between two commits that Kafka has.
func (w *world) behind() schema.LSN {
	commits := w.wal.commits()
	return commits[len(commits)/2].end
}

// count is the number of committed records in all topics but that of positions.
func (w *world) count(t *testing.T) int {
	t.Helper()
	n := 0
	for _, topic := range []string{topicOf(tableEvent), topicOf(tableContent), topicOf(tableNote), pipelineTopic, transactionTopic} {
		read, err := w.kafka.readAll(w.ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		for _, records := range read {
			for _, r := range records {
				if !r.Attrs.IsControl() {
					n++
				}
			}
		}
	}
	return n
}
