package stack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

// roleEnv makes this test program play another process of a test.
const roleEnv = "STACK_TEST_ROLE"

func TestMain(m *testing.M) {
	if stack.IsKeeper() { // a keeper that a role has started has the role in its environment too
		stacktest.Main(m)
	}
	switch os.Getenv(roleEnv) {
	case "hold":
		hold()
	case "share":
		share()
	default:
		stacktest.Main(m)
	}
}

// hold starts a stack, tells its servers and holds it until it is killed.
func hold() {
	st, err := stack.Start(context.Background(), stack.Options{Mode: stack.Native})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(st.Servers())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// share asks for the stack of the process that STACK_TEST_FOR names and tells its state.
func share() {
	pid, err := strconv.Atoi(os.Getenv("STACK_TEST_FOR"))
	if err == nil {
		var state stack.State
		if state, err = stack.UpFor(context.Background(), pid, stack.Options{}); err == nil {
			err = json.NewEncoder(os.Stdout).Encode(state)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// isolate keeps what a developer's environment says out of a test.
func isolate(t *testing.T) {
	t.Helper()
	for _, name := range []string{"PENSTOCK_POSTGRES", "PENSTOCK_KAFKA", "PENSTOCK_CASSANDRA", "PENSTOCK_REDIS",
		"PENSTOCK_STACK", "PENSTOCK_POSTGRES_VERSION"} {
		t.Setenv(name, "")
	}
}

// useServers makes a stack that is started now consist of servers that run already.
func useServers(t *testing.T, s stack.Servers) {
	t.Helper()
	t.Setenv("PENSTOCK_POSTGRES", s.Postgres.DSN)
	t.Setenv("PENSTOCK_KAFKA", strings.Join(s.Kafka.Brokers, ","))
	t.Setenv("PENSTOCK_CASSANDRA", s.Cassandra.Username+":"+s.Cassandra.Password+"@"+strings.Join(s.Cassandra.Hosts, ","))
	t.Setenv("PENSTOCK_REDIS", s.Redis.Address)
}

// program copies this test program to where every user may run it.
func program(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stack-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "stack.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(copied, content, 0o755)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// descendants are the children of all threads of a process, and theirs.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(append(pids, child), descendants(t, child)...)
		}
	}
	return pids
}

// running tells whether the process is more than an entry that nobody has asked about yet.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// await waits for a condition and fails the test when it does not come.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func killHard(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatalf("kill pid %d: %v", cmd.Process.Pid, err)
	}
	_ = cmd.Wait() // killed
}
