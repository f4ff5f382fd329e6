package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
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
	lanes    []*lane
	far      atomic.Int32   // lanes that are far behind
	group    *group         // that of the first lane
	seen     map[string]int // witnessed faults by their sort
	most     map[string]time.Duration
	poisoned map[spot]bool // records of the rig's own that cannot be processed
}

// lane is one pipeline: its input topic, its group, and what came of it.
type lane struct {
	pipeline stores.Pipeline
	topic    string
	group    *group
	past     *stores.Past    // nil until the topic was read
	verdict  *stores.Verdict // nil until the stores were held against the source
}

func newStoreWorld(c *common) *storeWorld {
	w := &storeWorld{common: c, seen: map[string]int{}, most: map[string]time.Duration{}, poisoned: map[spot]bool{}, tuning: storeTuning{
		rate: 2_000, onError: "stop", engagement: workload.Engagement{Contents: 3_000, Hot: 8, Lookups: 8, Orders: 25},
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
	for _, l := range w.lanes {
		l.group.behind = w.pace()
		l.group.watch(ctx)
	}
	return nil
}

// pace lets the load wait while a lane is far behind.
func (w *storeWorld) pace() func(records int64) {
	load, far := w.load, int32(0)
	return func(records int64) {
		now := int32(0)
		if records > lagMax {
			now = 1
		}
		load.Hold(w.far.Add(now-far) > 0)
		far = now
	}
}

// begin returns when the first daemon works, and looks from then on.
func (w *storeWorld) begin(ctx context.Context) error {
	if err := w.awaitStreaming(ctx); err != nil {
		return err
	}
	var err error
	for _, p := range []stores.Pipeline{stores.Engagement(), stores.Orders()} {
		l := &lane{pipeline: p, topic: w.topic(p.Name)}
		if l.group, err = openGroup(w.rig.kafka.Address(), l.topic+".group", l.topic, w.wrong); err != nil {
			return err
		}
		w.lanes = append(w.lanes, l)
		if err := l.group.await(ctx, 1); err != nil {
			return err
		}
	}
	w.group, w.target = w.lanes[0].group, w.storeTarget()
	if w.stores, err = stores.Open(w.target); err != nil {
		return err
	}
	w.watch = w.stores.Watch(ctx, w.wrong)
	return nil
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
	for _, l := range w.lanes {
		l.past = stores.NewPast(&l.pipeline)
		if err := w.scan(ctx, []string{l.topic}, l.past.Take); err != nil {
			return err
		}
	}
	for _, l := range w.lanes {
		if err := l.group.awaitOffsets(ctx, l.past.Ends); err != nil {
			return err
		}
	}
	w.figure("settled", seconds(time.Since(began)))
	said, err := w.verify(ctx)
	if err != nil {
		return err
	}
	if err := w.stopDaemons(ctx); err != nil {
		return err
	}
	w.holdAgainstLog(log)
	if err := w.checkLetters(ctx); err != nil {
		return err
	}
	if err := w.check(ctx); err != nil {
		return err
	}
	w.holdVerify(said)
	return nil
}

// holdAgainstLog holds how many changes the input topic has against what the clients know.
func (w *storeWorld) holdAgainstLog(log *workload.Log) {
	var changes int64
	for i := range log.Ops {
		if log.Ops[i].Outcome == workload.OK {
			changes += log.Ops[i].Changes
		}
	}
	there := w.changes()
	switch {
	case log.Count(workload.Unknown) > 0:
		w.object("the clients do not know what became of %d transactions", log.Count(workload.Unknown))
	case there < changes:
		w.wrong(ledger.Lost, "the input topics have %d changes, %d were committed", there, changes)
	case there > changes:
		w.wrong(ledger.Extra, "the input topics have %d changes, %d were committed", there, changes)
	}
	w.figure("events", there)
	if there < w.size.Events {
		w.object("the input topics have %d changes, %d are wanted", there, w.size.Events)
	}
}

// changes are those of rows in the input topics.
func (w *storeWorld) changes() (n int64) {
	for _, l := range w.lanes {
		if l.past != nil {
			n += l.past.Changes
		}
	}
	return n
}

func (w *storeWorld) check(ctx context.Context) error {
	sum := stores.Verdict{Found: map[ledger.Kind]int64{}}
	for _, l := range w.lanes {
		v, err := w.target.Check(ctx, &l.pipeline, l.past)
		if err != nil {
			return fmt.Errorf("hold the stores against the source: %w", err)
		}
		l.verdict = v
		sum.Rows, sum.Lookups, sum.Tombstones, sum.Ranks = sum.Rows+v.Rows, sum.Lookups+v.Lookups, sum.Tombstones+v.Tombstones, sum.Ranks+v.Ranks
		for kind, n := range v.Found {
			sum.Found[kind] += n
		}
		for _, problem := range v.Problems {
			w.say("%s", problem)
		}
	}
	w.figure("rows", sum.Rows)
	w.figure("lookups", sum.Lookups)
	w.figure("tombstones", sum.Tombstones)
	w.figure("ranks", sum.Ranks)
	if sum.Ranks == 0 {
		w.object("no leaderboard has a rank that could be looked at")
	}
	for _, kind := range []ledger.Kind{
		stores.Differing, stores.Missing, stores.Extra, stores.WriteTime, stores.Unknown, stores.Stale, stores.Totals, stores.Boards,
	} {
		w.figure(string(kind), sum.Found[kind])
	}
	for _, kind := range slices.Sorted(maps.Keys(sum.Found)) {
		w.kind(kind)
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
	r.Events = w.changes()
	for _, l := range w.lanes {
		if l.verdict != nil {
			r.Differences += l.verdict.Differences()
		}
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
	for _, l := range w.lanes {
		if l.group != nil {
			l.group.close()
		}
	}
	if w.stores != nil {
		errs = append(errs, w.stores.Flush(ctx)) // keyspaces are left, as they end with their node
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
