package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/backfill"
	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
)

// Recovery is what [Capture.Recover] has found and set up.
type Recovery struct {
	State   fault.State        // what was refused before; empty: nothing, and nothing was set up
	What    string             // was missing, with the LSNs
	Created bool               // the slot is a new one
	LSN     schema.LSN         // where the capture goes on
	Tables  []schema.TableName // that are read again
	Unread  []Unread           // tables of which that is not possible
}

// Unread is a table of which nothing tells what changed meanwhile.
type Unread struct {
	Table schema.TableName `json:"-"`
	Why   string           `json:"why"`
	Fix   string           `json:"fix"`
}

// Recover sets the capture up to go on where a plain start refuses to, because changes are in
// neither Kafka nor the slot: with a new slot if the old one is lost, from where the slot stands, and with
// a backfill of every table, which first deletes what Kafka holds and the table has not any more. The position
// and the backfills are one Kafka transaction; [Capture.Run] then does the work. Recover may be killed and called
// again; once it is done there is nothing to recover.
//
// It needs the slot, as Run does, and does not wait for a daemon that holds it. A slot that exists is dropped
// only if it is lost, or renew is set, and confirm has returned nil; where tables cannot be read again, the position
// is written only if confirm has, with drop empty.
func (c *Capture) Recover(ctx context.Context, renew bool, confirm func(drop, what string) error) (Recovery, error) {
	var done Recovery
	ready, err := c.prepareWith(ctx, func(ctx context.Context, db *pgx.Conn, topicsUsed bool) (err error) {
		done.Created, err = c.renewSlot(ctx, db, topicsUsed, renew, confirm)
		return err
	})
	if err != nil {
		return done, err
	}
	l, err := c.take(ctx)
	if errors.Is(err, errSlotTaken) {
		err = c.inUse("by somebody else")
	}
	if err != nil {
		return done, err
	}
	_, err = c.hold(ctx, l, func() (bool, error) {
		producer, err := c.fence(ctx, &ready)
		if err != nil {
			return false, err
		}
		defer producer.Close()
		return true, c.goOn(ctx, producer, l, &ready, &done, confirm)
	})
	return done, err
}

// goOn writes down that the capture goes on from where the slot stands, if there is a reason.
func (c *Capture) goOn(
	ctx context.Context, producer *Producer, l *lease, ready *preparation, done *Recovery, confirm func(drop, what string) error,
) error {
	c.cfg.Accept = Accept{}
	position, err := c.resume(ctx, producer, l, ready)
	done.LSN = position.EndLSN
	refusal, _ := errors.AsType[*fault.Error](err)
	if refusal == nil || refusal.State != fault.GapDetected && refusal.State != fault.Diverged {
		return err
	}
	if done.Unread, err = c.unreadable(ctx); err == nil && len(done.Unread) > 0 {
		err = confirm("", sayUnread(done.Unread))
	}
	if err != nil {
		return err
	}
	confirmed, _, err := c.leasedEnds(ctx, l)
	if err != nil {
		return err
	}
	c.cfg.Accept, c.recovering = Accept{refusal.State, confirmed}, done
	if position, err = c.resume(ctx, producer, l, ready); err != nil {
		return err
	}
	c.recovering = nil
	done.State, done.What, done.LSN = refusal.State, refusal.What, position.EndLSN
	for table, job := range c.kept.jobs {
		if job.ID == recoveryID(position.EndLSN) {
			done.Tables = append(done.Tables, table)
		}
	}
	slices.SortFunc(done.Tables, schema.TableName.Compare)
	return nil
}

// unreadable are the captured tables that a backfill would be refused of.
func (c *Capture) unreadable(ctx context.Context) (all []Unread, err error) {
	found, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	refused, err := c.cfg.newPool(c.log).Refused(ctx, c.cfg.captured(found))
	if err != nil {
		return nil, postgresFault("describe tables for a backfill", err)
	}
	for _, table := range slices.SortedFunc(maps.Keys(refused), schema.TableName.Compare) {
		all = append(all, Unread{table, refused[table].Reason(), refused[table].Fix})
	}
	return all, nil
}

func sayUnread(all []Unread) string {
	lines := []string{"what changed in these tables meanwhile cannot be recovered, and nothing will be read of them:"}
	for _, u := range all {
		lines = append(lines, fmt.Sprintf("  %s: %s (fix: %s)", u.Table, u.Why, u.Fix))
	}
	return strings.Join(lines, "\n")
}

// recoveryID is that of the backfills of a recovery.
func recoveryID(at schema.LSN) string { return "recover-" + at.String() }

// renewSlot makes a new slot where there is none, or one that is of no use.
func (c *Capture) renewSlot(
	ctx context.Context, db *pgx.Conn, topicsUsed, renew bool, confirm func(drop, what string) error,
) (created bool, err error) {
	status, exists, err := slot.Find(ctx, db, c.cfg.Slot)
	if err != nil {
		return false, postgresFault("describe slot "+c.cfg.Slot, err)
	}
	if exists && status.Active {
		return false, c.inUse(fmt.Sprintf("by pid %d", status.PID))
	}
	kept, err := c.positions().read(ctx)
	if err != nil {
		return false, err
	}
	if !kept.found && !topicsUsed {
		return false, &fault.Error{
			Kind: fault.Usage, Where: "slot " + c.cfg.Slot, What: "there is nothing to recover: the capture has never run", Fix: "penstock run",
		}
	}
	if exists {
		bad := c.checkSlot(ctx, db, &status)
		lost := fault.StateOf(bad) == fault.SlotLost
		if !lost && (bad != nil || !renew) {
			return false, errors.Join(bad, c.ensurePublication(ctx, db))
		}
		what := fmt.Sprintf("slot %s will be dropped, and another be made in its place", c.cfg.Slot)
		if err := confirm(c.cfg.Slot, what); err != nil {
			return false, err
		}
		if err := slot.Drop(ctx, db, c.cfg.Slot); err != nil {
			return false, postgresFault("drop slot "+c.cfg.Slot, err)
		}
	}
	c.cfg.reach(FailSlotDropped)
	if err := c.ensurePublication(ctx, db); err != nil {
		return false, err
	}
	return true, c.createSlot(ctx, db)
}

func (c *Capture) inUse(who string) error {
	return &fault.Error{
		Kind: fault.Refused, Where: "source.slot " + c.cfg.Slot, What: "the slot is in use " + who, Why: "a daemon that captures has nothing to recover",
		Fix: "stop it first, if it is to go on from somewhere else",
	}
}

// beginRecovery hands over the backfills of a recovery, for the Kafka transaction of its position.
func (c *Capture) beginRecovery(ctx context.Context, producer *Producer, found []slot.Publication, at schema.LSN) error {
	err := c.beginJobs(ctx, producer, found, func(table schema.TableName) *backfill.Job {
		if slices.ContainsFunc(c.recovering.Unread, func(u Unread) bool { return u.Table == table }) {
			return nil
		}
		job := backfill.New(recoveryID(at), table, backfill.Scope{}, time.Now())
		job.Sweep = true
		return job
	})
	c.log.Info("every table is read again, and what was deleted meanwhile is found", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, at))
	return err
}
