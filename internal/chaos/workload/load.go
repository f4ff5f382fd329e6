// Package workload writes to Postgres what the proof is about: a seeded mix of
// everything that has made some capture lose or repeat a row, with a client log
// that says what each transaction came to.
//
// Read load.go (Start, Stop, Wait), mix.go and operations.go (what is written),
// transaction.go (how, and what is known of it), tables.go (where to), log.go.
package workload

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	defaultWorkers  = 4
	defaultPatience = time.Minute
	defaultMaxValue = 900_000
	adjacentWorkers = 8
	accounts        = 32
	largeParts      = 4 // statements of a large transaction
)

// Options say how much is written, and what.
type Options struct {
	DSN     string
	Seed    uint64
	Workers int     // 0: four
	Events  int64   // stop after about so many committed row changes; 0: until Stop
	Rate    float64 // row changes per second overall; 0: as fast as Postgres takes them
	Mix     Mix     // the zero value is DefaultMix
	// Engagement writes to the tables of SetupEngagement instead, whatever Mix says; nil does not.
	Engagement *Engagement
	MaxValue   int           // largest value in bytes; 0: 900,000
	Patience   time.Duration // how long a transaction, or Postgres itself, is waited for; 0: a minute
}

// Load is a workload under way. Its methods may be called concurrently.
type Load struct {
	opts    Options
	began   time.Time
	written atomic.Int64
	opened  atomic.Bool // the accounts are there
	held    atomic.Bool
	stop    chan struct{}
	stopped sync.Once
	group   errgroup.Group

	mu    sync.Mutex
	ops   []Op    // of what has ended
	large *worker // writes the large transactions
}

// Start begins to write. The load ends with Stop, after Options.Events, with the
// first error that it does not expect, or with ctx.
func Start(ctx context.Context, o Options) *Load {
	o.Workers, o.Patience = cmp.Or(o.Workers, defaultWorkers), cmp.Or(o.Patience, defaultPatience)
	o.MaxValue = cmp.Or(o.MaxValue, defaultMaxValue)
	if o.Mix == (Mix{}) {
		o.Mix = DefaultMix()
	}
	l := &Load{opts: o, began: time.Now(), stop: make(chan struct{})}
	l.large = newWorker(l, o.Workers+adjacentWorkers)
	l.large.patient = true
	mixed := o.Workers
	if o.Mix.total() == 0 {
		mixed = 0
	}
	pick := o.Mix.pick
	if o.Engagement != nil {
		pick, mixed = o.Engagement.pick, o.Workers
	}
	for id := range mixed {
		l.run(ctx, newWorker(l, id), pick)
	}
	if o.Mix.Adjacent {
		for id := range adjacentWorkers {
			l.run(ctx, newWorker(l, o.Workers+id), oneRow)
		}
	}
	return l
}

func (l *Load) run(ctx context.Context, w *worker, pick picker) {
	l.group.Go(func() error {
		err := w.run(ctx, pick)
		l.keep(w.ops)
		if err != nil {
			l.Stop() // one is missing: the rest would not be the load that was asked for
			return fmt.Errorf("worker %d of the load, seed %d, transaction %d: %w", w.id, l.opts.Seed, w.n, err)
		}
		return nil
	})
}

func (l *Load) keep(ops []Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, ops...)
}

// Written is how many row changes are committed so far, as far as is known.
func (l *Load) Written() int64 { return l.written.Load() }

// Stop lets every worker end its transaction and no more. Wait awaits that.
func (l *Load) Stop() { l.stopped.Do(func() { close(l.stop) }) }

// Wait returns when the load has ended, with the client log even after an error.
func (l *Load) Wait() (*Log, error) {
	err := l.group.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Log{Seed: l.opts.Seed, Ops: l.ops}, err
}

// Large writes one transaction of so many new rows, beside the rest of the load,
// and returns when it is committed, however long that takes. Between its rows are
// others, in savepoints that are rolled back. It must not be called after Wait.
func (l *Load) Large(ctx context.Context, rows int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.large
	w.ops = nil
	var sql strings.Builder
	for part := range largeParts {
		from, to := rows*part/largeParts, rows*(part+1)/largeParts
		sql.WriteString(w.manyRows(to-from, "large"))
		fmt.Fprintf(&sql, "SAVEPOINT a; %s ROLLBACK TO a; RELEASE a;", w.manyRows(1+rows/20, "rolled back"))
	}
	err := w.transact(ctx, transaction{sql: sql.String()})
	l.ops = append(l.ops, w.ops...)
	w.close(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("write %d rows at once: %w", rows, err)
	case w.ops[0].Outcome != OK:
		return fmt.Errorf("write %d rows at once: outcome %s: %w", rows, w.ops[0].Outcome, w.broken)
	}
	return nil
}

// manyRows inserts so many new rows in one statement.
func (w *worker) manyRows(rows int, text string) string {
	return fmt.Sprintf("INSERT INTO evt SELECT %d + i, i %% 100, %d, i, 1, '%s ' || i FROM generate_series(0, %d) i;",
		w.fresh(int64(rows)), w.id, text, rows-1)
}

// over reports whether there is no more to write.
func (l *Load) over() bool {
	select {
	case <-l.stop:
		return true
	default:
		return l.opts.Events > 0 && l.written.Load() >= l.opts.Events
	}
}

// Hold lets every worker end its transaction and wait until it is let go on.
func (l *Load) Hold(held bool) { l.held.Store(held) }

// pace waits until the rate allows the next transaction, and nobody holds the load.
func (l *Load) pace(ctx context.Context) error {
	const look = 20 * time.Millisecond
	for l.held.Load() && !l.over() {
		if err := l.until(ctx, look); err != nil {
			return err
		}
	}
	if l.opts.Rate <= 0 {
		return ctx.Err()
	}
	due := l.began.Add(time.Duration(float64(l.written.Load()) / l.opts.Rate * float64(time.Second)))
	return l.until(ctx, time.Until(due))
}

// until waits, or less when the load is stopped.
func (l *Load) until(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stop:
	case <-ctx.Done():
	}
	return ctx.Err()
}
