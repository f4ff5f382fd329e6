package sink_test

import (
	"cmp"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// keptOf is rows without the lookup table's columns, of which no store keeps any but through computed ones.
func keptOf(p *plan.Plan, rows []plan.Stored) []plan.Stored {
	first, end := p.LookupSlots()
	for i := range rows {
		clear(rows[i].Row[first:end])
	}
	return rows
}

// resultOf is every row of the result with its version.
func resultOf(p *plan.Plan, model *storetest.Model) []plan.Stored {
	rows := keptOf(p, model.Result())
	place := p.Views[0].Place
	slices.SortFunc(rows, func(a, b plan.Stored) int {
		return cmp.Compare(string(p.AppendKey(nil, place, a.Row)), string(p.AppendKey(nil, place, b.Row)))
	})
	return rows
}

// TestAFollowerEndsWhereItsLeaderDid: whatever owners the leader had, with whatever batches and caches, a store that is filled from
// the log by the leader's history has the same rows at the same versions; and filling it again changes nothing.
func TestAFollowerEndsWhereItsLeaderDid(t *testing.T) {
	random, rounds := randomly(t), 200
	if testing.Short() {
		rounds = 40
	}
	for round := range rounds {
		s := newShop(3, []filter{byOrder, byBoth}[round%2])
		for range 80 {
			s.change(random, random.IntN(96)) // no lane meets a truncation
		}
		leader, follower := storetest.NewModelOf(s.plan), storetest.NewModelOf(s.plan)
		race(t, random, s.source, func(p, count int32) *sink.Owner {
			return sink.NewPlanOwner(s.plan, p, count, leader, []sink.Store{newFlaky(leader, random)})
		})
		want := resultOf(s.plan, leader)
		for range 2 {
			race(t, random, s.source, func(p, count int32) *sink.Owner {
				return sink.NewPlanOwner(s.plan, p, count, leader, []sink.Store{newFlaky(follower, random)}).Follow()
			})
			if d := diff.Diff(want, resultOf(s.plan, follower), diff.AllowUnexported(plan.Value{})); d != "" {
				t.Fatalf("round %d (-leader +follower):\n%s", round, d)
			}
		}
	}
}

// TestAStoreThatWasEmptied gets every row from a replay by ordinary owners, whatever wrote the history that has them all.
func TestAStoreThatWasEmptied(t *testing.T) {
	random, rounds := randomly(t), 200
	if testing.Short() {
		rounds = 40
	}
	for round := range rounds {
		s := newShop(3, []filter{byOrder, byBoth}[round%2])
		for range 80 {
			s.change(random, random.IntN(96)) // but truncations, of which a replay makes deletes
		}
		history, latest := storetest.NewModelOf(s.plan), storetest.NewModelOf(s.plan)
		race(t, random, s.source, func(p, count int32) *sink.Owner {
			return sink.NewPlanOwner(s.plan, p, count, history, []sink.Store{newFlaky(history, random)})
		})
		race(t, random, s.source, func(p, count int32) *sink.Owner {
			return sink.NewPlanOwner(s.plan, p, count, history, []sink.Store{newFlaky(history, random), newFlaky(latest, random)})
		})
		if d := diff.Diff(resultOf(s.plan, history), resultOf(s.plan, latest), diff.AllowUnexported(plan.Value{})); d != "" {
			t.Fatalf("round %d (-history +latest):\n%s", round, d)
		}
	}
}
