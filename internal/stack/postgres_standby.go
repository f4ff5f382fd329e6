package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// StandbySlot is the physical slot on the primary through which a standby of [StartPostgresStandby] streams. The primary's
// synchronized_standby_slots may name it from the start: logical walsenders then wait for the standby.
const StandbySlot = "standby"

const promoteTimeout = time.Minute

// StartPostgresStandby starts a private native Postgres that streams from primary, which is one of StartPostgres and stays
// up, as it is after a base backup, with settings over the primary's own. It holds the primary's log by the slot [StandbySlot]
// and keeps failover slots in step; what makes it do so (primary_conninfo, sync_replication_slots and the like) can be changed
// by ALTER SYSTEM and a reload. It returns when the standby answers queries; it may yet have to catch up. A primary has one
// standby of this kind at a time. Close ends it; the slot stays.
func StartPostgresStandby(ctx context.Context, opts Options, primary *Instance, settings map[string]string) (*Instance, error) {
	if opts.PostgresVersion == "" {
		opts.PostgresVersion = primary.home.opts.PostgresVersion
	}
	k := postgresKind()
	k.native = func(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
		r, err := nativePostgres(ctx, h, settings)
		if err != nil {
			return r, err
		}
		uid, err := postgresUser()
		r.configure = func(in *Instance) error {
			if _, err := os.Stat(filepath.Join(in.dir, "PG_VERSION")); err == nil {
				return nil // not the first start
			}
			return backUpPostgres(ctx, primary, in.dir, uid)
		}
		return r, err
	}
	inherited := overlay(map[string]string{}, primary.settings)
	inherited["synchronized_standby_slots"] = "" // nobody follows the standby
	return startPrivate(ctx, opts, k, overlay(inherited, settings))
}

// replicationSettings make a server follow primary.
func replicationSettings(primary *Instance) string {
	return fmt.Sprintf(`primary_conninfo = 'host=127.0.0.1 port=%d user=postgres dbname=postgres application_name=%s'
primary_slot_name = '%[2]s'
hot_standby_feedback = on
sync_replication_slots = on
`, primary.ports[0], StandbySlot)
}

// Promote makes a standby a primary, on a timeline of its own, and returns when it takes writes. The old primary must be
// down by then, or both do.
func (in *Instance) Promote(ctx context.Context) error {
	return in.query(ctx, func(db *pgx.Conn) error {
		var promoted bool
		if err := db.QueryRow(ctx, "select pg_promote(true, $1)", int(promoteTimeout.Seconds())).Scan(&promoted); err != nil {
			return fmt.Errorf("promote: %w", err)
		}
		if !promoted {
			return fmt.Errorf("promote: still a standby after %s; log %s ends with:\n%s", promoteTimeout, in.LogFile(), in.LogTail())
		}
		return nil
	})
}

// AwaitSyncedSlot waits until a standby has the primary's slot in step, and would keep it when promoted. It has to be a
// failover slot, and somebody has to read from it and write to the primary meanwhile: a slot is kept only once its horizons
// have passed those that the standby began with, and they move with what is confirmed. The standby's worker looks five times a
// second, and less and less often, down to twice a minute, while nothing moves.
func (in *Instance) AwaitSyncedSlot(ctx context.Context, slot string) error {
	return in.query(ctx, func(db *pgx.Conn) error {
		tick := time.NewTicker(readyEvery)
		defer tick.Stop()
		late := func() error {
			return fmt.Errorf("slot %s is not in step on the standby: %w; log %s ends with:\n%s", slot, ctx.Err(), in.LogFile(), in.LogTail())
		}
		for {
			var synced bool
			const query = `select coalesce(bool_or(synced and not temporary and invalidation_reason is null), false)
				from pg_replication_slots where slot_name = $1`
			if err := db.QueryRow(ctx, query, slot).Scan(&synced); ctx.Err() != nil {
				return late()
			} else if err != nil {
				return fmt.Errorf("slot %s on the standby: %w", slot, err)
			}
			if synced {
				return nil
			}
			select {
			case <-ctx.Done():
				return late()
			case <-tick.C:
			}
		}
	})
}

func (in *Instance) query(ctx context.Context, do func(*pgx.Conn) error) (err error) {
	db, err := pgx.Connect(ctx, in.DSN())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	return do(db)
}

// backUpPostgres copies a running server's data to dir, for a standby: what pg_basebackup does, which is not among the binaries.
func backUpPostgres(ctx context.Context, from *Instance, dir string, uid int) error {
	return from.query(ctx, func(db *pgx.Conn) error {
		const slot = `select count(pg_create_physical_replication_slot($1, true))
			where not exists (select from pg_replication_slots where slot_name = $1)`
		if _, err := db.Exec(ctx, slot, StandbySlot); err != nil {
			return fmt.Errorf("hold the log for the standby: %w", err)
		}
		if _, err := db.Exec(ctx, "select pg_backup_start('standby', fast => true)"); err != nil {
			return fmt.Errorf("begin the backup: %w", err)
		}
		if err := copyRunning(from.dir, dir, uid); err != nil {
			return fmt.Errorf("copy the data: %w", err)
		}
		var label string
		if err := db.QueryRow(ctx, "select labelfile from pg_backup_stop(wait_for_archive => false)").Scan(&label); err != nil {
			return fmt.Errorf("end the backup: %w", err)
		}
		for name, content := range map[string]string{
			"backup_label": label, "standby.signal": "", "postgresql.auto.conf": replicationSettings(from),
		} {
			if err := addTo(filepath.Join(dir, name), content, uid); err != nil {
				return fmt.Errorf("configure the standby: %w", err)
			}
		}
		return os.Chmod(dir, 0o700)
	})
}

// addTo writes to the end of a file, which is the server's then.
func addTo(path, content string, uid int) error {
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.WriteFile(path, append(before, content...), 0o600); err != nil || uid < 0 {
		return err
	}
	return os.Lchown(path, uid, uid)
}

// copyRunning copies a data folder that is in use: less what belongs to the running server alone, and what goes away meanwhile.
func copyRunning(from, to string, uid int) error {
	files := []string{"postmaster.pid", "postmaster.opts"}
	contents := []string{"pg_wal", "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans"}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, relErr := filepath.Rel(from, path)
		if err := errors.Join(err, relErr); err != nil {
			return err
		}
		if slices.Contains(files, rel) || slices.Contains(contents, filepath.Dir(rel)) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, rel)
		if err := copyEntry(path, target, d); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if uid >= 0 {
			return os.Lchown(target, uid, uid)
		}
		return nil
	})
}
