package chaos_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"penstock/internal/chaos"
	"penstock/internal/stack/stacktest"
)

// shortMost is how long the short form may take, the start of the servers included.
const shortMost = 6 * time.Minute

// TestChaosShort is the proof in small: the faults that have found the most, each a
// few times. `just chaos` is the whole.
func TestChaosShort(t *testing.T) {
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
	scenarios, unknown := chaos.Select([]string{"A1", "A2", "A4", "P1", "P11", "K1f", "K3f", "P8-keepalive", "P9"})
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
	if took := time.Since(began); took > shortMost {
		t.Errorf("it took %s, %s are allowed", took.Round(time.Second), shortMost)
	}
}
