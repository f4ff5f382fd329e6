package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/stores"
	"penstock/internal/chaos/workload"
)

const (
	members        = 3                // daemons, each a member of the sink's group
	sessionTimeout = 10 * time.Second // for which the group waits for a member that is silent
	lagMax         = 15_000           // records behind which the load waits for the sink
)

// storeTuning is the part of a scenario of the stores that is not the same for all.
type storeTuning struct {
	rate       float64       // row changes a second
	clock      time.Duration // the source's clock is ahead by this in what the daemons are told
	onError    string        // of the pipeline
	engagement workload.Engagement
}

// storeWorld is what one run of a scenario of the sink has for its own: a database,
// topics, a group, a keyspace, keys of Redis, and three daemons.
type storeWorld struct {
	*common
	tuning   storeTuning
	target   stores.Target
	stores   *stores.Stores
	watch    *stores.Watch
	group    *group
	past     *stores.Past
	verdict  *stores.Verdict // nil until the stores were held against the source
	seen     map[string]int  // witnessed faults by their sort
	most     map[string]time.Duration
	poisoned map[spot]bool // records of the rig's own that cannot be processed
}

func newStoreWorld(c *common) *storeWorld {
	w := &storeWorld{common: c, seen: map[string]int{}, most: map[string]time.Duration{}, poisoned: map[spot]bool{}, tuning: storeTuning{
		rate: 2_000, onError: "stop", engagement: workload.Engagement{Contents: 3_000, Hot: 8, Lookups: 8},
	}}
	if !c.full {
		w.tuning.rate = 700 // it ends sooner when there is less to catch up with
	}
	if tune := c.scenario.tuneStores; tune != nil {
		tune(&w.tuning)
	}
	return w
}

func (w *storeWorld) open(ctx context.Context) error {
	if err := w.rig.startStores(ctx); err != nil {
		return err
	}
	if err := w.createDatabase(ctx); err != nil {
		return err
	}
	if err := workload.SetupEngagement(ctx, w.source.dsn); err != nil {
		return fmt.Errorf("set up the source: %w", err)
	}
	for range members {
		if _, err := w.startDaemon(ctx, w.yaml); err != nil {
			return err
		}
		if w.stores == nil { // the first makes tables and topics, so that no two do
			if err := w.begin(ctx); err != nil {
				return err
			}
		}
	}
	w.startLoad(ctx)
	load := w.load
	w.group.behind = func(records int64) { load.Hold(records > lagMax) }
	w.group.watch(ctx)
	return nil
}

// begin returns when the first daemon works, and looks from then on.
func (w *storeWorld) begin(ctx context.Context) error {
	if err := w.awaitStreaming(ctx); err != nil {
		return err
	}
	var err error
	if w.group, err = openGroup(w.rig.kafka.Address(), w.name+".group", w.topic("input"), w.wrong); err != nil {
		return err
	}
	if err := w.group.await(ctx, 1); err != nil {
		return err
	}
	w.target = stores.Target{
		DSN: w.source.dsn, Hosts: []string{w.rig.cassandra.Address()}, Username: "cassandra", Password: "cassandra",
		Keyspace: w.name, Redis: w.rig.redis.Address(), Prefix: w.name + ":event:",
	}
	if w.stores, err = stores.Open(w.target); err != nil {
		return err
	}
	w.watch = w.stores.Watch(ctx, w.wrong)
	return nil
}

func (w *storeWorld) yaml(link *link) (string, error) {
	dsn, err := withAddress(w.source.dsn, link.Addr())
	if err != nil {
		return "", err
	}
	link.shiftClock(w.tuning.clock)
	return fmt.Sprintf(`source:
  dsn: %q
  slot: %s
  publication: engagement
  tables: [public.content, public.engagement_events]
  heartbeat: 1s
kafka:
  brokers: [%s]
  partitions: 12
  topics: { public.content: %s, public.engagement_events: %s }
  position_topic: %s
  transaction_topic: %s
  dead_letter_topic: %s
  transaction: { records: 2000, age: 100ms, idle: 1s, split_age: 5s, timeout: 10s }
pipelines:
  engagement_metrics: { preset: engagement, topic: %s, group: %s, on_error: %s }
records: { format: text }
cassandra: { hosts: [%q], username: cassandra, password: cassandra, keyspace: %s }
redis: { address: %q, prefix: %s }
wait: 3m
log: { format: json }
`, dsn, w.name, w.rig.kafka.Address(), w.topic("content"), w.topic("engagement_events"), w.topic("position"), w.topic("transactions"),
		w.topic("dead-letters"), w.topic("input"), w.name+".group", w.tuning.onError,
		w.rig.cassandra.Address(), w.name, w.rig.redis.Address(), w.name), nil
}

func (w *storeWorld) startLoad(ctx context.Context) {
	w.common.startLoad(ctx, workload.Options{
		DSN: w.source.dsn, Seed: w.seed, Workers: 4, Rate: w.tuning.rate, Engagement: &w.tuning.engagement,
	})
}

// saw notes what was seen of a fault of a sort.
func (w *storeWorld) saw(sort, format string, args ...any) {
	w.seen[sort]++
	w.witness(sort+": "+format, args...)
}

func (w *storeWorld) play(ctx context.Context) error {
	if err := w.scenario.stores(ctx, w); err != nil {
		return err
	}
	w.heal()
	return w.settle(ctx)
}

