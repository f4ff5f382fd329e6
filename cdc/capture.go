package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// Capture delivers the changes of one slot to Kafka, exactly once. One Run at a
// time.
type Capture struct {
	cfg Config
	log *zap.Logger

	// Only Run's goroutine touches the rest: what one attempt leaves to the next.
	position   schema.Position // last known to be in Kafka; zero before the first was read
	held       bool            // the slot has been ours
	senders    []walsender     // of ours, that may hold the slot still
	takeover   bool            // the operator's word to take the slot, not used yet
	misfits    string          // what was last told of rules that the tables as they are now do not allow
	recovering *Recovery       // that the position begins which is written down next; nil for none
	accepted   schema.LSN      // the commit whose tables may have other columns, by the operator's word

	relations map[schema.TableName]record.Relation // what Kafka has last of each table
	kept      memory                               // likewise, all of it, at the last start

	told       map[string]bool // warnings that were given
	delivering bool            // the last attempt has come so far
	entries    []slot.Entry    // of the publications, at the last look; the watch's alone while it runs

	rows map[string]string // which of them have been altered since, as entries

	seen atomic.Pointer[[]slot.Entry] // entries that the watch has found, for the session to write down; nil for none
}

// New checks the configuration, all of it, and does no I/O.
func New(cfg Config, log *zap.Logger) (*Capture, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.TransactionTimeout = cmp.Or(cfg.TransactionTimeout, DefaultTransactionTimeout)
	cfg.meter = newMeter()
	c := &Capture{cfg: cfg, log: log, takeover: cfg.Takeover}
	if cfg.Accept.State == fault.ShapeChanged {
		c.accepted = cfg.Accept.LSN
	}
	return c, nil
}

// Run captures until ctx ends, and then stops gracefully: what is complete is
// committed and confirmed, so that nothing is sent again.
//
// When a server fails it closes both connections and starts again from the
// committed position; there is no other way to recover. It gives up when that
// has brought nothing forward for Config.Wait, and at once when an operator has
// to decide. The error is a *fault.Error then.
func (c *Capture) Run(ctx context.Context) error {
	const firstPause, maxPause = 100 * time.Millisecond, 3 * time.Second
	pause, trouble := firstPause, time.Time{} // trouble is when it began; zero while all is well
	for {
		healthy, err := c.attempt(ctx)
		if ctx.Err() != nil && !c.delivering && retriable(err) {
			return nil // nothing was under way: to stop waiting is to stop well
		}
		if ctx.Err() != nil {
			return ignoreStop(ctx, err)
		}
		if adopted, refused := c.adoptFrom(err); refused != nil {
			return refused
		} else if adopted {
			continue
		}
		if healthy || trouble.IsZero() {
			pause, trouble = firstPause, time.Now()
		}
		if !retriable(err) {
			return err
		}
		left := c.cfg.Wait - time.Since(trouble)
		if left <= 0 {
			return fmt.Errorf("gave up after %s: %w", c.cfg.Wait, err)
		}
		c.cfg.meter.enter(Waiting)
		c.log.Warn("waiting, then starting again", zap.Error(err), zap.Duration(keyLimit, left.Round(time.Second)))
		if err := sleep(ctx, pause); err != nil {
			return ignoreStop(ctx, err)
		}
		pause = min(2*pause, maxPause)
	}
}

// ignoreStop drops the errors that only say that ctx ended.
func ignoreStop(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx)) {
		return nil
	}
	return err
}

// attempt is one life of the capture, from nothing to streaming to whatever ends
// it. healthy says that it got somewhere. The order of its steps is the safety
// argument.
func (c *Capture) attempt(ctx context.Context) (healthy bool, err error) {
	c.delivering = false
	// 1. Look, and take the slot: nobody else gets past this line until we end.
	ready, l, stoodBy, err := c.lease(ctx)
	if err != nil {
		return stoodBy, err
	}
	c.cfg.meter.enter(Starting) // it may have stood by
	c.cfg.reach(FailLeased)
	delivered, err := c.hold(ctx, l, func() (bool, error) {
		// 2. Fence: from here on no older daemon can commit.
		producer, err := c.fence(ctx, &ready)
		if err != nil {
			return false, err
		}
		defer producer.Close()
		// 3. Read the position: nobody can change it now. 4. Decide where to go on.
		position, err := c.resume(ctx, producer, l, &ready)
		if err != nil {
			return false, err
		}
		c.cfg.reach(FailPositionRead)
		// 5. Stream.
		c.delivering = true
		return c.deliver(ctx, l, producer, ready, position)
	})
	return stoodBy || delivered, c.withFix(ctx, err)
}

