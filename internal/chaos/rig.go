package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/proxy"
	"penstock/internal/stack"
)

// errEnough ends a run of which all is known that is asked for.
var errEnough = errors.New("enough is known")

// closeTimeout bounds the removal of what a scenario made on the servers.
const closeTimeout = time.Minute

// Options say where a rig works.
type Options struct {
	Root     string       // a folder of the module, for building; the working directory when empty
	Dir      string       // for configurations and logs, kept; a temporary one that Close removes when empty
	Binary   string       // the daemon; built from Root when empty
	Progress func(string) // hears what happens; nil: silence

	// Throughput lets Cassandra start more slowly and do more.
	Throughput bool
}

// Rig is the private servers that scenarios share, with the daemon's link to
// Kafka. One scenario runs at a time.
type Rig struct {
	opts     Options
	dir      string
	binary   string
	spawner  *spawner
	postgres *stack.Instance
	kafka    *stack.Instance
	broker   *proxy.Proxy // what the daemons of the capture's scenarios take for Kafka

	cassandra, redis *stack.Instance // nil until a scenario of the sink needs them

	serial   int
	suffices []ledger.Kind // a problem of such a kind ends a run at once
}

// OpenRig starts the servers and builds the daemon. Close ends what runs, and the end of this process does too.
func OpenRig(ctx context.Context, opts Options) (*Rig, error) {
	r := &Rig{opts: opts, dir: opts.Dir, binary: opts.Binary, spawner: newSpawner()}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Rig) openFolder() error {
	if r.dir != "" {
		return os.MkdirAll(r.dir, 0o750)
	}
	var err error
	r.dir, err = os.MkdirTemp("", "penstock-chaos-")
	return err
}

func (r *Rig) start(ctx context.Context) error {
	if err := r.openFolder(); err != nil {
		return err
	}
	if r.binary == "" {
		r.say("building the daemon")
		var err error
		if r.binary, err = Build(ctx, r.opts.Root, r.dir, "penstock", ""); err != nil {
			return err
		}
	}
	if err := r.startPostgres(ctx); err != nil {
		return err
	}
	return r.startKafka(ctx)
}

// startPostgres starts a server that writes as safely as one in production does,
// and misses a reader soon.
func (r *Rig) startPostgres(ctx context.Context) error {
	r.say("starting Postgres")
	var err error
	r.postgres, err = stack.StartPostgres(ctx, stack.Options{Mode: stack.Native}, postgresSettings())
	return err
}

func postgresSettings() map[string]string {
	return map[string]string{
		"fsync": "on", "full_page_writes": "on",
		"wal_sender_timeout": "5s", "max_replication_slots": "64", "max_wal_senders": "64",
		"log_min_messages": "warning",
	}
}

// startKafka starts a broker with a second listener, which advertises the proxy:
// all that a daemon says to it goes through there. It forgets producers soon.
func (r *Rig) startKafka(ctx context.Context) error {
	r.say("starting Kafka")
	behind, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	if r.broker, err = proxy.Listen(context.WithoutCancel(ctx), proxy.Options{Protocol: proxy.Kafka, Target: behind}); err != nil {
		return err
	}
	r.kafka, err = stack.StartKafka(ctx, stack.Options{Mode: stack.Native}, map[string]string{
		"listeners":                      "CHAOS://" + behind,
		"advertised.listeners":           "CHAOS://" + r.broker.Addr(),
		"listener.security.protocol.map": "CHAOS:PLAINTEXT",

		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
		"transactional.id.expiration.ms":                              "20000",
		"transaction.remove.expired.transaction.cleanup.interval.ms":  "1000",
		"producer.id.expiration.ms":                                   "20000",
		"producer.id.expiration.check.interval.ms":                    "1000",
		"group.min.session.timeout.ms":                                "1000",
	})
	return err
}

// freeAddress is a port of the loopback that was free just now.
func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Close ends the servers. No scenario may run.
func (r *Rig) Close() error {
	var errs []error
	for _, in := range append(r.storeServers(), r.kafka, r.postgres) {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	if r.broker != nil {
		errs = append(errs, r.broker.Close())
	}
	r.spawner.close()
	if r.opts.Dir == "" && r.dir != "" {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(errs...)
}

func (r *Rig) say(line string) {
	if r.opts.Progress != nil {
		r.opts.Progress(line)
	}
}

// unique is a name that Postgres and Kafka take unquoted.
func (r *Rig) unique(id string) string {
	r.serial++
	letters := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToLower(id))
	return fmt.Sprintf("chaos_%s_%d", letters, r.serial)
}

// Run does one scenario and judges it. An error of the rig's own is an objection,
// not a problem of the daemon's.
func (r *Rig) Run(ctx context.Context, s Scenario, size Size, seed uint64) *Result {
	began := time.Now()
	result := &Result{Scenario: s.ID, Seed: seed, Began: began, Wanted: size.Faults}
	playing, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	c, err := r.newCommon(&s, size, seed, func(kind ledger.Kind) {
		if slices.Contains(r.suffices, kind) {
			enough(errEnough)
		}
	})
	w := s.stage(c)
	if err == nil {
		err = w.open(playing)
	}
	if err == nil {
		err = w.play(playing)
	}
	if errors.Is(context.Cause(playing), errEnough) {
		err = nil
	}
	w.heal()
	w.judge(err)
	c.report(result)
	w.counted(result)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := w.close(closing); err != nil && ctx.Err() == nil {
		result.Objections = append(result.Objections, fmt.Sprintf("clean up: %s", err))
	}
	if ctx.Err() != nil {
		result.Problems, result.Kinds, result.Objections = nil, nil, []string{"interrupted"}
	}
	result.Took = time.Since(began)
	result.judge()
	if result.Word == Pass && r.opts.Dir == "" {
		_ = os.RemoveAll(c.dir) // logs of what went well fill the disk
	}
	return result
}

// stage is what one run of a scenario plays on. A stage that could not be opened or
// played to its end is judged and closed too.
type stage interface {
	open(ctx context.Context) error // makes what it has for its own, and starts daemons
	play(ctx context.Context) error // runs the scenario, and holds what came of it against the source
	heal()                          // takes back what breaks the servers and the links
	judge(err error)                // says what is wrong, err being why it was not played to its end
	counted(r *Result)              // puts what was held against the source into the result
	close(ctx context.Context) error
}

// removeTopics deletes the topics that begin with prefix.
func (r *Rig) removeTopics(ctx context.Context, prefix string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	all, err := admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var names []string
	for _, name := range all.Names() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if _, err := admin.DeleteTopics(ctx, names...); err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	return nil
}
