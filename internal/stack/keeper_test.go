package stack_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

// ownRuntime makes the test's keepers strangers to those of a developer; their servers are the shared ones.
func ownRuntime(t *testing.T) {
	t.Helper()
	servers := stacktest.Servers(t)
	isolate(t)
	useServers(t, servers)
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
}

func TestKeeperUpStatusDown(t *testing.T) {
	ownRuntime(t)
	ctx := t.Context()
	if _, err := stack.Status(); !errors.Is(err, stack.ErrNotRunning) {
		t.Fatalf("status before up: got %v, want ErrNotRunning", err)
	}
	var said []string
	up, err := stack.Up(ctx, stack.Options{Progress: func(e stack.Event) { said = append(said, e.String()) }})
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	if len(said) < 4 {
		t.Errorf("progress: got %q, want a line per server", said)
	}
	again, err := stack.Up(ctx, stack.Options{})
	if err != nil || again.PID != up.PID {
		t.Errorf("second up: got pid %d, %v, want pid %d", again.PID, err, up.PID)
	}
	status, err := stack.Status()
	if err != nil || status.Servers.String() != up.Servers.String() {
		t.Errorf("status: got %v, %v, want %v", status.Servers, err, up.Servers)
	}
	if err := stack.Down(ctx); err != nil {
		t.Fatalf("down: %v", err)
	}
	if _, err := stack.Status(); !errors.Is(err, stack.ErrNotRunning) {
		t.Errorf("status after down: got %v, want ErrNotRunning", err)
	}
	if err := stack.Down(ctx); !errors.Is(err, stack.ErrNotRunning) {
		t.Errorf("second down: got %v, want ErrNotRunning", err)
	}
}

// The state file of a keeper that was killed stays and must not count.
func TestKilledKeeperIsNotRunning(t *testing.T) {
	ownRuntime(t)
	first, err := stack.Up(t.Context(), stack.Options{})
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the keeper", func() bool { _, err := stack.Status(); return errors.Is(err, stack.ErrNotRunning) })
	if _, err := os.Stat(filepath.Join(os.Getenv("PENSTOCK_CACHE"), "run", "dev.json")); err != nil {
		t.Fatalf("state file: %v, want it left", err)
	}
	second, err := stack.Up(t.Context(), stack.Options{})
	if err != nil || second.PID == first.PID {
		t.Errorf("up: got pid %d, %v, want a new keeper", second.PID, err)
	}
	if err := stack.Down(t.Context()); err != nil {
		t.Errorf("down: %v", err)
	}
}

// Two processes get one stack, which ends when the process that it is for is killed.
func TestTwoProcessesShareOneStack(t *testing.T) {
	ownRuntime(t)
	owner := exec.Command("sleep", "600")
	owner.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STACK_TEST_FOR", strconv.Itoa(owner.Process.Pid))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var sharers [2]*exec.Cmd
	var out [2]strings.Builder
	for i := range sharers {
		sharers[i] = exec.Command(self)
		sharers[i].Stdout, sharers[i].Stderr = &out[i], os.Stderr
		sharers[i].Env = append(os.Environ(), roleEnv+"=share")
		if err := sharers[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	var states [2]stack.State
	for i, sharer := range sharers {
		if err := sharer.Wait(); err != nil {
			t.Fatalf("sharer %d: %v", i, err)
		}
		if err := json.Unmarshal([]byte(out[i].String()), &states[i]); err != nil {
			t.Fatalf("sharer %d: %v in %q", i, err, out[i].String())
		}
	}
	if states[0].PID != states[1].PID || !running(states[0].PID) {
		t.Errorf("keepers: got pids %d and %d, want one that runs", states[0].PID, states[1].PID)
	}
	killHard(t, owner)
	await(t, "the end of the keeper", func() bool { return !running(states[0].PID) })
}

func TestKeeperThatCannotStartTellsWhy(t *testing.T) {
	isolate(t)
	t.Setenv("PENSTOCK_CACHE", t.TempDir())
	t.Setenv("PENSTOCK_REDIS", "127.0.0.1:1")
	t.Setenv("PENSTOCK_KAFKA", "nowhere")
	t.Setenv("PENSTOCK_CASSANDRA", "127.0.0.1:1")
	t.Setenv("PENSTOCK_POSTGRES", "postgres://127.0.0.1:1/x?connect_timeout=1")
	_, err := stack.Up(t.Context(), stack.Options{})
	if err == nil || !strings.Contains(err.Error(), "PENSTOCK_") || !strings.Contains(err.Error(), "fix:") {
		t.Errorf("up with wrong addresses: got %v, want which variable to correct", err)
	}
	if _, err := stack.Status(); !errors.Is(err, stack.ErrNotRunning) {
		t.Errorf("status: got %v, want ErrNotRunning", err)
	}
}
