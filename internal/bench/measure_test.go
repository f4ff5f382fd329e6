package bench_test

import (
	"os/exec"
	"slices"
	"testing"

	"penstock/internal/bench"
	"penstock/internal/parity"
	"penstock/internal/stack/stacktest"
)

// A little of everything on the real servers; how fast it is says nothing.
func TestMeasure(t *testing.T) {
	stacktest.NeedServers(t)
	ctx := t.Context()
	built, remove, err := parity.Build(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	plan := bench.Plan{Rows: 20_000, Readers: []string{"penstock"}, Builds: []bench.Build{{Name: "now", Path: built}}, Rounds: 1}
	if _, err := exec.LookPath("pg_recvlogical"); err == nil { // a machine for tests need not have it
		plan.Readers = append(plan.Readers, "limit")
	}
	rig, err := bench.OpenRig(ctx, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rig.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	machine, err := rig.Machine(ctx, plan)
	if err != nil || machine.Cores < 1 || machine.Memory < 1<<30 || len(machine.Versions) != 2+len(plan.Readers) {
		t.Errorf("machine: got %+v, %v", machine, err)
	}
	result := measure(t, rig, "drain", plan)
	for _, line := range result.Lines {
		if line.Rate <= 0 || line.CPU["reader"] <= 0 || line.CPU["walsender"] <= 0 || line.PeakBytes < 1<<20 || len(line.Runs) != 1 {
			t.Errorf("%s: got %+v", line.Reader, line)
		}
	}
	if daemon := result.Lines[0]; daemon.First <= 0 || daemon.First > daemon.Runs[0].Seconds || daemon.CPU["broker"] <= 0 {
		t.Errorf("penstock: got %+v", daemon)
	}
	plan.Rows = 1000 // half a second
	live := measure(t, rig, "live", plan)
	if len(live.Lines) != 1 || live.Lines[0].Latency == nil || live.Lines[0].Latency.P50 <= 0 {
		t.Errorf("live: got %+v, want the latency of the daemon alone", live.Lines)
	}
	plan.Rows = 500
	if wide := measure(t, rig, "wide", plan); wide.Lines[0].Runs[0].Changes != 1000 {
		t.Errorf("wide: got %+v, want an insert and an update of each row", wide.Lines[0])
	}
}

func measure(t *testing.T, rig *bench.Rig, name string, plan bench.Plan) *bench.Result {
	t.Helper()
	all := bench.Workloads()
	i := slices.IndexFunc(all, func(w bench.Workload) bool { return w.Name == name })
	result, err := rig.Measure(t.Context(), all[i], plan)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
