package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"

	"penstock/internal/fault"
	"penstock/schema"
)

func slotScenarios() []Scenario {
	var all []Scenario
	for _, h := range harms() {
		all = append(all, Scenario{
			ID: "P6-" + h.name, What: "the slot was " + h.name + ": the daemon refuses, and says what is missing",
			Short: Size{1, 1_000}, Full: Size{1, 5_000}, refuses: true,
			run: func(ctx context.Context, w *world) error { return refuseSlot(ctx, w, h) },
		})
	}
	return all
}

// harm is what somebody else did to the slot while the daemon was down.
type harm struct {
	name string
	do   func(ctx context.Context, w *world) error
	// state is what the daemon must say, and gap whether it can know from where to where changes are missing.
	state fault.State
	gap   bool
}

func harms() []harm {
	return []harm{
		{"dropped", dropSlot, fault.SlotLost, false},
		{"recreated", recreateSlot, fault.GapDetected, true},
		{"advanced", advanceSlot, fault.GapDetected, true},
		{"invalidated", invalidateSlot, fault.SlotLost, false},
	}
}

func dropSlot(ctx context.Context, w *world) error {
	return w.source.exec(ctx, "SELECT pg_drop_replication_slot('"+w.name+"')")
}

func recreateSlot(ctx context.Context, w *world) error {
	return w.source.exec(ctx, "SELECT pg_drop_replication_slot('"+w.name+"')",
		"SELECT pg_create_logical_replication_slot('"+w.name+"', 'pgoutput')")
}

func advanceSlot(ctx context.Context, w *world) error {
	return w.source.exec(ctx, "SELECT pg_replication_slot_advance('"+w.name+"', pg_current_wal_lsn())")
}

// invalidateSlot lets the log grow past what the server is allowed to keep.
func invalidateSlot(ctx context.Context, w *world) error {
	admin := &source{dsn: w.postgres.DSN()}
	if err := admin.exec(ctx, "ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	err := eventually(ctx, time.Minute, "the slot to be invalidated", func(ctx context.Context) (string, error) {
		err := w.source.exec(ctx, "SELECT pg_logical_emit_message(false, 'noise', repeat('x', 900000)) FROM generate_series(1, 10)",
			"SELECT pg_switch_wal()", "CHECKPOINT")
		if err != nil {
			return "", err
		}
		var status string
		err = w.source.ask(ctx, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", []any{w.name}, &status)
		if status != "lost" {
			return "it is " + status, err
		}
		return "", err
	})
	resetErr := admin.exec(context.WithoutCancel(ctx), "ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
	if err != nil {
		return err
	}
	return resetErr
}

// refuseSlot harms the slot while the daemon is down. The daemon must then end
// with exit code 6, name the state and what it knows, and write nothing.
func refuseSlot(ctx context.Context, w *world, h harm) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	if _, err := w.endLoad(ctx); err != nil {
		return err
	}
	if err := w.awaitCaughtUp(ctx); err != nil {
		return err
	}
	w.daemon.Hold()
	if _, err := w.daemon.Kill(ctx); err != nil {
		return err
	}
	if err := w.awaitGone(ctx); err != nil {
		return err
	}
	if err := w.source.exec(ctx, "INSERT INTO evt VALUES (-1, 0, -1, 0, 1, 'lost')"); err != nil {
		return err
	}
	if err := w.inject(ctx); err != nil {
		return err
	}
	if err := h.do(ctx, w); err != nil {
		return fmt.Errorf("the slot is to be %s: %w", h.name, err)
	}
	w.witness("the slot was %s", h.name)
	return w.checkRefusal(ctx, h)
}

func (w *world) checkRefusal(ctx context.Context, h harm) error {
	position, _ := w.tail.last()
	wanted := []string{string(h.state), position.EndLSN.String()}
	if h.gap {
		confirmed, err := w.source.confirmed(ctx)
		if err != nil {
			return err
		}
		wanted = append(wanted, confirmed.String())
	}
	return w.refuses(ctx, "the slot was "+h.name, wanted)
}

// refuses starts the held daemon, which must end with exit code 6, say the wanted
// words (the state, and what is missing from where to where), and write nothing.
func (w *world) refuses(ctx context.Context, because string, wanted []string) error {
	position, records := w.tail.last()
	ends, err := w.ends(ctx)
	if err != nil {
		return err
	}
	n, before := len(w.daemon.Exits()), len(w.daemon.Log())
	w.daemon.Release()
	if err := w.daemon.awaitLife(ctx, n); err != nil {
		return err
	}
	w.daemon.Hold()
	exit, err := w.daemon.ExitAfter(ctx, n, 30*time.Second)
	if err != nil {
		w.wrong(Unrefused, "%s, and the daemon goes on: %s", because, err)
		return nil
	}
	w.daemon.pardon(n)
	if exit.Code != fault.PositionLost.ExitCode() {
		w.wrong(Unrefused, "%s: %s, want exit code %d\n%s", because, exit, fault.PositionLost.ExitCode(), w.daemon.LogTail(5))
	}
	for _, word := range wanted {
		if !mentions(w.daemon.Log()[before:], word) {
			w.wrong(Unrefused, "%s: the refusal does not name %s:\n%s", because, word, w.daemon.LogTail(5))
		}
	}
	return w.checkNothingWritten(ctx, records, position.EndLSN, ends)
}

// checkNothingWritten holds the topics against what they held before.
func (w *world) checkNothingWritten(ctx context.Context, records int, at schema.LSN, ends map[string]int64) error {
	if now, n := w.tail.last(); n != records {
		w.wrong(Written, "the position moved from %s to %s after the refusal", at, now.EndLSN)
	}
	now, err := w.ends(ctx)
	if err != nil {
		return err
	}
	for topic, end := range now {
		if end != ends[topic] {
			w.wrong(Written, "topic %s: %d offsets were written after the refusal", topic, end-ends[topic])
		}
	}
	return nil
}

// mentions reports whether the text holds every word.
func mentions(text string, words ...string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
