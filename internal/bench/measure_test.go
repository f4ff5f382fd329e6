package bench_test

import (
	"os/exec"
	"testing"

	"penstock/internal/bench"
	"penstock/internal/parity"
	"penstock/internal/stack/stacktest"
)

// A small drain on the real servers; how fast it is says nothing.
func TestDrain(t *testing.T) {
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
	result, err := rig.Measure(ctx, bench.Workloads()[0], plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range result.Lines {
		if line.Rate <= 0 || line.CPU["reader"] <= 0 || line.CPU["walsender"] <= 0 || line.PeakBytes < 1<<20 || len(line.Runs) != 1 {
			t.Errorf("%s: got %+v", line.Reader, line)
		}
	}
	if daemon := result.Lines[0]; daemon.First <= 0 || daemon.First > daemon.Runs[0].Seconds || daemon.CPU["broker"] <= 0 {
		t.Errorf("penstock: got %+v", daemon)
	}
}
