package chaos

import (
	"context"
	"slices"
	"strings"

	"penstock/internal/chaos/workload"
)

// Size is how much of a scenario one run does.
type Size struct {
	Faults int   // that must be witnessed
	Events int64 // that the load must write at least
}

// Scenario is one kind of fault and what has to hold under it, beside that every
// committed change is in Kafka exactly once and in order.
type Scenario struct {
	ID    string // of the fault matrix
	What  string
	Short Size
	Full  Size

	run     func(ctx context.Context, w *world) error
	tune    func(t *tuning) // nil: the usual ones
	aborts  bool            // at full size Kafka must have aborted transactions
	refuses bool            // it ends with a refusal: what is in Kafka is not held against the source

	// A scenario of the sink has these in the place of those.
	stores     func(ctx context.Context, w *storeWorld) error
	tuneStores func(t *storeTuning)
	mandated   []string // sorts of faults that have to be witnessed

	// A scenario of backfills has these.
	copies     func(ctx context.Context, w *copyWorld) error
	tuneCopies func(t *copyTuning)
}

// stage is what the scenario plays on; nothing is made yet.
func (s *Scenario) stage(c *common) stage {
	switch {
	case s.stores != nil:
		return newStoreWorld(c)
	case s.copies != nil:
		return newCopyWorld(c)
	}
	return newWorld(c)
}

// Scenarios lists those of the capture, in the order of the fault matrix.
func Scenarios() []Scenario {
	return slices.Concat(daemonScenarios(), postgresScenarios(), failoverScenarios(), slotScenarios(), bulkScenarios(), kafkaScenarios(),
		limitScenarios(), networkScenarios())
}

// everyScenario lists those of capture, sink and backfills.
func everyScenario() []Scenario { return slices.Concat(Scenarios(), StoreScenarios(), CopyScenarios()) }

// Select returns those of all whose id is one of ids or begins with one and a
// dash, or all when there are no ids; unknown are the ids that name none.
func Select(all []Scenario, ids []string) (chosen []Scenario, unknown []string) {
	if len(ids) == 0 {
		return all, nil
	}
	for _, id := range ids {
		before := len(chosen)
		for _, s := range all {
			if strings.EqualFold(s.ID, id) || strings.HasPrefix(strings.ToLower(s.ID), strings.ToLower(id)+"-") {
				chosen = append(chosen, s)
			}
		}
		if len(chosen) == before {
			unknown = append(unknown, id)
		}
	}
	return chosen, unknown
}

// tuning is the part of a scenario's configuration that is not the same for all.
type tuning struct {
	records      int    // of a Kafka transaction
	age          string // of a Kafka transaction
	idle         string // between two positions while nothing changes
	heartbeat    string // between two messages of the daemon to itself
	splitRecords int
	streaming    bool
	wait         string
	rate         float64 // events a second
	workers      int
	maxValue     int // bytes
	mix          workload.Mix
	failover     failover
	idleSource   bool // the scenario begins the load, or writes by itself
}

func usualTuning() tuning {
	return tuning{
		records: 2_000, age: "100ms", idle: "1s", heartbeat: "1s", splitRecords: 10_000, wait: "60s",
		rate: 3_000, workers: 4, maxValue: 20_000,
	}
}
