package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/chaos/copied"
	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/workload"
)

const (
	copiesDone  = 15 * time.Minute // for backfills to be done once nothing breaks them any more
	commandWait = time.Minute      // for a command to a capture that is killed meanwhile
	setUpWait   = 5 * time.Minute
)

// copyTuning is the part of a scenario of backfills that is not the same for all.
type copyTuning struct {
	tables   []string // of package copied, backfilled in full
	keyless  bool     // there is a table without a key
	stores   bool     // at full size the preset runs too, tables, sink and stores
	user     bool     // the daemon is no superuser
	rate     int      // rows a second that are read
	load     float64  // transactions a second
	repeats  bool     // tables are backfilled several times
	blocks   int      // of a chunk
	pipeline workload.Engagement
}

// copyWorld is what one run of a scenario of backfills has for its own: a database, topics, a daemon that
// backfills, and a load beside it.
type copyWorld struct {
	*common
	tuning  copyTuning
	daemon  *Daemon
	writing *copied.Load // nil when it has ended
	records int64        // in the topics of the tables
	found   map[ledger.Kind]int64
}

func newCopyWorld(c *common) *copyWorld {
	w := &copyWorld{common: c, found: map[ledger.Kind]int64{}, tuning: copyTuning{
		tables: []string{"rows"}, rate: 20_000, load: 150, blocks: 64,
		pipeline: workload.Engagement{Contents: 2_000, Hot: 8, Lookups: 8, Orders: 0},
	}}
	if !c.full {
		w.tuning.rate, w.tuning.load, w.tuning.blocks = 4_000, 200, 8
	}
	if tune := c.scenario.tuneCopies; tune != nil {
		tune(&w.tuning)
	}
	w.tuning.stores = w.tuning.stores && c.full
	return w
}

// open fills the tables, and starts a daemon that reads them.
func (w *copyWorld) open(ctx context.Context) error {
	if w.tuning.stores {
		if err := w.rig.startStores(ctx); err != nil {
			return err
		}
	}
	if err := w.createDatabase(ctx); err != nil {
		return err
	}
	if err := w.fill(ctx); err != nil {
		return err
	}
	var err error
	if w.daemon, err = w.startDaemon(ctx, w.yaml, "--only", "capture"); err != nil {
		return err
	}
	if err := w.awaitStreaming(ctx); err != nil || !w.tuning.stores {
		return err
	}
	_, err = w.startDaemon(ctx, w.yaml, "--only", "sink") // on its own: what the capture takes is told from what the sink does
	return err
}

func (w *copyWorld) fill(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, setUpWait)
	defer cancel()
	db, err := pgx.Connect(ctx, w.source.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	for _, table := range w.tuning.tables {
		if err := copied.Create(ctx, db, table, w.size.Events/int64(len(w.tuning.tables))); err != nil {
			return err
		}
	}
	var more []string
	if w.tuning.keyless {
		more = append(more, "CREATE TABLE keyless AS SELECT i AS v FROM generate_series(1, 100) i")
	}
	if w.tuning.stores {
		if err := workload.SetupEngagement(ctx, w.source.dsn); err != nil {
			return err
		}
		more = append(more, `INSERT INTO content (id, slug, title, content_type, length_seconds, publish_ts)
			SELECT content_of(i), 'content-' || i, 'Title ' || i, 'video', i % 7 * 600, '2026-01-01' FROM generate_series(0, 1999) i`,
			`INSERT INTO engagement_events (id, content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
			SELECT i, pick(i, 7, 8, 2000), md5('user ' || i % 500)::uuid, 'play', timestamptz '2026-03-01 00:00:00+00' + i * interval '7 seconds',
				i % 3600000, 'web', jsonb_build_object('n', i) FROM generate_series(1000000001, 1000020000) i`)
	}
	more = append(more, fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s", w.name, strings.Join(w.captured(), ", ")))
	if w.tuning.user {
		more = append(more, "CREATE ROLE "+w.name+" LOGIN REPLICATION", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO "+w.name)
	}
	for _, sql := range more {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%.100s: %w", sql, err)
		}
	}
	return nil
}

// captured are the tables of the capture.
func (w *copyWorld) captured() (tables []string) {
	for _, table := range w.tuning.tables {
		tables = append(tables, "public."+table)
	}
	if w.tuning.keyless {
		tables = append(tables, "public.keyless")
	}
	if w.tuning.stores {
		tables = append(tables, "public.content", "public.engagement_events")
	}
	return tables
}

const copyConfig = `source:
  dsn: %[1]q
  slot: %[2]s
  publication: %[2]s
  tables: [%[3]s]
  heartbeat: 1s
kafka:
  brokers: [%[4]s]
  partitions: 4
  topics: { %[5]s }
  position_topic: %[2]s.position
  transaction_topic: %[2]s.transactions
  dead_letter_topic: %[2]s.dead-letters
  transaction: { age: 100ms, idle: 1s, split_age: 5s, timeout: 10s }
backfill: { policy: initial, rows_per_second: %[6]d, chunk_blocks: %[7]d }
records: { format: text }
wait: 10m
log: { format: json }
`

func (w *copyWorld) yaml(link *link) (string, error) {
	dsn, err := withAddress(w.source.dsn, link.Addr())
	if err == nil && w.tuning.user {
		dsn, err = withUser(dsn, w.name)
	}
	if err != nil {
		return "", err
	}
	var topics []string
	for _, table := range w.captured() {
		topics = append(topics, table+": "+w.topic(strings.TrimPrefix(table, "public.")))
	}
	text := fmt.Sprintf(copyConfig, dsn, w.name, strings.Join(w.captured(), ", "), w.rig.kafka.Address(), strings.Join(topics, ", "),
		w.tuning.rate, w.tuning.blocks)
	if w.tuning.stores {
		text += fmt.Sprintf("pipelines: { engagement_metrics: { preset: engagement, topic: %[1]s.joined, group: %[1]s.group } }\n"+
			"cassandra: { hosts: [%[2]q], username: cassandra, password: cassandra, keyspace: %[1]s }\nredis: { address: %[3]q, prefix: %[1]s }\n",
			w.name, w.rig.cassandra.Address(), w.rig.redis.Address())
	}
	return text, nil
}

// job is what penstock backfill list says of one.
type job struct {
	Table, ID, State, Why   string
	Rows, Chunks, Overtaken int64
}

// jobs are the last backfill of each table, by its name.
func (w *copyWorld) jobs(ctx context.Context) (map[string]job, error) {
	text, err := exec.CommandContext(ctx, w.rig.binary, "backfill", "list", "-c", w.daemon.config, "-o", "json").Output()
	if err != nil {
		return nil, fmt.Errorf("penstock backfill list: %w", err)
	}
	var all []job
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("penstock backfill list: %w: %.200s", err, text)
	}
	jobs := map[string]job{}
	for _, j := range all {
		jobs[j.Table] = j
	}
	return jobs, nil
}