// fence opens the producer, which no older daemon's survives. Only who holds the slot
// fences, so that two cannot fence each other in turns. What was decided before
// is known no more after it.
func (c *Capture) fence(ctx context.Context, ready *preparation) (*Producer, error) {
	if err := c.endHanging(ctx); err != nil {
		return nil, err
	}
	producer, err := openProducer(ctx, &c.cfg, ready.topics.maxBytes)
	if err == nil {
		c.cfg.reach(FailFenced)
	}
	return producer, err
}

// hold runs the stream, which keeps the slot, while do works with what it brings.
func (c *Capture) hold(ctx context.Context, l *lease, do func() (bool, error)) (bool, error) {
	// The stream outlives ctx: it carries the last confirmation of a graceful stop.
	streaming, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- l.stream.Run(streaming) }()
	healthy, err := do()
	left := errors.Is(err, errSlotLeft)
	if left { // the stream knows why, and is about to say it
		defer time.AfterFunc(farewell, stop).Stop()
	} else {
		stop()
	}
	streamErr := <-ended
	told := streaming.Err() != nil
	stop()
	switch {
	case left && !told && streamErr != nil:
		err = c.streamFault(ctx, streamErr)
	case err != nil || streamErr == nil:
		// What the stream says once it is told to stop explains nothing.
	case ctx.Err() != nil:
		c.log.Warn("the server did not take the last confirmation: it will send again what Kafka has", zap.Error(streamErr))
	default:
		err = c.streamFault(ctx, streamErr)
	}
	return healthy, err
}

// withFix adds the operator's way on to a divergence that was found while
// streaming, now that the slot does not move any more.
func (c *Capture) withFix(ctx context.Context, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.State == "" || f.Fix != "" {
		return err
	}
	ctx, cancel := c.bounded(context.WithoutCancel(ctx))
	defer cancel()
	asked := c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		confirmed, _, _, err := logEnds(ctx, db, c.cfg.Slot)
		f.Fix = renewed(acceptFix(f.State, confirmed))
		return err
	})
	if asked != nil {
		return errors.Join(err, asked)
	}
	return err
}

// preparation is what can be learnt and set up without the slot.
type preparation struct {
	topics     layout
	topicsUsed bool
}

// prepare checks the source, and creates topics, publication and slot when they
// are not there.
func (c *Capture) prepare(ctx context.Context) (ready preparation, err error) {
	return c.prepareWith(ctx, c.ensureSlot)
}

// prepareWith is prepare with another way to make the slot.
func (c *Capture) prepareWith(
	ctx context.Context, slot func(ctx context.Context, db *pgx.Conn, topicsUsed bool) error,
) (ready preparation, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	err = c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		if err := checkServer(ctx, db); err != nil {
			return err
		}
		if err := c.adoptPublished(ctx, db); err != nil {
			return err
		}
		if err := checkTables(ctx, db, &c.cfg); err != nil {
			return err
		}
		if err := errors.Join(c.checkColumns(ctx, db), c.checkGenerated(ctx, db)); err != nil {
			return err
		}
		if err := c.prepareTopics(ctx, &ready); err != nil {
			return err
		}
		if err := checkCompacted(ctx, db, &c.cfg, &ready.topics); err != nil {
			return err
		}
		return slot(ctx, db, ready.topicsUsed)
	})
	return ready, err
}

func (c *Capture) prepareTopics(ctx context.Context, ready *preparation) error {
	topics, err := openTopics(&c.cfg)
	if err != nil {
		return err
	}
	defer topics.Close()
	if ready.topics, err = topics.ensure(ctx); err != nil {
		return err
	}
	c.sayAdopted(ready.topics.created)
	ready.topicsUsed, err = topics.holdData(ctx)
	return err
}

func (c *Capture) positions() *positionTopic {
	return &positionTopic{cfg: &c.cfg, topic: c.cfg.PositionTopic, key: c.cfg.Name}
}

