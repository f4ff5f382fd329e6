package cdc

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/backfill"
	"penstock/schema"
)

// copies are the backfills that run beside a session. Readers read in the
// background; all that is decided and delivered is the session's goroutine's.
type copies struct {
	cfg    *Config
	pool   *backfill.Pool
	window *backfill.Window
	desks  map[schema.TableName]*backfill.Desk
	turn   int // of the desk that deals next, by name

	given   map[*backfill.Order]backfill.Snapshot // orders whose rows are not delivered, each with a snapshot from before it
	known   backfill.Snapshot                     // the latest that was taken
	waiting []*backfill.Chunk                     // which the stream is not behind of yet
	shapes  map[schema.TableName]*schema.Relation // of the last chunk of each table
	changed map[schema.TableName]bool             // jobs that are not in Kafka as they are
	told    []backfill.Progress                   // of those that are about to be
	log     *zap.Logger

	since int64        // the version that the session began with
	words chan Command // heard while the session runs
	from  int64        // the offset in the position topic from which on they are
	met   []string     // the ids of those that Kafka does not know to be met
}

func newCopies(cfg *Config, kept *memory, log *zap.Logger) *copies {
	c := &copies{
		cfg: cfg, log: log, words: make(chan Command), from: kept.end, window: backfill.NewWindow(), desks: map[schema.TableName]*backfill.Desk{},
		given: map[*backfill.Order]backfill.Snapshot{}, shapes: map[schema.TableName]*schema.Relation{}, changed: map[schema.TableName]bool{},
		pool: cfg.newPool(log),
	}
	for table, job := range kept.jobs {
		cfg.meter.tell(c.progress(job))
		if !job.State.Final() {
			c.open(table, job)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(kept.commands)) {
		word := kept.commands[id]
		c.command(&word)
	}
	return c
}

func (c *Config) newPool(log *zap.Logger) *backfill.Pool {
	return backfill.NewPool(backfill.Pool{
		Connect: c.connectSQL, Publications: c.Publications, Readers: max(c.Backfill.Readers, 1), Rate: c.Backfill.Rate,
		Held: func(ctx context.Context, rel *schema.Relation) (backfill.Held, error) {
			return c.openHeld(ctx, rel, log)
		},
		Waits: func(xids []uint64) {
			log.Info("a backfill waits for transactions to end that began before it", zap.Uint64s("xids", xids))
		},
	})
}

// open gives a job a desk. Its table is followed from here on, which has to be before
// anything is read of it.
func (c *copies) open(table schema.TableName, job *backfill.Job) {
	c.desks[table] = &backfill.Desk{Job: job, Blocks: c.blocks(), Rate: c.cfg.Backfill.Rate}
	if job.State == backfill.Running {
		c.window.Follow(table)
		if job.Sweep && !job.Swept {
			c.window.Hold(table)
		}
	}
}

// blocks are how many are read in one chunk.
func (c *copies) blocks() uint32 { return cmp.Or(c.cfg.Backfill.ChunkBlocks, backfill.DefaultBlocks) }

func (c *copies) progress(job *backfill.Job) backfill.Progress {
	return job.Progress(int64(job.Pace(c.blocks(), c.cfg.Backfill.Rate)))
}

// run is the readers, until ctx ends or the server fails.
func (c *copies) run(ctx context.Context) error {
	if err := c.pool.Run(ctx); err != nil && ctx.Err() == nil {
		return postgresFault("read rows for a backfill", err)
	}
	return nil
}

// results hands over what readers did.
func (c *copies) results() <-chan backfill.Result {
	if c == nil {
		return nil
	}
	return c.pool.Results()
}

// deal gives the readers something to do, each table in turn.
func (c *copies) deal() {
	if len(c.desks) == 0 || len(c.given) >= max(c.cfg.Backfill.Readers, 1) {
		return
	}
	tables := slices.SortedFunc(maps.Keys(c.desks), schema.TableName.Compare)
	for idle := 0; idle < len(tables) && len(c.given) < max(c.cfg.Backfill.Readers, 1); c.turn++ {
		o, ok := c.desks[tables[c.turn%len(tables)]].Next()
		if idle++; !ok {
			continue
		}
		idle = 0
		c.given[&o] = c.known
		c.pool.Orders() <- o
	}
}

// maxChanged bounds the keys that the window remembers, of some 100 bytes each: it
// lets go of them only while rows are delivered.
const maxChanged = 1_000_000

// note takes note of what the stream changes in a table that is being read. While that
// pauses, only rows that are not whole count: they may move to where was read already.
func (c *copies) note(e *schema.Event) {
	if c == nil || e.Relation == nil || e.Source.Snapshot != "" || c.desks[e.Relation.Table] == nil {
		return
	}
	table := e.Relation.Table
	if c.desks[table].Job.State.Final() {
		return
	}
	if e.Relation.Key == nil {
		c.fail(table, &backfill.Refusal{What: "the table has no key any more", Fix: "give it a primary key, then start the backfill again"})
		return
	}
	torn := backfill.TornKey(e)
	if c.window.Follows(table) {
		torn = c.window.Note(e)
	}
	if c.window.Len() > maxChanged {
		c.fail(table, &backfill.Refusal{
			What: fmt.Sprintf("more than %d rows were changed before any was read", maxChanged), Why: "what was changed has to be remembered until then",
			Fix: "end the transactions that the log says it waits for, then start the backfill again",
		})
		return
	}
	if torn != nil {
		c.changed[table] = true
		if !c.desks[table].Torn(torn) {
			c.failTorn(table)
		}
	}
}

func (c *copies) failTorn(table schema.TableName) {
	c.fail(table, &backfill.Refusal{
		What: "too many of its rows were changed while it was read, without the TOASTed values that stayed the same",
		Why:  "each of them has to be read once more, and they are more than can be remembered",
		Fix:  "REPLICA IDENTITY FULL, or start the backfill again at a quieter time",
	})
}

// fail ends the backfill of one table; others go on.
func (c *copies) fail(table schema.TableName, why *backfill.Refusal) {
	what := why.Reason()
	c.end(table, backfill.Failed, what, why.Fix)
	c.log.Error("backfill failed", zap.Stringer(keyTable, table), zap.String("why", what), zap.String("fix", why.Fix))
}

func (c *copies) end(table schema.TableName, state backfill.State, why, fix string) {
	c.desks[table].Job.End(state, why, fix, time.Now())
	c.window.Leave(table)
	c.changed[table] = true
}

// take takes what a reader did. A chunk waits until the stream has come behind it.
func (c *copies) take(r *backfill.Result) {
	desk := c.desks[r.Order.Table]
	if r.Err != nil || r.Chunk == nil {
		if counts := c.back(&r.Order); !counts {
			return
		}
	}
	refusal, _ := errors.AsType[*backfill.Refusal](r.Err)
	switch {
	case refusal != nil:
		c.fail(r.Order.Table, refusal)
	case errors.Is(r.Err, backfill.ErrRewritten):
		c.log.Info("the table was rewritten: it is read again", zap.Stringer(keyTable, r.Order.Table))
		desk.Rewritten()
		c.open(r.Order.Table, desk.Job) // what is read already lies in blocks of before
		c.changed[r.Order.Table] = true
	case r.Order.Settle:
		desk.Settled()
	case r.Order.Plan:
		desk.Planned(r.Plan)
		c.changed[r.Order.Table] = true
		c.complete(r.Order.Table)
	default:
		if newer(&r.Chunk.Snapshot, &c.known) {
			c.known = r.Chunk.Snapshot
		}
		c.waiting = append(c.waiting, r.Chunk)
	}
}

// back takes an order back, and reports whether what became of it still counts.
func (c *copies) back(o *backfill.Order) bool {
	for given := range c.given {
		if given.Is(o) {
			delete(c.given, given)
			break
		}
	}
	desk := c.desks[o.Table]
	return desk != nil && desk.Back(o)
}

// forget lets go of what every snapshot sees that rows may still be judged by.
func (c *copies) forget() {
	oldest := c.known
	for _, s := range c.given {
		if newer(&oldest, &s) {
			oldest = s
		}
	}
	c.window.Forget(&oldest)
}

// newer reports whether a was taken after b, or sees the same.
func newer(a, b *backfill.Snapshot) bool {
	switch {
	case a.Xmax != b.Xmax:
		return a.Xmax > b.Xmax
	case a.Xmin != b.Xmin:
		return a.Xmin > b.Xmin
	}
	return len(a.Running) <= len(b.Running)
}

// complete ends the backfill of a table of which nothing is left.
func (c *copies) complete(table schema.TableName) {
	desk := c.desks[table]
	if !desk.Complete() {
		return
	}
	c.end(table, backfill.Done, "", "")
	c.log.Info("backfill is done", zap.Stringer(keyTable, table), zap.Int64(keyRecords, desk.Job.Rows), zap.Int64("overtaken", desk.Job.Dropped),
		zap.Int64("deleted", desk.Job.Deleted), zap.Float64("seconds", desk.Job.Seconds))
}

// records are the jobs that are not in Kafka as they are, for the Kafka transaction
// that ends now.
func (c *copies) records() (records []*kgo.Record, err error) {
	if c == nil {
		return nil, nil
	}
	for table := range c.changed {
		job := c.desks[table].Job
		r, err := c.cfg.jobRecord(job)
		if err != nil {
			return nil, err
		}
		c.told = append(c.told, c.progress(job))
		if records = append(records, r); job.State.Final() {
			delete(c.desks, table)
		}
	}
	clear(c.changed)
	for _, id := range c.met {
		key, err := json.Marshal(commandKey{c.cfg.Name, id})
		if err != nil {
			return nil, fmt.Errorf("encode a command: %w", err)
		}
		records = append(records, &kgo.Record{Topic: c.cfg.PositionTopic, Key: key})
	}
	c.met = nil
	return records, nil
}

// tell says how far jobs are in Kafka, behind its commit.
func (c *copies) tell() {
	if c == nil {
		return
	}
	c.cfg.meter.tell(c.told...)
	c.told = c.told[:0]
}

// pending reports whether a job is not in Kafka as it is.
func (c *copies) pending() bool { return c != nil && len(c.changed)+len(c.met) > 0 }

func (c *Config) jobRecord(job *backfill.Job) (*kgo.Record, error) {
	key, value, err := job.AppendRecord(c.Name)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: c.PositionTopic, Key: key, Value: value}, nil
}
