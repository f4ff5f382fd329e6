// Package stack finds or starts the real Postgres, Kafka, Cassandra and Redis for the demo, the tests and the benchmarks.
//
// Read stack.go first (Start: where each server comes from), then servers.go (what is handed out), kind.go (what the four
// have in common), instance.go (the life of one child process) and spawn.go (why children end with their parent); then one
// file per server: postgres.go, kafka.go, cassandra.go, redis.go. cache.go, maven.go, java.go and archive.go are what a
// native start needs, engine.go and container.go the Docker side. keeper.go and state.go run a stack that outlives its starter.
// connect.go and registry.go start servers that are no part of a stack, for who asks for one.
//
// Each server comes from the first of: the address that the environment names (PENSTOCK_POSTGRES, PENSTOCK_KAFKA,
// PENSTOCK_CASSANDRA, PENSTOCK_REDIS), a container when a Docker engine answers, a child process of ours.
package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"penstock/internal/fault"
)

// Mode says where servers that the environment does not name come from.
type Mode string

// The modes; PENSTOCK_STACK holds the same words.
const (
	// Auto takes a container when an engine answers and has or gets the image, else a child process.
	Auto Mode = "auto"
	// Native never asks for a Docker engine.
	Native Mode = "native"
	// Docker never starts a child process: a missing engine or image is an error.
	Docker Mode = "docker"
)

const (
	// DefaultPostgresVersion is started unless Options or PENSTOCK_POSTGRES_VERSION say otherwise.
	DefaultPostgresVersion = "18.6.0"

	// startTimeout bounds one server's way from the first byte of its configuration to its first answer.
	startTimeout = 3 * time.Minute
	// stopTimeout bounds an orderly end; what is left then is killed.
	stopTimeout = time.Minute
)

// Options says what to start. The zero value is a stack on temporary data with nothing printed.
type Options struct {
	// Dir keeps the data there after Close, for the next start. Empty: a temporary folder that Close removes.
	Dir string
	// Mode is PENSTOCK_STACK when empty, and Auto when that is empty too.
	Mode Mode
	// PostgresVersion is 17.11.0, 18.6.0 or any other version of the binaries (or, in a container, of the image);
	// PENSTOCK_POSTGRES_VERSION when empty, then DefaultPostgresVersion.
	PostgresVersion string
	// RedisAppendOnly makes Redis keep an append-only file; without it Redis keeps nothing on disk.
	RedisAppendOnly bool
	// Throughput starts the Java servers with all their compilers and more heap: for measuring, slower to start.
	Throughput bool
	// Progress hears what happens. Calls are serialised; it must not call back into the stack. nil: silence.
	Progress func(Event) `json:"-"`
}

// resolve fills in what the environment says and rejects what makes no sense.
func (o Options) resolve() (Options, error) {
	if o.Mode == "" {
		o.Mode = Mode(os.Getenv("PENSTOCK_STACK"))
	}
	switch o.Mode {
	case "":
		o.Mode = Auto
	case Auto, Native, Docker:
	default:
		return o, &fault.Error{
			Kind: fault.Usage, Where: "PENSTOCK_STACK", What: fmt.Sprintf("no stack mode %q", o.Mode),
			Fix: "PENSTOCK_STACK=auto, native or docker",
		}
	}
	if o.PostgresVersion == "" {
		o.PostgresVersion = os.Getenv("PENSTOCK_POSTGRES_VERSION")
	}
	switch o.PostgresVersion { // a major alone means its tried minor
	case "", "18":
		o.PostgresVersion = DefaultPostgresVersion
	case "17":
		o.PostgresVersion = "17.11.0"
	}
	return o, nil
}

// Stack is four running servers. Its methods may be called from several goroutines.
type Stack struct {
	home    *home
	servers Servers

	mu      sync.Mutex
	running []closer // started by us, in the order in which they became ready; guarded by mu, nil after Close
}

// closer ends one server that we started.
type closer interface {
	// Close ends the server and waits for its end.
	Close() error
}

// Start returns when all four servers answer a login, or with one error per server that does not. The servers end with
// Close, and with this process however it ends. ctx bounds the start alone.
func Start(ctx context.Context, opts Options) (*Stack, error) {
	opts, err := opts.resolve()
	if err != nil {
		return nil, err
	}
	h, err := openHome(opts)
	if err != nil {
		return nil, err
	}
	st := &Stack{home: h}
	if err := st.start(ctx); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

func (st *Stack) start(ctx context.Context) error {
	sources, err := st.home.sources(ctx, kinds())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make([]error, len(sources))
	var wg sync.WaitGroup
	for i, src := range sources {
		wg.Go(func() {
			if errs[i] = st.provide(ctx, src); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	wg.Wait()
	return joinFailures(ctx, errs)
}

// joinFailures leaves out the servers that only stopped because another one failed.
func joinFailures(ctx context.Context, errs []error) error {
	var kept []error
	if errors.Is(context.Cause(ctx), context.Canceled) { // the caller gave up
		return errors.Join(errs...)
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			kept = append(kept, err)
		}
	}
	return errors.Join(kept...)
}

// provide starts or finds one server and records it.
func (st *Stack) provide(ctx context.Context, src source) error {
	at, about, run, err := src.open(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", src.kind.name, err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	src.kind.set(&st.servers, at, about)
	if run != nil {
		st.running = append(st.running, run)
	}
	return nil
}

// Servers tells how the servers are reached.
func (st *Stack) Servers() Servers {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.servers
}

// Close ends the servers that Start started, all at once, and removes temporary data. A second call does nothing.
func (st *Stack) Close() error {
	st.mu.Lock()
	running := st.running
	st.running = nil
	st.mu.Unlock()
	errs := make([]error, len(running))
	var wg sync.WaitGroup
	for i, run := range running {
		wg.Go(func() { errs[i] = run.Close() })
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), st.home.close())
}

// String lists the servers in one line.
func (s Servers) String() string {
	part := func(name string, a About, at string) string {
		return fmt.Sprintf("%s %s (%s, %s)", name, a.Version, a.Origin, at)
	}
	return strings.Join([]string{
		part("Postgres", s.Postgres.About, hostOfDSN(s.Postgres.DSN)),
		part("Kafka", s.Kafka.About, strings.Join(s.Kafka.Brokers, ",")),
		part("Cassandra", s.Cassandra.About, strings.Join(s.Cassandra.Hosts, ",")),
		part("Redis", s.Redis.About, s.Redis.Address),
	}, ", ")
}