// awaitJobs returns the jobs once all of them are as wanted.
func (w *copyWorld) awaitJobs(ctx context.Context, what string, wanted func(map[string]job) (missing string)) (jobs map[string]job, err error) {
	err = eventually(ctx, copiesDone, what, func(ctx context.Context) (string, error) {
		if jobs, err = w.jobs(ctx); err != nil {
			return "", err
		}
		return wanted(jobs), nil
	})
	return jobs, found(Stuck, err)
}

// allDone wants each table with a key to be done, and the one without to have failed.
func (w *copyWorld) allDone(jobs map[string]job) string {
	for _, table := range w.captured() {
		want := "done"
		if table == "public.keyless" {
			want = "failed"
		}
		if j := jobs[table]; j.State != want {
			return fmt.Sprintf("%s is %q after %d rows: %s", table, j.State, j.Rows, j.Why)
		}
	}
	return ""
}

func (w *copyWorld) startWriting(ctx context.Context) {
	w.writing = copied.StartLoad(ctx, w.source.dsn, w.tuning.tables[0], w.size.Events/int64(len(w.tuning.tables)), w.seed, w.tuning.load)
	if w.tuning.stores {
		w.startLoad(ctx, workload.Options{DSN: w.source.dsn, Seed: w.seed, Workers: 2, Rate: 100, Engagement: &w.tuning.pipeline})
	}
}

func (w *copyWorld) endWriting() error {
	var errs []error
	if w.writing != nil {
		errs = append(errs, w.writing.Stop())
		w.figure("written", w.writing.Changes.Load())
		w.writing = nil
	}
	if w.load != nil {
		errs = append(errs, w.stopLoad().err)
	}
	return errors.Join(errs...)
}

// play runs the scenario, and holds the topics against the tables, and the stores by penstock verify.
func (w *copyWorld) play(ctx context.Context) error {
	if err := w.scenario.copies(ctx, w); err != nil {
		return err
	}
	if err := w.endWriting(); err != nil {
		return err
	}
	if err := w.awaitCaptured(ctx); err != nil {
		return err
	}
	if w.tuning.stores {
		err := eventually(ctx, verifyTimeout, "the stores to equal the source", func(ctx context.Context) (string, error) {
			said, err := w.verify(ctx)
			if said.code != 0 {
				return fmt.Sprintf("penstock verify ends with %d: %.1000s", said.code, said.text), err
			}
			return "", err
		})
		if err != nil {
			return found(Verify, err)
		}
	}
	if err := w.stopDaemons(ctx); err != nil {
		return err
	}
	return w.check(ctx)
}

func (w *copyWorld) check(ctx context.Context) (err error) {
	db, err := pgx.Connect(ctx, w.source.dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	for _, table := range w.tuning.tables {
		v := copied.NewView()
		v.Repeats = w.tuning.repeats
		if err := w.scan(ctx, []string{w.topic(table)}, v.Take); err != nil {
			return err
		}
		rows, err := v.Check(ctx, db, table)
		if err != nil {
			return err
		}
		w.records += v.Records
		w.figure(table, fmt.Sprintf("%d/read:%d/torn:%d", rows, v.Read, v.Torn))
		for kind, n := range v.Found {
			w.found[kind] += n
			w.kind(kind)
			w.figure(string(kind), n)
		}
		for _, problem := range v.Problems {
			w.say("%s: %s", table, problem)
		}
	}
	return nil
}

func (w *copyWorld) heal() {}

func (w *copyWorld) judge(err error) { w.judgeEnd(err) }

func (w *copyWorld) counted(r *Result) {
	r.Events, r.Lost, r.Dup, r.Reorder = w.records, w.found[ledger.Lost], w.found[ledger.Duplicate], w.found[ledger.Reorder]
	for kind, n := range w.found {
		if kind != ledger.Lost && kind != ledger.Duplicate && kind != ledger.Reorder {
			r.Differences += n
		}
	}
}

func (w *copyWorld) close(ctx context.Context) error {
	errs := []error{w.endWriting()}
	for _, d := range w.daemons {
		d.Close()
	}
	for _, l := range w.links {
		errs = append(errs, l.Close())
	}
	if w.source != nil {
		errs = append(errs, w.source.remove(ctx, w.postgres.DSN(), w.name))
		if w.tuning.user {
			errs = append(errs, (&source{dsn: w.postgres.DSN()}).exec(ctx, "DROP ROLE IF EXISTS "+w.name))
		}
	}
	return errors.Join(append(errs, w.rig.removeTopics(ctx, w.name+"."))...)
}