// settle lets the load come to its end, awaits that the sink has everything, stops
// the daemons and holds the stores against the source.
func (w *storeWorld) settle(ctx context.Context) error {
	log, err := w.endLoad(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := w.awaitCaptured(ctx); err != nil {
		return err
	}
	w.past = stores.NewPast()
	if err := w.scan(ctx, []string{w.topic("input")}, w.past.Take); err != nil {
		return err
	}
	if err := w.group.awaitOffsets(ctx, w.past.Ends); err != nil {
		return err
	}
	w.figure("settled", seconds(time.Since(began)))
	if err := w.stopDaemons(ctx); err != nil {
		return err
	}
	w.holdAgainstLog(log)
	if err := w.checkLetters(ctx); err != nil {
		return err
	}
	return w.check(ctx)
}

// awaitCaptured returns when the slot is confirmed to all that is committed by now.
func (w *storeWorld) awaitCaptured(ctx context.Context) error {
	end, err := w.source.logEnd(ctx)
	if err != nil {
		return err
	}
	return found(Stuck, eventually(ctx, catchUpTimeout, "the slot to be confirmed up to "+end.String(), func(ctx context.Context) (string, error) {
		confirmed, err := w.source.confirmed(ctx)
		if confirmed < end {
			return "it is at " + confirmed.String(), err
		}
		return "", err
	}))
}

// holdAgainstLog holds how many changes the input topic has against what the clients know.
func (w *storeWorld) holdAgainstLog(log *workload.Log) {
	var changes int64
	for i := range log.Ops {
		if log.Ops[i].Outcome == workload.OK {
			changes += log.Ops[i].Changes
		}
	}
	switch {
	case log.Count(workload.Unknown) > 0:
		w.object("the clients do not know what became of %d transactions", log.Count(workload.Unknown))
	case w.past.Changes < changes:
		w.wrong(ledger.Lost, "the input topic has %d changes, %d were committed", w.past.Changes, changes)
	case w.past.Changes > changes:
		w.wrong(ledger.Extra, "the input topic has %d changes, %d were committed", w.past.Changes, changes)
	}
	w.figure("events", w.past.Changes)
	if w.past.Changes < w.size.Events {
		w.object("the input topic has %d changes, %d are wanted", w.past.Changes, w.size.Events)
	}
}

func (w *storeWorld) check(ctx context.Context) error {
	v, err := w.target.Check(ctx, w.past)
	if err != nil {
		return fmt.Errorf("hold the stores against the source: %w", err)
	}
	w.verdict = v
	w.figure("rows", v.Events)
	w.figure("contents", v.Contents)
	w.figure("tombstones", v.Tombstones)
	for _, kind := range []ledger.Kind{stores.Differing, stores.Missing, stores.Extra, stores.WriteTime, stores.Unknown, stores.Stale} {
		w.figure(string(kind), v.Found[kind])
	}
	for _, kind := range slices.Sorted(maps.Keys(v.Found)) {
		w.kind(kind)
	}
	for _, problem := range v.Problems {
		w.say("%s", problem)
	}
	return nil
}

func (w *storeWorld) judge(err error) {
	clean := w.judgeEnd(err)
	if f, ok := errors.AsType[*finding](err); ok && f.kind == Stuck {
		for _, d := range w.daemons {
			_ = d.send(syscall.SIGQUIT) // its log then says what it was about; one that does not run has nothing to say
		}
	}
	if !clean {
		return
	}
	var sorts []string
	for _, sort := range slices.Sorted(maps.Keys(w.seen)) {
		sorts = append(sorts, fmt.Sprintf("%s:%d", sort, w.seen[sort]))
	}
	w.figure("sorts", strings.Join(sorts, ","))
	for _, name := range slices.Sorted(maps.Keys(w.most)) {
		w.figure(name, seconds(w.most[name]))
	}
	for _, sort := range w.scenario.mandated {
		if w.seen[sort] == 0 {
			w.object("no fault of the sort %s was witnessed", sort)
		}
	}
	w.figure("abreast_max", seconds(w.abreast))
	if w.watch != nil {
		samples := w.watch.Close()
		w.watch = nil
		w.figure("samples", samples)
		if samples == 0 {
			w.object("nobody looked at versions during the run")
		}
	}
}

func (w *storeWorld) counted(r *Result) {
	r.Stores = true
	if w.past != nil {
		r.Events = w.past.Changes
	}
	if w.verdict != nil {
		r.Differences = w.verdict.Differences()
	}
}

// heal lets every server go on.
func (w *storeWorld) heal() {
	for _, in := range w.rig.storeServers() {
		if stopped(in.PID()) {
			_ = in.Resume() // what it does not survive, the next question to it tells
		}
	}
}

func (w *storeWorld) close(ctx context.Context) error {
	if w.load != nil {
		w.stopLoad()
	}
	for _, d := range w.daemons {
		d.Close()
	}
	if w.watch != nil {
		w.watch.Close()
	}
	var errs []error
	if w.group != nil {
		w.group.close()
	}
	if w.stores != nil {
		errs = append(errs, w.target.Remove(ctx))
		w.stores.Close()
	}
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	if w.source != nil {
		errs = append(errs, w.source.remove(ctx, w.postgres.DSN(), w.name))
	}
	return errors.Join(append(errs, w.rig.removeTopics(ctx, w.name+"."))...)
}
