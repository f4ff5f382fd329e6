package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"penstock/internal/fault"
	"penstock/schema"
)

// Capture delivers the changes of one slot to Kafka, exactly once. One Run at a
// time.
type Capture struct {
	cfg Config
	log *zap.Logger
}

// New checks the configuration, all of it, and does no I/O.
func New(cfg Config, log *zap.Logger) (*Capture, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.TransactionTimeout = cmp.Or(cfg.TransactionTimeout, DefaultTransactionTimeout)
	return &Capture{cfg: cfg, log: log}, nil
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
		if ctx.Err() != nil {
			return ignoreStop(ctx, err)
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
// argument: who holds the slot fences, who has fenced reads the position.
func (c *Capture) attempt(ctx context.Context) (healthy bool, err error) {
	ready, err := c.prepare(ctx)
	if err != nil {
		return false, err
	}
	stream, server, err := c.lease(ctx)
	if err != nil {
		return false, err
	}
	// The stream outlives ctx: it carries the last confirmation of a graceful stop.
	streaming, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(streaming) }()
	healthy, err = c.deliver(ctx, stream, server, ready)
	stop()
	streamErr := <-ended
	switch {
	case err != nil || streamErr == nil:
		// What the stream says once it is told to stop explains nothing.
	case ctx.Err() != nil:
		c.log.Warn("the server did not take the last confirmation: it will send again what Kafka has", zap.Error(streamErr))
	default:
		err = streamFault(c.cfg.Slot, streamErr)
	}
	return healthy, err
}

// preparation is what can be learnt and set up without the slot.
type preparation struct {
	keys       map[schema.TableName][]string
	topics     layout
	topicsUsed bool
}

// prepare checks the source, and creates topics, publication and slot when they
// are not there.
func (c *Capture) prepare(ctx context.Context) (ready preparation, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	err = c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		if err := checkServer(ctx, db); err != nil {
			return err
		}
		if ready.keys, err = primaryKeys(ctx, db, &c.cfg); err != nil {
			return err
		}
		if err := c.prepareTopics(ctx, &ready); err != nil {
			return err
		}
		return c.ensureSlot(ctx, db)
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
	ready.topicsUsed, err = topics.holdData(ctx)
	return err
}

func (c *Capture) positions() *positionTopic {
	return &positionTopic{cfg: &c.cfg, topic: c.cfg.PositionTopic, key: c.cfg.Name}
}

// bounded is ctx with the time that a server has to answer.
func (c *Capture) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.cfg.Wait, fmt.Errorf("no answer within %s", c.cfg.Wait))
}

// lease takes the slot. Postgres lets one connection stream from it, so until
// the stream ends nobody else gets past this step. A slot in use is waited for:
// the server may not have noticed yet that its last reader died.
func (c *Capture) lease(ctx context.Context) (*Stream, identity, error) {
	const pause = 250 * time.Millisecond
	said := false
	for begun := time.Now(); ; {
		stream, server, err := c.tryLease(ctx)
		var pgErr *pgconn.PgError
		const objectInUse = "55006"
		if err == nil || !errors.As(err, &pgErr) || pgErr.Code != objectInUse {
			return stream, server, err
		}
		if time.Since(begun) > c.cfg.Wait {
			return nil, server, &fault.Error{
				Kind: fault.Refused, Where: "source.slot " + c.cfg.Slot, What: "the slot is in use",
				Why: "only one daemon may read it", Err: pgErr,
				Fix: "stop the other daemon; penstock slot list shows its process id",
			}
		}
		if !said {
			c.log.Warn("waiting for the slot", zap.String(keySlot, c.cfg.Slot), zap.Error(pgErr), zap.Duration(keyLimit, c.cfg.Wait))
			said = true
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, server, err
		}
	}
}

func (c *Capture) tryLease(ctx context.Context) (*Stream, identity, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	conn, err := c.cfg.connectReplication(ctx)
	if err != nil {
		return nil, identity{}, err
	}
	server, err := identify(ctx, conn)
	if err == nil {
		var stream *Stream
		if stream, err = startStream(ctx, conn, &c.cfg); err == nil {
			return stream, server, nil
		}
		err = streamFault(c.cfg.Slot, err)
	}
	return nil, identity{}, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// deliver fences, finds the position and delivers from there. It reports whether
// anything was delivered, or the stream was idle and well for a while.
func (c *Capture) deliver(ctx context.Context, stream *Stream, server identity, ready preparation) (bool, error) {
	producer, err := openProducer(ctx, &c.cfg, ready.topics.maxBytes)
	if err != nil {
		return false, err
	}
	defer producer.Close()
	position, err := c.resume(ctx, producer, server, ready.topicsUsed)
	if err != nil {
		return false, err
	}
	c.log.Info("streaming", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, position.EndLSN))
	router := newRouter(&c.cfg, server.database, ready.keys, ready.topics.partitions)
	s := newSession(&c.cfg, stream, producer, router, position, c.log)
	begun := time.Now()
	err = s.run(ctx)
	c.log.Info("streaming ended", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, s.position.EndLSN))
	idle := time.Since(begun) > statusInterval && !s.assembler.InTransaction()
	return s.position.EndLSN > position.EndLSN || idle, err
}

// resume gathers the evidence, decides where to go on, and writes a new position
// down before anything is delivered from it.
func (c *Capture) resume(ctx context.Context, producer *Producer, server identity, topicsUsed bool) (schema.Position, error) {
	e := evidence{server: server, slot: c.cfg.Slot, topicsUsed: topicsUsed, acceptGap: c.cfg.AcceptGap}
	var err error
	if e.position, e.found, err = c.positions().read(ctx); err != nil {
		return e.position, err
	}
	asking, cancel := c.bounded(ctx)
	defer cancel()
	err = c.cfg.withSQL(asking, func(db *pgx.Conn) error {
		e.confirmed, e.flushed, err = logEnds(asking, db, c.cfg.Slot)
		return err
	})
	if err != nil {
		return e.position, err
	}
	position, err := resume(e)
	if err != nil || position == e.position {
		return position, err
	}
	if err := producer.Commit(ctx, position); err != nil {
		return position, err
	}
	at := []zap.Field{zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, position.EndLSN)}
	if topicsUsed {
		c.log.Warn("gap accepted: the position is the slot's own", at...)
	} else {
		c.log.Info("first start: the position is the slot's own", at...)
	}
	c.cfg.AcceptGap = 0 // the operator's word holds once
	return position, nil
}
