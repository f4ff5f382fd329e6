package chaos

import (
	"context"
	"errors"
	"syscall"
	"time"

	"penstock/cdc"
)

// killAtFailpoints comes to each failpoint as often as the size asks for. The
// idle ones need a source at rest, so they come before the load.
func killAtFailpoints(ctx context.Context, w *world) error {
	rounds := max(1, w.size.Faults/len(cdc.Failpoints()))
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range rounds {
		if err := w.crash(ctx, cdc.FailIdle); err != nil {
			return err
		}
	}
	w.daemon.Release()
	if err := w.awaitStreaming(ctx); err != nil {
		return err
	}
	w.startLoad(ctx)
	for range rounds {
		for _, i := range w.random.Perm(len(cdc.Failpoints())) {
			p := cdc.Failpoints()[i]
			if p == cdc.FailIdle {
				continue
			}
			if err := w.crash(ctx, p); err != nil {
				return err
			}
			if w.random.IntN(3) > 0 { // the next one comes before it has recovered
				continue
			}
			w.daemon.Release()
			if err := w.awaitRecovery(ctx, time.Now()); err != nil {
				return err
			}
		}
	}
	w.daemon.Release()
	return w.awaitRecovery(ctx, time.Now())
}

// crash lets a daemon run into a failpoint, with what that one needs.
func (w *world) crash(ctx context.Context, p cdc.Failpoint) error {
	const within = 20 * time.Second
	if err := w.inject(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	nth := 1
	var help func(context.Context) error
	switch p {
	case cdc.FailLeased, cdc.FailFenced, cdc.FailPositionRead, cdc.FailIdle: // once a life, or seldom
	case cdc.FailStopping:
		help = w.terminateSoon
	case cdc.FailSplit:
		nth = 1 + w.random.IntN(3)
		help = func(ctx context.Context) error { return w.load.Large(ctx, 1_000) }
	default:
		nth = 1 + w.random.IntN(5)
	}
	helped := make(chan error, 1) // one: it ends whether or not it is asked
	go func() {
		if help == nil {
			helped <- nil
			return
		}
		helped <- help(ctx)
	}()
	exit, err := w.daemon.Crash(ctx, string(p), nth, within)
	if err != nil {
		cancel()
	}
	helpErr := <-helped
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		w.miss("failpoint %s was not reached %d times within %s", p, nth, within)
		return nil
	case err != nil:
		return err
	case exit.Signal == syscall.SIGKILL:
		w.witness("failpoint %s: %s", p, exit)
		if err := w.mark(ctx); err != nil {
			return err
		}
	default:
		w.miss("failpoint %s: %s\n%s", p, exit, w.daemon.LogTail(3))
	}
	return helpErr
}

// terminateSoon asks the armed process to stop once it streams.
func (w *world) terminateSoon(ctx context.Context) error {
	if err := w.daemon.awaitArmed(ctx, string(cdc.FailStopping)); err != nil {
		return err
	}
	err := eventually(ctx, upTimeout, "the armed daemon to stream", func(context.Context) (string, error) {
		if !w.daemon.Streams() {
			return "it does not say so", nil
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	return w.daemon.send(syscall.SIGTERM)
}