func (c *Capture) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.cfg.bounded(ctx)
}

// resume gathers the evidence, decides where to go on, and writes a new position
// down before anything is delivered from it.
func (c *Capture) resume(ctx context.Context, producer *Producer, l *lease, ready *preparation) (schema.Position, error) {
	e := evidence{server: l.server, slot: c.cfg.Slot, topicsUsed: ready.topicsUsed, accept: c.cfg.Accept}
	kept, err := c.positions().read(ctx)
	if err != nil {
		return kept.position, err
	}
	e.position, e.found, e.others, c.relations, c.kept = kept.position, kept.found, kept.others, kept.relations, kept
	if e.confirmed, e.flushed, err = c.leasedEnds(ctx, l); err != nil {
		return e.position, err
	}
	found, err := c.look(ctx)
	if err != nil {
		return e.position, err
	}
	before := kept.entries
	if c.entries != nil { // what the attempt before saw is newer
		before = c.entries
	}
	before = stillOf(before, found)
	e.replaced = c.cfg.replaced(before, found)
	position, overruled, err := resume(e)
	if err == nil && !e.found && ready.topicsUsed {
		position.Version, err = c.versionFloor(ctx)
	}
	if err != nil {
		return position, err
	}
	entries := c.cfg.known(before, found)
	switch {
	case c.recovering != nil:
		err = c.beginRecovery(ctx, producer, found, position.EndLSN)
	case !e.found && !ready.topicsUsed:
		err = c.beginFirst(ctx, producer, found)
	}
	if err != nil {
		return position, err
	}
	if err := c.writeDown(ctx, producer, &kept, position, entries); err != nil {
		return position, err
	}
	c.sayNewPosition(&e, position, overruled)
	c.position, c.entries, c.rows = position, entries, rowsOf(found)
	c.seen.Store(nil)
	c.sayUnneeded(position, overruled)
	c.sayNotInitial(e.found, found)
	c.cfg.Accept = Accept{} // the operator's word holds once
	return position, nil
}

// writeDown commits the position and what the publications are made of, if Kafka has others.
func (c *Capture) writeDown(ctx context.Context, producer *Producer, kept *memory, position schema.Position, entries []slot.Entry) error {
	remembered := slices.Equal(entries, kept.entries)
	if remembered && position == kept.position && c.recovering == nil {
		return nil
	}
	if !remembered {
		if err := c.remember(ctx, producer, entries); err != nil {
			return err
		}
	}
	return producer.Commit(ctx, position)
}

// errSlotLeft says that the walsender is gone that the stream was read from.
var errSlotLeft = errors.New("the walsender has ended")

// leasedEnds is what logEnds says on the server, and under the lease, of l: a
// connection string may name several servers, and a lease may have been ended.
func (c *Capture) leasedEnds(ctx context.Context, l *lease) (confirmed, flushed schema.LSN, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var pid int32
	err = c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		confirmed, flushed, pid, err = logEnds(ctx, db, c.cfg.Slot)
		return err
	})
	if err == nil && pid != l.sender.pid {
		err = &fault.Error{
			Kind: fault.Unreachable, Where: "source.slot " + c.cfg.Slot, What: "the slot was lost while starting",
			Why: fmt.Sprintf("the server says that pid %d holds it, not pid %d", pid, l.sender.pid), Fix: "start again: who holds it decides",
			Err: errSlotLeft,
		}
	}
	return confirmed, flushed, err
}

func (c *Capture) sayNewPosition(e *evidence, position schema.Position, overruled *fault.Error) {
	at := []zap.Field{zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, position.EndLSN)}
	switch {
	case overruled != nil:
		word := "accepted by the operator: "
		if c.recovering != nil {
			word = "to be recovered: "
		}
		c.log.Warn(word+overruled.What, append(at, zap.String(keyState, string(overruled.State)),
			zap.Stringer(keyFrom, e.position.EndLSN), zap.Stringer(keyTo, position.EndLSN))...)
	case position == e.position:
	case e.found:
		c.log.Info("the server was promoted: the position is part of its history", append(at,
			zap.Int32("timeline", position.Timeline))...)
	default:
		c.log.Info("first start: the position is the slot's own", at...)
	}
}
