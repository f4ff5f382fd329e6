package chaos

import (
	"context"
	"time"

	"penstock/internal/stack"
)

// The sorts of faults of the servers.
const (
	sortCassandraKill  = "cassandra-kill"  // by SIGKILL, and started again
	sortCassandraPause = "cassandra-pause" // held by SIGSTOP
	sortRedisKill      = "redis-kill"
	sortRedisPause     = "redis-pause"
	sortHalf           = "half"   // a daemon that has written to one store while the other was held
	sortFlush          = "flush"  // Redis loses all that it has
	sortReplay         = "replay" // the sink begins at offset 0 again
)

// killServer ends a server by SIGKILL and starts it again.
func (w *storeWorld) killServer(ctx context.Context, in *stack.Instance, sort string) error {
	w.count()
	pid, began := in.PID(), time.Now()
	in.Kill()
	if err := in.Restart(context.WithoutCancel(ctx)); err != nil { // the next run needs it too
		return err
	}
	w.longest(sort+"_back", time.Since(began))
	if now := in.PID(); now != pid {
		w.saw(sort, "pid %d was killed, %d serves", pid, now)
	} else {
		w.miss("pid %d serves on", pid)
	}
	return ctx.Err()
}

// hold stops a server's process for a while, or for longer if meanwhile takes longer.
func (w *storeWorld) hold(ctx context.Context, in *stack.Instance, sort string, d time.Duration, meanwhile func(context.Context) error) error {
	w.count()
	if err := in.Pause(); err != nil {
		return err
	}
	began := time.Now()
	held := awaitStopped(ctx, in.PID())
	err := meanwhile(ctx)
	if err == nil {
		err = pause(ctx, d-time.Since(began))
	}
	held = held && stopped(in.PID())
	if resumeErr := in.Resume(); resumeErr != nil {
		return resumeErr
	}
	if held {
		w.saw(sort, "pid %d was stopped for %s", in.PID(), time.Since(began).Round(100*time.Millisecond))
	} else {
		w.miss("pid %d was not seen stopped", in.PID())
	}
	return err
}

// halfStored kills a daemon while one store is held: what it was writing is in the
// other one only.
func (w *storeWorld) halfStored(ctx context.Context, in *stack.Instance, sort string) error {
	return w.hold(ctx, in, sort, 0, func(ctx context.Context) error {
		if err := pause(ctx, w.between(500*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
		return w.killAs(ctx, w.anyDaemon(), sortHalf)
	})
}

// replay lets all daemons leave, sets the group's offsets to 0 and lets them come back.
// When flush is given, Redis has lost everything meanwhile.
func (w *storeWorld) replay(ctx context.Context, flush bool) error {
	for _, d := range w.daemons {
		d.Hold()
		defer d.Release()
		w.count()
		exit, err := d.Terminate(ctx)
		if err != nil {
			return err
		}
		if exit.Code != 0 {
			w.wrong(Stop, "%s: SIGTERM: %s\n%s", d.Name, exit, d.LogTail(5))
			continue
		}
		w.saw(sortLeave, "%s", exit)
	}
	for _, l := range w.lanes {
		if err := l.group.await(ctx, 0); err != nil {
			return err
		}
	}
	if flush {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.count()
	var before int64
	for _, l := range w.lanes {
		at, err := l.group.reset(ctx)
		if err != nil {
			return err
		}
		before += at
	}
	w.saw(sortReplay, "the groups stood at %d records, now at 0", before)
	return nil
}

// flush lets Redis lose everything.
func (w *storeWorld) flush(ctx context.Context) error {
	w.count()
	return w.watch.Lose(func() error {
		before, err := w.stores.Hashes(ctx)
		if err != nil {
			return err
		}
		if err := w.stores.Flush(ctx); err != nil {
			return err
		}
		after, err := w.stores.Hashes(ctx)
		if err != nil {
			return err
		}
		if before > 0 && after < before {
			w.saw(sortFlush, "Redis had %d keys, then %d", before, after)
		} else {
			w.miss("Redis had %d keys, then %d", before, after)
		}
		return nil
	})
}

// longest keeps the longest of some durations for the verdict line.
func (w *storeWorld) longest(name string, d time.Duration) {
	w.most[name] = max(w.most[name], d)
}
