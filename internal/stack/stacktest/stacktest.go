// Package stacktest gives tests the real servers: what the environment names, else the stack of a running `penstock dev
// up` with the Postgres that PENSTOCK_POSTGRES_VERSION wants, else one stack that all packages of the same `go test` share and that ends with it.
//
// Read stacktest.go first (Main, Servers), then names.go (what of its own each test gets on the shared servers).
package stacktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock/internal/stack"
)

const (
	startTimeout   = 8 * time.Minute // with all downloads, below the 10 minutes of `go test`
	cleanupTimeout = 30 * time.Second
)

// Main runs the tests of a package; call it from TestMain. The shared stack is kept by one of the test programs started
// again, which is why a package that calls Servers must have it.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if !stack.IsKeeper() {
		return m.Run()
	}
	if err := stack.RunKeeper(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Servers returns the real servers, started if need be. With -short the test is skipped; a server that does not start fails
// it. Tests share the servers: use Database, Keyspace and Prefix for names.
func Servers(t testing.TB) stack.Servers {
	t.Helper()
	NeedServers(t)
	servers, err := find()
	if err != nil {
		t.Fatalf("real servers: %v", err)
	}
	t.Logf("real servers: %s", servers)
	return servers
}

// Postgres starts a private native Postgres with settings over the usual ones; it ends with the test.
func Postgres(t testing.TB, settings map[string]string) *stack.Instance {
	t.Helper()
	NeedServers(t)
	in, err := stack.StartPostgres(t.Context(), stack.Options{}, settings)
	if err != nil {
		t.Fatalf("private server: %v", err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Errorf("close private postgres: %v", err)
		}
	})
	return in
}

// NeedServers skips the test with -short. For a test that starts servers of its own; the others are for Servers and Postgres.
func NeedServers(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the real servers; -short")
	}
}

// find looks once per test program.
var find = sync.OnceValues(func() (stack.Servers, error) {
	if stack.IsKeeper() { // the shared stack was to be kept, and the tests run again instead
		return stack.Servers{}, errors.New("no TestMain calls stacktest.Main; fix: func TestMain(m *testing.M) { stacktest.Main(m) }")
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	state, err := shared(ctx)
	if err == nil {
		announce(state.Servers)
	}
	return state.Servers, err
})

func shared(ctx context.Context) (stack.State, error) {
	wanted := os.Getenv("PENSTOCK_POSTGRES_VERSION")
	if !named() {
		state, err := stack.Status()
		if err == nil && sameMajor(wanted, state.Servers.Postgres.Version) || err != nil && !errors.Is(err, stack.ErrNotRunning) {
			return state, err
		}
	}
	state, err := stack.UpFor(ctx, testRun(), stack.Options{})
	if err == nil && !sameMajor(wanted, state.Servers.Postgres.Version) {
		err = fmt.Errorf("PENSTOCK_POSTGRES_VERSION wants %s, the server that PENSTOCK_POSTGRES names is %s", wanted, state.Servers.Postgres.Version)
	}
	return state, err
}

// sameMajor reports whether a server is of the wanted major version; none wanted is any.
func sameMajor(wanted, version string) bool {
	a, _, _ := strings.Cut(wanted, ".")
	b, _, _ := strings.Cut(version, ".")
	return wanted == "" || a == b
}

// named tells whether the environment names a server. Then the running stack is not used: it was started without it.
func named() bool {
	for _, name := range []string{"PENSTOCK_POSTGRES", "PENSTOCK_KAFKA", "PENSTOCK_CASSANDRA", "PENSTOCK_REDIS"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// testRun is the pid that stands for the whole run: that of `go test`, or our own when a test program is run by hand.
func testRun() int {
	parent := os.Getppid()
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
	if err == nil && strings.TrimSpace(string(comm)) == "go" {
		return parent
	}
	return os.Getpid()
}
