package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"penstock/internal/chaos/proxy"
	"penstock/internal/fault"
	"penstock/internal/stack"
)

const syncTimeout = 2 * time.Minute // for a standby to have the slot in step

// failover says whether a scenario has a standby, and whether the capture waits for it.
type failover int

const (
	noStandby   failover = iota
	syncStandby          // synchronized_standby_slots: what the capture gets, the standby has
	lazyStandby          // the capture may be ahead of the standby
)

func failoverScenarios() []Scenario {
	return []Scenario{
		{
			ID: "P4", What: "Postgres dies and a standby that has everything takes its place",
			Short: Size{1, 3_000}, Full: Size{1, 30_000}, run: promoteStandby,
			tune: func(t *tuning) { t.failover = syncStandby },
		}, {
			ID: "P5", What: "Postgres dies and a standby that is behind takes its place: the daemon refuses",
			Short: Size{1, 3_000}, Full: Size{1, 10_000}, run: promoteBehind, refuses: true,
			tune: func(t *tuning) { t.failover = lazyStandby },
		},
	}
}

// ownServers starts a primary and its standby for a world that fails over.
func (w *world) ownServers(ctx context.Context) error {
	if w.tuning.failover == noStandby {
		return nil
	}
	settings := postgresSettings()
	if w.tuning.failover == syncStandby {
		settings["synchronized_standby_slots"] = stack.StandbySlot
	}
	primary, err := stack.StartPostgres(ctx, stack.Options{Mode: stack.Native}, settings)
	if err != nil {
		return err
	}
	w.postgres = primary
	if w.standby, err = stack.StartPostgresStandby(ctx, stack.Options{Mode: stack.Native}, primary, nil); err != nil {
		return err
	}
	w.front, err = proxy.Listen(context.WithoutCancel(ctx), proxy.Options{Target: primary.Address()})
	return err
}

func (w *world) closeServers() error {
	var errs []error
	for _, in := range []*stack.Instance{w.standby, w.postgres} {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	if w.front != nil {
		errs = append(errs, w.front.Close())
	}
	return errors.Join(errs...)
}

// awaitSynced returns when the standby has the slot in step. The load moves it there.
func (w *world) awaitSynced(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	return w.standby.AwaitSyncedSlot(ctx, w.name)
}

// keepInStep returns when the standby has a slot that nobody reads from. A standby
// takes a slot over for good only when that has moved on since it first looked;
// nothing is written yet, so the slot loses nothing by that.
func (w *world) keepInStep(ctx context.Context, slot string) error {
	standby := &source{dsn: w.standby.DSN()}
	return eventually(ctx, syncTimeout, "the standby to have slot "+slot, func(ctx context.Context) (string, error) {
		err := w.source.exec(ctx, "SELECT pg_log_standby_snapshot()",
			fmt.Sprintf("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", slot))
		if err != nil {
			return "", err
		}
		var synced bool
		const query = "SELECT coalesce(bool_or(synced AND NOT temporary), false) FROM pg_replication_slots WHERE slot_name = $1"
		if err := standby.ask(ctx, query, []any{slot}, &synced); err != nil || !synced {
			return "it is not in step", err
		}
		return "", nil
	})
}

// promote ends the primary for good and sends everybody to the standby.
func (w *world) promote(ctx context.Context) error {
	w.postgres.Kill()
	if err := w.standby.Promote(ctx); err != nil {
		return err
	}
	w.front.SetTarget(w.standby.Address())
	w.front.ResetAll()
	for _, l := range w.links {
		l.SetTarget(w.standby.Address())
		l.ResetAll()
	}
	var timeline int
	if err := w.source.ask(ctx, "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int", nil, &timeline); err != nil {
		return err
	}
	if timeline > 1 {
		w.witness("the promoted server is on timeline %d", timeline)
	} else {
		w.miss("the promoted server is on timeline %d", timeline)
	}
	return nil
}

// promoteStandby goes on with a server that has all that the capture has ever been sent.
func promoteStandby(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.awaitSynced(ctx); err != nil {
		return err
	}
	if err := pause(ctx, w.between(time.Second, 3*time.Second)); err != nil {
		return err
	}
	if err := w.inject(ctx); err != nil {
		return err
	}
	if err := w.promote(ctx); err != nil {
		return err
	}
	return w.awaitRecovery(ctx, time.Now())
}

// promoteBehind goes on with a server that lacks changes which Kafka has. Its log
// uses their LSNs again for others, so nothing may be told from them any more.
func promoteBehind(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := w.awaitSynced(ctx); err != nil {
		return err
	}
	standby := &source{dsn: w.standby.DSN()}
	if err := standby.exec(ctx, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	err := eventually(ctx, recoverTimeout, "the standby to stop receiving", func(ctx context.Context) (string, error) {
		var receivers int
		err := standby.ask(ctx, "SELECT count(*) FROM pg_stat_wal_receiver", nil, &receivers)
		if receivers > 0 {
			return "it receives", err
		}
		return "", err
	})
	if err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	if _, err := w.endLoad(ctx); err != nil {
		return err
	}
	if err := w.awaitCaughtUp(ctx); err != nil {
		return err
	}
	if err := w.inject(ctx); err != nil {
		return err
	}
	w.daemon.Hold()
	if _, err := w.daemon.Kill(ctx); err != nil {
		return err
	}
	position, _ := w.tail.last()
	if err := w.promote(ctx); err != nil {
		return err
	}
	if err := w.source.exec(ctx, "INSERT INTO evt SELECT -i, 0, -1, 0, 1, 'another history' FROM generate_series(1, 100) i"); err != nil {
		return err
	}
	return w.refuses(ctx, fmt.Sprintf("the standby was behind %s", position.EndLSN),
		[]string{string(fault.Diverged), position.EndLSN.String()})
}
