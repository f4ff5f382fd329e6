package chaos

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// script supervises a shell script in the place of the daemon.
func script(t *testing.T, text string) *Daemon {
	t.Helper()
	path := filepath.Join(t.TempDir(), "daemon")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	s := newSpawner()
	t.Cleanup(s.close)
	d := &Daemon{Name: "daemon", binary: path, config: "none", log: path + ".log", spawner: s}
	d.start(t.Context())
	t.Cleanup(d.Close)
	return d
}

func TestDaemonIsStartedAgain(t *testing.T) {
	d := script(t, "exec sleep 60")
	for range 2 {
		exit, err := d.Kill(t.Context())
		if err != nil || exit.Signal != syscall.SIGKILL || !exit.Asked {
			t.Fatalf("got %v, asked %v, error %v", exit, exit.Asked, err)
		}
	}
	if err := d.awaitLife(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
}

func TestDaemonThatEndsByItselfIsNoted(t *testing.T) {
	d := script(t, "exit 3")
	exit, err := d.ExitAfter(t.Context(), 1, endTimeout) // the second life
	if err != nil || exit.Code != 3 || exit.Asked {
		t.Fatalf("got %v, asked %v, error %v", exit, exit.Asked, err)
	}
}

func TestHeldDaemonStaysDown(t *testing.T) {
	d := script(t, "exec sleep 60")
	d.Hold()
	d.Release()
	if err := d.awaitLife(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	d.Hold()
	if _, err := d.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := d.awaitLife(ctx, 1); err == nil {
		t.Error("it was started again")
	}
}

func TestCrash(t *testing.T) {
	d := script(t, `[ "$FAILPOINT" = flushed:2 ] && kill -9 $$; exec sleep 60`)
	exit, err := d.Crash(t.Context(), "flushed", 2, endTimeout)
	if err != nil || exit.Signal != syscall.SIGKILL || !exit.Asked || exit.Armed != "flushed:2" {
		t.Fatalf("got %+v, error %v", exit, err)
	}
	if _, err := d.Crash(t.Context(), "never", 1, 50*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a failpoint that is not reached: got error %v", err)
	}
}

func TestPausedDaemonIsSeenStopped(t *testing.T) {
	d := script(t, "exec sleep 60")
	if err := d.awaitLife(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Pause(); err != nil {
		t.Fatal(err)
	}
	if !awaitStopped(t.Context(), d.PID()) {
		t.Error("paused, but not seen stopped")
	}
	if err := d.Resume(); err != nil {
		t.Fatal(err)
	}
	if bytes := peakMemory(d.PID()); bytes == 0 {
		t.Error("no memory of a process that lives")
	}
	if _, err := d.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
}
