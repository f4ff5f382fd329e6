package sink_test

import (
	"context"
	"errors"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// whole is a model whose history can be read as a whole.
type whole struct {
	*storetest.Model
	plan *plan.Plan
}

func (w whole) ScanHistory(_ context.Context, visit func([]plan.Stored) error) error {
	for rows := w.At(w.plan.History.Place); len(rows) > 0; {
		n := min(3, len(rows))
		if err := visit(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// shopRig is a sink of the pipeline that is unlike the preset.
type shopRig struct {
	*rig
	shop            *shop
	history, latest *storetest.Model
}

func (r *shopRig) sinkOf(history, latest *storetest.Model) *sink.Sink {
	r.t.Helper()
	cfg := r.config()
	cfg.Plan, cfg.Batch = r.shop.plan, 1000 // other runs than those of who wrote first
	s, err := sink.New(cfg, history, []sink.Store{named{history, "cassandra"}, named{latest, "redis"}}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *shopRig) replay(store string, history, latest *storetest.Model) {
	r.t.Helper()
	var last sink.ReplayProgress
	if err := r.sinkOf(history, latest).Replay(r.t.Context(), store, func(at sink.ReplayProgress) { last = at }); err != nil {
		r.t.Fatal(err)
	}
	if last.Done == 0 || last.Done > last.Total || last.Done < last.Total-partitions*20 { // markers are no records
		r.t.Errorf("the progress came to %+v", last)
	}
}

// everything is what stands at every place of a model, with versions.
func (r *shopRig) everything(model *storetest.Model) (places []map[string]plan.Stored) {
	for place := range r.shop.plan.Places {
		rows := make(map[string]plan.Stored)
		for _, stored := range keptOf(r.shop.plan, model.At(place)) {
			rows[string(r.shop.plan.AppendKey(nil, place, stored.Row))] = stored
		}
		places = append(places, rows)
	}
	return places
}

func (r *shopRig) wantSame(what string, want, got []map[string]plan.Stored) {
	r.t.Helper()
	if d := diff.Diff(want, got, diff.AllowUnexported(plan.Value{})); d != "" {
		r.t.Errorf("%s (-before +after):\n%s", what, d)
	}
}

// TestReplaysFillWhatIsEmptyAndChangeNothingElse: random histories with truncations, through a sink that is restarted now and then.
func TestReplaysFillWhatIsEmptyAndChangeNothingElse(t *testing.T) {
	random, rounds := randomly(t), 10
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		s := newShop(partitions, []filter{byOrder, byBoth}[round%2])
		r := &shopRig{newRig(t), s, storetest.NewModelOf(s.plan), storetest.NewModelOf(s.plan)}
		cfg := r.config()
		cfg.Plan = s.plan
		for range 10 {
			for range 12 {
				s.step(random)
			}
			cfg.Batch = 1 + random.IntN(8)
			r.produce(s.source, kgo.TryCommit)
			r.runUntilDrained(cfg, r.history, named{r.history, "cassandra"}, named{r.latest, "redis"})
		}
		s.wantQuery(t, r.history)
		history, latest := r.everything(r.history), r.everything(r.latest)

		r.replay("redis", r.history, r.latest)
		r.wantSame("redis, filled, from kafka", latest, r.everything(r.latest))
		if err := sink.Refill(t.Context(), s.plan, whole{r.history, s.plan}, r.latest, nil); err != nil {
			t.Fatal(err)
		}
		r.wantSame("redis, filled, from cassandra", latest, r.everything(r.latest))

		places := []int{s.plan.Redis.Place, s.plan.Views[0].Place} // it keeps no history
		of := func(all []map[string]plan.Stored) (some []map[string]plan.Stored) {
			for _, place := range places {
				some = append(some, all[place])
			}
			return some
		}
		empty := storetest.NewModelOf(s.plan)
		r.replay("redis", r.history, empty)
		r.wantSame("redis, empty, from kafka", of(latest), of(r.everything(empty)))
		empty = storetest.NewModelOf(s.plan)
		if err := sink.Refill(t.Context(), s.plan, whole{r.history, s.plan}, empty, nil); err != nil {
			t.Fatal(err)
		}
		r.wantSame("redis, empty, from cassandra", of(latest), of(r.everything(empty)))
		r.wantSame("cassandra, which replays read", history, r.everything(r.history))

		r.replay("cassandra", r.history, r.latest)
		s.wantQuery(t, r.history)
		empty = storetest.NewModelOf(s.plan)
		r.replay("cassandra", empty, r.latest)
		s.wantQuery(t, empty)
		r.wantSame("redis, while cassandra was filled", latest, r.everything(r.latest))
		if t.Failed() {
			return
		}
	}
}

// One owner wrote everything, so a replay into Cassandra finds every version as it would write it.
func TestAReplayIntoAFilledStoreWritesNoOtherVersions(t *testing.T) {
	random, rounds := randomly(t), 10
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		s := newShop(partitions, byBoth)
		r := &shopRig{newRig(t), s, storetest.NewModelOf(s.plan), storetest.NewModelOf(s.plan)}
		for range 100 {
			s.step(random)
		}
		r.produce(s.source, kgo.TryCommit)
		cfg := r.config()
		cfg.Plan, cfg.Batch = s.plan, 1+random.IntN(4)
		r.runUntilDrained(cfg, r.history, named{r.history, "cassandra"}, named{r.latest, "redis"})
		before := r.everything(r.history)
		r.replay("cassandra", r.history, r.latest)
		if r.wantSame("cassandra, filled, from kafka", before, r.everything(r.history)); t.Failed() {
			return
		}
	}
}

func TestReplayThatCannotBe(t *testing.T) {
	s := newShop(partitions, byOrder)
	r := &shopRig{newRig(t), s, storetest.NewModelOf(s.plan), storetest.NewModelOf(s.plan)}
	wantFault(t, r.sinkOf(r.history, r.latest).Replay(t.Context(), "mongo", nil), fault.Usage, "has no store mongo")
	if err := r.sinkOf(r.history, r.latest).Replay(t.Context(), "redis", nil); err != nil {
		t.Errorf("of an empty topic: %v", err)
	}
	s.step(randomly(t))
	r.produce(s.source, kgo.TryCommit)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := r.sinkOf(r.history, r.latest).Replay(ctx, "redis", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
