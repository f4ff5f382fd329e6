package cdc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
)

// streamFault classes what ended a replication stream or kept it from beginning.
// Beside what any query meets, the slot may be gone or lost, which the server is
// asked for, or its publication be missing from the log it reads.
func (c *Capture) streamFault(ctx context.Context, cause error) error {
	if !isState(cause, undefinedObject, notInPrerequisiteState) {
		return postgresFault("keep up the stream", cause)
	}
	ctx, cancel := c.bounded(context.WithoutCancel(ctx))
	defer cancel()
	return c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
		if err := checkServer(ctx, db); err != nil {
			return fmt.Errorf("%w: %w", err, cause)
		}
		status, exists, err := slot.Find(ctx, db, c.cfg.Slot)
		switch {
		case err != nil:
			return postgresFault("describe slot "+c.cfg.Slot, err)
		case !exists:
			return c.slotGone(ctx, db, cause)
		case invalid(&status), ofPublication(cause):
			return c.slotLost(ctx, db, &status, cause)
		}
		return postgresFault("keep up the stream", cause)
	})
}

func invalid(s *slot.Status) bool { return s.WALStatus == slot.WALLost || s.InvalidationReason != "" }

// ofPublication reports whether the server misses the publication at the point of
// the log that it reads: as an error up to Postgres 17, and as a warning of the
// output plugin since.
func ofPublication(cause error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](cause)
	return ok && (pgErr.Code == undefinedObject || pgErr.File == "pgoutput.c")
}

// slotLost is the refusal to go on from a slot that is there and of no use.
func (c *Capture) slotLost(ctx context.Context, db *pgx.Conn, s *slot.Status, cause error) error {
	what, fix := "postgres cannot send what comes next: the log that the slot reads is older than its publication", renewed(c.recreateFix())
	if invalid(s) {
		fix = c.recreateFix()
		what = fmt.Sprintf("the slot is lost (wal_status %s, invalidation_reason %s)", s.WALStatus, s.InvalidationReason)
	}
	return c.lost(ctx, db, s.ConfirmedFlushLSN, what, fix, cause)
}

// slotGone is the refusal to go on without the slot that the capture had.
func (c *Capture) slotGone(ctx context.Context, db *pgx.Conn, cause error) error {
	return c.lost(ctx, db, 0, "the slot is gone, and the capture has run before", c.createFix(), cause)
}

// lost names what the server no longer keeps: from the position, or where the slot
// stood if nothing better is known, to the end of the log.
func (c *Capture) lost(ctx context.Context, db *pgx.Conn, stood schema.LSN, what, fix string, cause error) error {
	from := c.position.EndLSN
	if from.IsZero() {
		kept, err := c.positions().read(ctx)
		if err != nil {
			return err
		}
		if from = stood; kept.found {
			from = kept.position.EndLSN
		}
	}
	var text string
	if err := db.QueryRow(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&text); err != nil {
		return postgresFault("say where its log ends", err)
	}
	end, err := schema.ParseLSN(text)
	if err != nil {
		return fmt.Errorf("pg_current_wal_flush_lsn: %w", err)
	}
	what += fmt.Sprintf("; the changes from %s to the end of the log, now %s (%d bytes of log), are not kept for it", from, end, bytesOf(from, end))
	refusal := mayNotGoOn(fault.SlotLost, "slot "+c.cfg.Slot, what, "what Kafka does not have of them can no longer be read from the log", fix)
	refusal.Err = cause
	return refusal
}

// createFix and recreateFix are the ways on for a slot that is not there, or cannot
// be read any more. They give up what the refusal names, so they are the operator's.
func (c *Capture) createFix() string {
	options := ""
	if c.cfg.Failover {
		options = " --failover"
	}
	return fmt.Sprintf("%s; or penstock slot create%s %s, then penstock run: it names the gap and the word that accepts it", recoverFix, options, c.cfg.Slot)
}

func (c *Capture) recreateFix() string {
	return strings.Replace(c.createFix(), "; or ", "; or penstock slot drop "+c.cfg.Slot+", then ", 1)
}

// renewed is a fix for a slot with which nothing seems to be wrong.
func renewed(fix string) string {
	return strings.Replace(fix, "penstock recover:", "penstock recover --new-slot:", 1)
}

// recoverFix is the way on that gives nothing up.
const recoverFix = "penstock recover: every table is read again, and what was deleted meanwhile is found"
