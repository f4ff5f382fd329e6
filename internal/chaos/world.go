package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/proxy"
	"penstock/internal/chaos/workload"
	"penstock/internal/fault"
	"penstock/internal/stack"
	"penstock/schema"
)

const (
	upTimeout      = time.Minute      // for a daemon to stream after its start
	recoverTimeout = time.Minute      // the most that a recovery may take
	catchUpTimeout = 2 * time.Minute  // for what was written meanwhile
	quietTimeout   = 15 * time.Second // for the slot to be confirmed once the load has ended
	stopTimeout    = 10 * time.Second // for a graceful stop
	retainedMax    = 64 << 20         // bytes of log that an idle slot may hold back
	memoryMax      = 256 << 20        // bytes of a daemon
)

// world is what one run of a scenario of the capture has for its own on the shared
// servers: a database, topics, a slot, daemons, a load and a ledger.
type world struct {
	*common
	tuning tuning

	standby   *stack.Instance // nil without
	front     *proxy.Proxy    // the load's and the ledger's way to a source that fails over; nil: they go straight
	fault     schema.LSN      // end of the log when the last fault was made
	books     *ledger.Ledger  // nil before the load, and when nothing is held against the source
	aborts    bool            // the scenario has to have Kafka transactions aborted
	malformed uint64          // what the broker's proxy had not understood before
	fences    *fences         // nil before the first daemon
	verdict   *ledger.Verdict // nil until the books are closed
	tail      *tail
	daemon    *Daemon // the first one
}

// newWorld makes nothing yet.
func newWorld(c *common) *world {
	w := &world{common: c, tuning: usualTuning(), aborts: c.scenario.aborts}
	if tune := c.scenario.tune; tune != nil {
		tune(&w.tuning)
	}
	w.spills = w.spills || w.tuning.streaming
	return w
}

// open makes database and tables, and starts a daemon.
func (w *world) open(ctx context.Context) (err error) {
	if err := w.createDatabase(ctx); err != nil {
		return err
	}
	if err := workload.Setup(ctx, w.source.dsn); err != nil {
		return fmt.Errorf("set up the source: %w", err)
	}
	w.malformed = w.rig.broker.Stats().Malformed
	w.fences = watchFences(w.rig.broker)
	w.daemon, err = w.addDaemon(ctx)
	return err
}

// play runs the scenario and what follows it.
func (w *world) play(ctx context.Context) error {
	if err := w.scenario.run(ctx, w); err != nil {
		return err
	}
	w.heal()
	if w.scenario.refuses {
		return nil
	}
	return w.settle(ctx)
}

func (w *world) createDatabase(ctx context.Context) error {
	if err := w.ownServers(ctx); err != nil {
		return err
	}
	err := w.common.createDatabase(ctx)
	if err == nil && w.front != nil {
		w.source.dsn, err = withAddress(w.source.dsn, w.front.Addr())
	}
	return err
}

// addDaemon starts another daemon of the same capture, with a link of its own.
func (w *world) addDaemon(ctx context.Context) (*Daemon, error) {
	return w.startDaemon(ctx, w.yaml, "--only", "capture")
}

func (w *world) yaml(link *link) (string, error) {
	dsn, err := withAddress(w.source.dsn, link.Addr())
	if err != nil {
		return "", err
	}
	var tables, topics []string
	for _, table := range workload.Tables() {
		tables = append(tables, table.String())
		topics = append(topics, fmt.Sprintf("%s: %s", table, w.topic(table.Name)))
	}
	return fmt.Sprintf(`source:
  dsn: %q
  slot: %s
  publication: %s
  tables: [%s]
  heartbeat: %s
  failover: %t
  streaming: %t
  spool: %q
kafka:
  brokers: [%s]
  partitions: 4
  topics: { %s }
  position_topic: %s
  transaction_topic: %s
  transaction: { records: %d, age: %s, idle: %s, split_records: %d, split_age: 5s, timeout: 10s }
records: { format: text }
wait: %s
log: { format: json }
`, dsn, w.name, w.name, strings.Join(tables, ", "), w.tuning.heartbeat, w.standby != nil, w.tuning.streaming, filepath.Join(w.dir, "spool"),
		w.rig.broker.Addr(), strings.Join(topics, ", "), w.topic("position"), w.topic("transactions"),
		w.tuning.records, w.tuning.age, w.tuning.idle, w.tuning.splitRecords, w.tuning.wait), nil
}

// begin returns when the daemon streams and the ledger watches, and starts the load unless the scenario writes by itself.
func (w *world) begin(ctx context.Context) error {
	if err := w.awaitStreaming(ctx); err != nil {
		return err
	}
	if err := w.openBooks(ctx); err != nil {
		return err
	}
	if !w.tuning.idleSource {
		w.startLoad(ctx)
	}
	return nil
}

