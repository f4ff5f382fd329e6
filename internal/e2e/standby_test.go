package e2e_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock/testdata"
)

// takeOver is how soon a daemon that stands by has to deliver after the holder's end.
const takeOver = 5 * time.Second

// TestStandbyTakesOver kills the daemon that captures, again and again in the
// middle of a load, and has another standing by each time.
func TestStandbyTakesOver(t *testing.T) {
	const rounds = 3
	w := newWorld(t)
	w.keepHistory()
	holder := w.start("--only=capture")
	w.awaitStreaming()
	w.exec(testdata.Seed)
	for round := range rounds {
		standby := w.start("--only=capture")
		w.awaitLog(standby, "standing by")
		wait := w.awaitLoad(uint64(round))
		holder.kill()
		killed := time.Now()
		w.awaitConfirmed()
		took := time.Since(killed)
		t.Logf("round %d: taken over after %s", round, took)
		if took > takeOver {
			t.Errorf("taken over after %s, want at most %s", took, takeOver)
		}
		if err := wait(); err != nil {
			t.Fatal(err)
		}
		holder = standby
	}
	w.awaitConfirmed()
	w.wantHistory()
	holder.stop()
}

// awaitLoad starts a load and returns when a part of it is delivered.
func (w *world) awaitLoad(seed uint64) (wait func() error) {
	w.t.Helper()
	const rows, part = 10_000, 1000
	before := w.delivered()
	wait = w.startLoad(rows, seed)
	w.eventually("the load to be delivered", func() string {
		if n := w.delivered() - before; n < part {
			return fmt.Sprintf("%d records", n)
		}
		return ""
	})
	return wait
}

// wantHistory wants every change of an event exactly once, in order, in the topic.
func (w *world) wantHistory() {
	w.t.Helper()
	if diff := cmp.Diff(w.historyOps(), w.topicOps()); diff != "" {
		w.t.Errorf("operations by event id (-history +topic):\n%.2000s", diff)
	}
}

// TestAStoppedDaemonIsReplaced has a daemon stand still in the middle of a load
// while another takes over. When it wakes up it delivers nothing, and ends.
func TestAStoppedDaemonIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.keepHistory()
	frozen := w.start("--only=capture")
	w.awaitStreaming()
	w.exec(testdata.Seed)
	wait := w.awaitLoad(2)
	frozen.signal(syscall.SIGSTOP)
	successor := w.start("--only=capture", "--takeover")
	w.awaitLog(successor, "taking the slot over")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	w.awaitConfirmed()
	frozen.signal(syscall.SIGCONT)
	if code := frozen.exit(); code != 5 || !strings.Contains(frozen.log.String(), "another daemon has taken over") {
		t.Errorf("the replaced daemon ended with exit code %d, want 5:\n%s", code, frozen.log)
	}
	w.exec("UPDATE engagement_events SET device = 'tv' WHERE id < 100")
	w.awaitConfirmed()
	w.wantHistory()
	successor.stop()
}

func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatalf("%s: %v", s, err)
	}
}

// awaitConfirmed waits until the capture has confirmed all that is committed now.
func (w *world) awaitConfirmed() {
	w.t.Helper()
	var end string
	if err := w.db.QueryRow(w.t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&end); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the slot to be confirmed up to "+end, func() string {
		var behind int64
		const query = "SELECT $1::pg_lsn - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $2"
		if err := w.db.QueryRow(w.t.Context(), query, end, w.slot()).Scan(&behind); err != nil {
			return err.Error()
		}
		if behind > 0 {
			return fmt.Sprintf("%d bytes behind", behind)
		}
		return ""
	})
}

func (w *world) awaitLog(d *daemon, text string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the daemon to say %q", text), func() string {
		if !strings.Contains(d.log.String(), text) {
			return "not said"
		}
		return ""
	})
}
