package chaos_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"penstock/internal/chaos"
	"penstock/internal/stack/stacktest"
)

// TestChaosShort is the proof in small: the faults that have found the most, each a
// few times. `just chaos` is the whole.
func TestChaosShort(t *testing.T) {
	playShort(t, chaos.Scenarios(), []string{"A1", "A2", "A4", "P1", "P11", "K1f", "K3f", "P8-keepalive", "P9"}, 6*time.Minute)
}

// TestSinkShort is the sink's proof in small; `just chaos-sink` is the whole.
func TestSinkShort(t *testing.T) {
	playShort(t, chaos.StoreScenarios(), []string{"S3", "S4"}, 3*time.Minute)
}

// TestBackfillShort is the proof of backfills in small; `just chaos-backfill` is the whole.
func TestBackfillShort(t *testing.T) {
	playShort(t, chaos.CopyScenarios(), nil, 3*time.Minute)
}

// playShort plays scenarios at their small sizes. most is how long that may take, the
// start of the servers included.
func playShort(t *testing.T, all []chaos.Scenario, ids []string, most time.Duration) {
	t.Helper()
	stacktest.NeedServers(t)
	seed, began := rand.Uint64(), time.Now()
	t.Logf("seed %d", seed)
	rig, err := chaos.OpenRig(t.Context(), chaos.Options{Dir: t.TempDir(), Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rig.Close(); err != nil {
			t.Error(err)
		}
	}()
	scenarios, unknown := chaos.Select(all, ids)
	if len(unknown) > 0 {
		t.Fatalf("no scenarios %q", unknown)
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range scenarios {
		t.Run(scenarios[i].ID, func(t *testing.T) {
			r := rig.Run(t.Context(), scenarios[i], scenarios[i].Short, random.Uint64())
			t.Log(r)
			if r.Word != chaos.Pass {
				t.Errorf("want %s", chaos.Pass)
			}
		})
	}
	if took := time.Since(began); took > most {
		t.Errorf("it took %s, %s are allowed", took.Round(time.Second), most)
	}
}