// inject counts a fault that is about to be made, and marks where the log stands.
func (w *world) inject(ctx context.Context) error {
	w.count()
	return w.mark(ctx)
}

// mark notes where the log stands at a fault.
func (w *world) mark(ctx context.Context) error {
	var err error
	w.fault, err = w.source.logEnd(ctx)
	return err
}

// awaitRecovery returns when all that is committed by now is visible. It notes how
// long after healed anything new became visible, and how long until something did
// that was committed after the fault, which is later if there was a backlog.
func (w *world) awaitRecovery(ctx context.Context, healed time.Time) error {
	waiting, cancel := context.WithTimeoutCause(ctx, recoverTimeout, fmt.Errorf("nothing new within %s of the end of the fault", recoverTimeout))
	defer cancel()
	before, _ := w.tail.last()
	if before.EndLSN <= w.fault {
		if err := w.follow(waiting, func(now schema.Position) bool { return now != before }); err != nil {
			return found(Stuck, err)
		}
	}
	recovered := time.Since(healed)
	if err := w.reach(waiting, w.fault+1); err != nil {
		return found(Stuck, err)
	}
	w.recoveredIn(recovered, time.Since(healed))
	return w.awaitCaughtUp(ctx)
}

// awaitCaughtUp returns when all that is committed by now is visible.
func (w *world) awaitCaughtUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, catchUpTimeout, fmt.Errorf("not up to date after %s", catchUpTimeout))
	defer cancel()
	end, err := w.source.logEnd(ctx)
	if err != nil {
		return err
	}
	return found(Stuck, w.reach(ctx, end))
}

// reach returns when the position has come to lsn.
func (w *world) reach(ctx context.Context, lsn schema.LSN) error {
	return w.follow(ctx, func(now schema.Position) bool { return now.EndLSN >= lsn })
}

// follow returns when the position is as wanted, or a daemon has refused to go on:
// no service that starts it again helps then.
func (w *world) follow(ctx context.Context, wanted func(schema.Position) bool) error {
	const look = 500 * time.Millisecond
	for {
		waiting, cancel := context.WithTimeout(ctx, look)
		err := w.tail.follow(waiting, wanted)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for _, d := range w.daemons {
			for _, exit := range d.Exits() {
				if !exit.Asked && exit.Code == fault.PositionLost.ExitCode() {
					return found(Refused, fmt.Errorf("%s refuses to go on (%s): %w", d.Name, exit, err))
				}
			}
		}
	}
}

// settle lets the load come to its end, awaits that everything is delivered,
// stops the daemons and holds the topics against the source.
func (w *world) settle(ctx context.Context) error {
	log, err := w.endLoad(ctx)
	if err != nil {
		return err
	}
	if err := w.awaitCaughtUp(ctx); err != nil {
		return err
	}
	if err := w.awaitQuiet(ctx); err != nil {
		return err
	}
	if err := w.stopDaemons(ctx); err != nil {
		return err
	}
	return w.balance(ctx, log)
}

// awaitQuiet returns when the slot is confirmed to the last commit, which takes a
// moment, and lets the log go.
func (w *world) awaitQuiet(ctx context.Context) error {
	began := time.Now()
	err := eventually(ctx, catchUpTimeout, "everything to be delivered", func(ctx context.Context) (string, error) {
		ok, missing, err := w.books.Drained(ctx)
		if !ok && missing == "" {
			missing = "not drained"
		}
		return missing, err
	})
	took := time.Since(began)
	w.figure("drained", seconds(took))
	if err == nil && took > quietTimeout {
		w.wrong(Slow, "the slot was confirmed %s after the last commit was visible, %s are allowed", seconds(took), quietTimeout)
	}
	return errors.Join(found(Stuck, err), w.awaitLetGo(ctx))
}

// awaitLetGo returns when the slot holds back no more than an idle one may.
func (w *world) awaitLetGo(ctx context.Context) error {
	var retained int64
	err := eventually(ctx, recoverTimeout, "the slot to let the log go", func(ctx context.Context) (string, error) {
		var err error
		if retained, err = w.source.retained(ctx); retained > retainedMax {
			return fmt.Sprintf("%d bytes are held back", retained), err
		}
		return "", err
	})
	w.figure("retained_mb", retained>>20)
	return found(Retained, err)
}

// close ends all that the world started and removes what it made on the servers.
func (w *world) close(ctx context.Context) error {
	if w.load != nil {
		w.stopLoad() // the run is over: what it wrote is looked at no more
	}
	for _, d := range w.daemons {
		d.Close()
	}
	if w.fences != nil {
		w.fences.end()
	}
	errs := []error{w.closeBooks()}
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	if w.postgres != w.rig.postgres {
		errs = append(errs, w.closeServers())
	} else if w.source != nil {
		errs = append(errs, w.source.remove(ctx, w.postgres.DSN(), w.name))
	}
	return errors.Join(append(errs, w.rig.removeTopics(ctx, w.name+"."))...)
}
