package sink_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/storetest"
)

// TestRandomHistoriesWithDeadLetters: changes are damaged at random, mended one
// by one while more comes, the sink dies at any of its failpoints and replays from the first record, also into
// empty stores. When no letter is open, the stores equal the query.
func TestRandomHistoriesWithDeadLetters(t *testing.T) {
	random, rounds := randomly(t), 12
	if testing.Short() {
		rounds = 2
	}
	damaged := 0
	for range rounds {
		some, _ := mendedHistory(t, random, false, false)
		if damaged += some; t.Failed() {
			return
		}
	}
	if damaged < 2*rounds {
		t.Errorf("only %d records were damaged", damaged)
	}
}

// TestRandomHistoriesWithDeadLettersAndRetention: as before, but the input topic loses
// what is committed, now and then, and decided letters with it. Replays begin where it does.
func TestRandomHistoriesWithDeadLettersAndRetention(t *testing.T) {
	random, rounds := randomly(t), 12
	if testing.Short() {
		rounds = 2
	}
	removed := 0
	for range rounds {
		_, some := mendedHistory(t, random, true, false)
		if removed += some; t.Failed() {
			return
		}
	}
	if removed < rounds && !testing.Short() {
		t.Errorf("only %d letters were removed", removed)
	}
}

// TestRandomHistoriesWithDeadLettersAndOutages: as before, but one store or the other is away now and then.
func TestRandomHistoriesWithDeadLettersAndOutages(t *testing.T) {
	random, rounds := randomly(t), 8
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		if mendedHistory(t, random, false, true); t.Failed() {
			return
		}
	}
}

// comeAndGo takes stores away for moments until the test or the returned function ends it.
func comeAndGo(t *testing.T, random *rand.Rand, outages ...*outage) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	random = rand.New(rand.NewPCG(random.Uint64(), 0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			out := outages[random.IntN(len(outages))]
			for _, down := range []bool{true, false} {
				out.down.Store(down)
				select {
				case <-time.After(time.Duration(10+random.IntN(60)) * time.Millisecond):
				case <-ctx.Done():
				}
			}
			out.down.Store(false)
		}
	}()
	return func() {
		stop()
		<-done
	}
}

// retain trims partitions shortly before what is committed, and returns where they begin now.
// Topics are compacted.
func (r *rig) retain(random *rand.Rand) (starts [partitions]int64) {
	r.t.Helper()
	r.cluster.Compact()
	for p := range starts {
		if at := r.committed(int32(p)); at > 0 && random.IntN(2) == 0 {
			r.trim(int32(p), at-random.Int64N(min(at, 5)+1))
		}
	}
	listed, err := kadm.NewClient(r.client()).ListStartOffsets(r.t.Context(), "t")
	if err != nil {
		r.t.Fatal(err)
	}
	for p := range starts {
		starts[p] = listed["t"][int32(p)].Offset
	}
	return starts
}

// damage makes a record that nobody, or one store, can process.
func damage(random *rand.Rand, record *kgo.Record) {
	refused := bytes.Replace(record.Value, []byte(`"ios"`), []byte(`"refused"`), 1)
	if random.IntN(2) == 0 || bytes.Equal(record.Value, refused) {
		refused = []byte("{")
	}
	record.Value = refused
}

// damageSome damages records at random, notes what they were by their versions, and returns how many.
func damageSome(random *rand.Rand, records []*kgo.Record, sound map[string][]byte) (damaged int) {
	for _, record := range records {
		if record.Key != nil && random.IntN(12) == 0 {
			sound[string(record.Headers[3].Value)] = record.Value
			damage(random, record)
			damaged++
		}
	}
	return damaged
}

// runUntilCrash runs the sink to its first failpoint, or until there is nothing left to do.
func (r *rig) runUntilCrash(model *storetest.Model, stores ...sink.Store) {
	r.t.Helper()
	cfg := r.letters()
	ctx, crash := context.WithCancel(r.t.Context())
	defer crash()
	cfg.Failpoint = func(sink.Failpoint) { crash() }
	crashing, alive := uncommitted(r, cfg)
	if behind := r.runUntil(ctx, crashing, model, stores...); len(behind) > 0 && ctx.Err() == nil {
		r.t.Fatalf("neither a failpoint nor the end was reached: %v", behind)
	}
	alive()
}

// mendedHistory returns how many records were damaged, and letters removed.
func mendedHistory(t *testing.T, random *rand.Rand, retention, outages bool) (damaged, removed int) {
	t.Helper()
	r, s, model, strict := newRig(t), newSource(partitions), storetest.NewModel(), storetest.NewModel()
	modelOut, strictOut := &outage{name: "model"}, &outage{name: "strict"}
	if outages {
		defer comeAndGo(t, random, modelOut, strictOut)()
	}
	pairOf := func() []sink.Store {
		return []sink.Store{leaving{model, modelOut}, checking{refusing{trailing{leaving{strict, strictOut}, t, model}, new(atomic.Bool)}}}
	}
	stores := pairOf()
	sound := map[string][]byte{} // by version: the value as the source wrote it
	seen := map[string]bool{}    // letters
	more := func(steps int) {
		var sent [partitions]int
		for p := range sent {
			sent[p] = len(s.partitions[p])
		}
		for range steps {
			randomStep(random, s)
		}
		for p := range sent {
			damaged += damageSome(random, s.partitions[p][sent[p]:], sound)
		}
		r.produce(s, kgo.TryCommit)
	}
	var starts [partitions]int64
	if retention {
		r.createTopic(compacted())
	}
	drain := func() {
		if retention && random.IntN(2) == 0 {
			starts = r.retain(random)
		}
		if random.IntN(3) == 0 {
			r.runUntilCrash(model, stores...)
		}
		cfg := r.letters()
		cfg.BreakAfter, cfg.Wait = 5*time.Millisecond, time.Minute // both stores are needed now and then, and their probes often come in vain
		r.runUntilDrained(cfg, model, stores...)
	}
	mend := func(steps int) {
		for drain(); ; drain() {
			book := r.book()
			for _, f := range book.All() {
				seen[f.ID] = true
			}
			heads := book.Heads()
			if len(heads) == 0 {
				return
			}
			head := heads[random.IntN(len(heads))]
			r.decide(head.ID, sink.Order{State: deadletter.Retried, Value: sound[string(r.letter(head.ID).Letter.Record.Headers[3].Value)]})
			if random.IntN(2) == 0 && steps > 0 {
				more(5)
				steps -= 5
			}
		}
	}
	more(60)
	mend(40)
	wantEqual(t, s, model)
	wantEqual(t, s, strict)
	// A replay may meet a damaged change alone that a later one had hidden.
	for range 2 {
		for p := range int32(partitions) {
			r.commit(p, starts[p])
		}
		mend(0)
		wantEqual(t, s, model)
		wantEqual(t, s, strict)
		if retention {
			continue // what is gone does not come again
		}
		model, strict = storetest.NewModel(), storetest.NewModel()
		stores = pairOf()
	}
	return damaged, len(seen) - len(r.book().All())
}
