package chaos

import (
	"context"
	"time"

	"penstock/internal/chaos/workload"
)

// StoreScenarios lists those of the sink.
func StoreScenarios() []Scenario {
	return []Scenario{
		{
			ID: "S1", What: "Cassandra is killed, and held for longer than a statement may take",
			Short: Size{3, 5_000}, Full: Size{16, 150_000}, mandated: []string{sortCassandraKill, sortCassandraPause, sortHalf}, stores: breakCassandra,
		}, {
			ID: "S2", What: "Redis is killed, held, and loses everything, after which the topic is replayed",
			Short: Size{7, 5_000}, Full: Size{40, 170_000}, mandated: []string{sortRedisKill, sortRedisPause, sortHalf, sortFlush, sortReplay}, stores: breakRedis,
		}, {
			ID: "S3", What: "three members of the group are killed, stopped, held for longer than the group waits, and come back",
			Short: Size{5, 10_000}, Full: Size{60, 220_000}, mandated: []string{sortKill, sortLeave, sortZombie, sortStored}, stores: breakMembers,
		}, {
			ID: "S4", What: "everything is replayed into stores that have it, and more comes",
			Short: Size{4, 5_000}, Full: Size{16, 130_000}, mandated: []string{sortReplay, sortKill}, stores: replayAll,
		}, {
			ID: "S5", What: "contents come late, change and go, events change theirs, with a clock that makes versions beyond 2^53",
			Short: Size{4, 10_000}, Full: Size{40, 200_000}, mandated: []string{sortKill, sortStored}, stores: changeContents,
			tuneStores: func(t *storeTuning) {
				t.clock = 230 * 365 * 24 * time.Hour
				t.engagement = workload.Engagement{Contents: 400, Hot: 4, Lookups: 30, Orders: 25}
			},
		}, {
			ID: "S6", What: "records that nobody can process stand among the others, while members are killed",
			Short: Size{5, 3_000}, Full: Size{28, 140_000}, mandated: []string{sortPoison, sortKill}, stores: poisonTopic,
			tuneStores: func(t *storeTuning) { t.onError = "dead-letter" },
		},
	}
}

// storeFault is one of those that a scenario makes.
type storeFault struct {
	weight int // how often, relative to the others
	make   func(ctx context.Context, w *storeWorld) error
}

// storm makes faults until enough are witnessed: each once in their order, then by
// their weight.
func (w *storeWorld) storm(ctx context.Context, longest time.Duration, faults []storeFault) error {
	total := 0
	for _, f := range faults {
		total += f.weight
	}
	for i := 0; ; i++ {
		if made, seen := w.made(); seen >= w.size.Faults && i >= len(faults) || made >= 2*w.size.Faults+len(faults) {
			return w.awaitAbreast(ctx)
		}
		if err := pause(ctx, w.between(200*time.Millisecond, longest)); err != nil {
			return err
		}
		chosen := i
		if i >= len(faults) {
			chosen = 0
			for at := w.random.IntN(total); at >= faults[chosen].weight; chosen++ {
				at -= faults[chosen].weight
			}
		}
		if err := faults[chosen].make(ctx, w); err != nil {
			return err
		}
		if w.full && w.random.IntN(4) == 0 {
			if err := w.awaitAbreast(ctx); err != nil {
				return err
			}
		}
	}
}

func breakCassandra(ctx context.Context, w *storeWorld) error {
	return w.storm(ctx, 5*time.Second, []storeFault{
		{3, func(ctx context.Context, w *storeWorld) error {
			return w.killServer(ctx, w.rig.cassandra, sortCassandraKill)
		}},
		{2, func(ctx context.Context, w *storeWorld) error {
			return w.halfStored(ctx, w.rig.cassandra, sortCassandraPause)
		}},
		{2, func(ctx context.Context, w *storeWorld) error {
			return w.hold(ctx, w.rig.cassandra, sortCassandraPause, w.between(5*time.Second, 15*time.Second), idle)
		}},
		{1, killAny},
	})
}

func breakRedis(ctx context.Context, w *storeWorld) error {
	return w.storm(ctx, 3*time.Second, []storeFault{
		{6, func(ctx context.Context, w *storeWorld) error { return w.killServer(ctx, w.rig.redis, sortRedisKill) }},
		{6, func(ctx context.Context, w *storeWorld) error { return w.halfStored(ctx, w.rig.redis, sortRedisPause) }},
		{3, func(ctx context.Context, w *storeWorld) error {
			return w.hold(ctx, w.rig.redis, sortRedisPause, w.between(time.Second, 6*time.Second), idle)
		}},
		{1, func(ctx context.Context, w *storeWorld) error { return w.replay(ctx, true) }},
	})
}

func breakMembers(ctx context.Context, w *storeWorld) error {
	return w.storm(ctx, 2*time.Second, []storeFault{
		{5, killAny},
		{1, func(ctx context.Context, w *storeWorld) error {
			held := w.standby()
			return w.holdAsZombie(ctx, held, func(ctx context.Context) error { return w.kill(ctx, w.otherThan(held)) })
		}},
		{2, crashStored},
		{2, func(ctx context.Context, w *storeWorld) error { return w.leave(ctx, w.anyDaemon()) }},
	})
}

func replayAll(ctx context.Context, w *storeWorld) error {
	return w.storm(ctx, 5*time.Second, []storeFault{
		{1, func(ctx context.Context, w *storeWorld) error { return w.replay(ctx, false) }},
		{2, killAny},
	})
}

func changeContents(ctx context.Context, w *storeWorld) error {
	return w.storm(ctx, 3*time.Second, []storeFault{{3, killAny}, {2, crashStored}})
}

func poisonTopic(ctx context.Context, w *storeWorld) error {
	return w.storm(ctx, 3*time.Second, []storeFault{
		{2, func(ctx context.Context, w *storeWorld) error { return w.poison(ctx) }},
		{1, killAny},
	})
}

func idle(context.Context) error { return nil }

func killAny(ctx context.Context, w *storeWorld) error { return w.kill(ctx, w.anyDaemon()) }

func crashStored(ctx context.Context, w *storeWorld) error {
	return w.crash(ctx, w.anyDaemon(), sortStored)
}
