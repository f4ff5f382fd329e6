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
	wait := w.startLoad(60_000, 1)
	for round := range rounds {
		standby := w.start("--only=capture")
		w.awaitLog(standby, "standing by")
		before := w.delivered()
		w.eventually("the load to go on", func() string {
			if w.delivered() < before+1000 {
				return "it does not"
			}
			return ""
		})
		holder.kill()
		killed := time.Now()
		w.awaitConfirmed()
		took := time.Since(killed)
		t.Logf("round %d: taken over after %s", round, took)
		if took > takeOver {
			t.Errorf("taken over after %s, want at most %s", took, takeOver)
		}
		holder = standby
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	w.awaitConfirmed()
	if diff := cmp.Diff(w.historyOps(), w.topicOps()); diff != "" {
		t.Errorf("operations by event id (-history +topic):\n%.2000s", diff)
	}
	holder.stop()
}

// TestAStoppedDaemonIsReplaced has a daemon stand still in the middle of a load
// while another takes over. When it wakes up it delivers nothing, and ends.
func TestAStoppedDaemonIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.keepHistory()
	frozen := w.start("--only=capture")
	w.awaitStreaming()
	w.exec(testdata.Seed)
	wait := w.startLoad(30_000, 2)
	before := w.delivered()
	w.eventually("the load to be delivered", func() string {
		if w.delivered() < before+1000 {
			return "it is not"
		}
		return ""
	})
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
	if diff := cmp.Diff(w.historyOps(), w.topicOps()); diff != "" {
		t.Errorf("operations by event id (-history +topic):\n%.2000s", diff)
	}
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
