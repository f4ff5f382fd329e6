package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/internal/stack"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/testdata"
)

// stageDeadline is how long an event may take to one stage of the walk-through.
const stageDeadline = 60 * time.Second

// walkthrough is the seed's story on real servers: its rows go into Postgres,
// each event is followed to Kafka, Cassandra and Redis, and all of it is held
// against SQL. Open it, walk it, close it; in between its readers may be used.
//
// walkthrough_names.go has what its objects are called, walkthrough_objects.go
// makes and removes them, walkthrough_kafka.go reads topics,
// walkthrough_follow.go follows the events, walkthrough_truth.go asks Postgres,
// walkthrough_check.go and walkthrough_topics.go compare with what it says, and
// walkthrough_view.go shows.
type walkthrough struct {
	servers stack.Servers
	names   names
	log     *zap.Logger

	objects *objects       // the servers' side
	cfg     *config.Config // what the daemon runs with
	stores  *stores        // readers
	topics  *topicReader

	stop  context.CancelCauseFunc // ends the daemon
	ended chan error              // how it ended once told to; capacity 1, so that it never waits for a reader
}

var (
	errWalkOver    = errors.New("the walk-through is over") // ends the daemon in order
	errDaemonEnded = errors.New("the daemon ended of itself")
)

// openWalkthrough makes the demo's objects under names that are free, and starts
// capture and sink on them. The context it returns ends when the daemon does.
func openWalkthrough(ctx context.Context, servers stack.Servers, log *zap.Logger) (*walkthrough, context.Context, error) {
	w := &walkthrough{servers: servers, log: log, ended: make(chan error, 1)}
	objects, err := openObjects(ctx, servers)
	if err != nil {
		return nil, ctx, err
	}
	w.objects = objects
	if err := w.open(ctx); err != nil {
		return nil, ctx, errors.Join(err, w.close(ctx, true))
	}
	daemonCtx, stop := context.WithCancelCause(ctx)
	w.stop = stop
	go func() {
		err := newDaemon(w.cfg, config.Roles(), operatorWord{}, log).run(daemonCtx)
		if daemonCtx.Err() == nil { // of itself: whoever waits for something hears it
			stop(cmp.Or(err, errDaemonEnded))
			err = nil
		}
		w.ended <- err
	}()
	return w, daemonCtx, nil
}

func (w *walkthrough) open(ctx context.Context) error {
	var err error
	if w.names, err = w.objects.freeNames(ctx); err != nil {
		return err
	}
	if err := w.objects.create(ctx, w.names); err != nil {
		return err
	}
	if w.cfg, err = w.names.config(w.servers); err != nil {
		return fmt.Errorf("configure the demo: %w", err)
	}
	if w.stores, err = openStores(ctx, w.cfg, planOf(w.cfg, w.names.Pipeline), w.log); err != nil {
		return err
	}
	w.topics, err = newTopicReader(w.cfg.Kafka.Brokers, w.names.Events, w.names.Content)
	return err
}

// walk inserts the seed's rows as the seed tells it, follows each event, and
// compares. Its error says that the story could not be told; what it found
// different is in the story.
func (w *walkthrough) walk(ctx context.Context) (*story, error) {
	if err := w.ready(ctx); err != nil {
		return nil, causeOf(ctx, err)
	}
	committed, err := w.seed(ctx)
	if err != nil {
		return nil, causeOf(ctx, err)
	}
	s := &story{Servers: w.servers, Names: w.names}
	if s.Events, err = w.follow(ctx, committed); err != nil {
		return nil, causeOf(ctx, err)
	}
	if s.Differences, err = w.check(ctx); err != nil {
		return nil, causeOf(ctx, err)
	}
	s.OK = len(s.Differences) == 0
	return s, nil
}

// ready waits until the capture streams from the slot and the sink owns its
// partitions, so that the times measured are those of a running system.
func (w *walkthrough) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Wait)
	defer cancel()
	if err := await(ctx, 20*time.Millisecond, w.objects.streaming(w.names.Slot)); err != nil {
		return fmt.Errorf("wait for the capture: %w", err)
	}
	if err := await(ctx, 20*time.Millisecond, w.topics.consumed(w.cfg.Pipelines[w.names.Pipeline].Group)); err != nil {
		return fmt.Errorf("wait for the sink: %w", err)
	}
	return nil
}

// seed runs the seed's statements, each a transaction of its own: first content,
// and, once that stands where the sink looks it up, the events. It returns the
// time at which the events were committed.
func (w *walkthrough) seed(ctx context.Context) (time.Time, error) {
	for i, statement := range testdata.Statements(testdata.Seed) {
		if i > 0 {
			if err := w.awaitContent(ctx); err != nil {
				return time.Time{}, fmt.Errorf("wait for the content rows: %w", err)
			}
		}
		if _, err := w.objects.db.Exec(ctx, statement); err != nil {
			return time.Time{}, fmt.Errorf("run seed.sql: %w", err)
		}
	}
	return time.Now(), nil
}

func (w *walkthrough) awaitContent(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stageDeadline)
	defer cancel()
	images, err := w.objects.images(ctx, "content")
	if err != nil {
		return err
	}
	var ids []plan.Value
	for text := range images {
		id, err := engagement.ParseUUID(text)
		if err != nil {
			return err
		}
		ids = append(ids, engagement.JoinOf(id))
	}
	return await(ctx, 10*time.Millisecond, func(ctx context.Context) (bool, error) {
		rows, err := w.stores.cassandra.LookupRows(ctx, ids)
		missing := slices.ContainsFunc(rows, func(c plan.LookupRow) bool { return !c.Exists })
		return err == nil && !missing, err
	})
}

// close ends the daemon and, when asked to clean, removes what the walk-through
// made. It works after ctx's end, for a limited time.
func (w *walkthrough) close(ctx context.Context, clean bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stageDeadline)
	defer cancel()
	var err error
	if w.stop != nil {
		w.stop(errWalkOver)
		err = <-w.ended
	}
	if w.topics != nil {
		w.topics.close()
	}
	if w.stores != nil {
		w.stores.close()
	}
	if clean {
		err = errors.Join(err, w.objects.remove(ctx))
	}
	w.objects.close(ctx)
	return err
}

// causeOf prefers the reason that ctx ended for, such as a failed daemon, to the
// cancellation that everybody else saw.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	return err
}

// await asks again and again whether something is so, until it is, asking
// fails, or ctx ends.
func await(ctx context.Context, every time.Duration, ask func(context.Context) (bool, error)) error {
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		so, err := ask(ctx)
		if err != nil || so {
			return err
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &fault.Error{Kind: fault.Unreachable, What: "not there in time", Err: ctx.Err()}
			}
			return ctx.Err()
		case <-again.C:
		}
	}
}
