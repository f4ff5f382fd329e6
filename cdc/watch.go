package cdc

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/internal/fault"
)

// watchEvery is how soon a change is seen that the log says nothing of.
const watchEvery = 10 * time.Second

// watch looks, until ctx ends, for what changes what the slot sends without a word
// in its stream. A publication that has lost a table, or an operation, ends the
// capture, also if it has got it back: what is written meanwhile is not sent. Partitions that come and go with
// their rows are told of: these rows are no changes, and nobody sends them. A server
// that does not answer is for the stream to notice.
func (c *Capture) watch(ctx context.Context) error {
	var known []partition
	looked := false
	for {
		err := c.cfg.withSQL(ctx, func(db *pgx.Conn) error {
			now, err := c.partitionsOf(ctx, db)
			if err != nil {
				return err
			}
			if looked {
				c.comparePartitions(known, now)
			}
			known, looked = now, true
			found, err := c.publications(ctx, db)
			if err != nil {
				return err
			}
			err = errors.Join(publicationProblems(&c.cfg, found), c.cfg.compareEntries(c.entries, found), compareRows(c.rows, found))
			c.rows = rowsOf(found)
			if err == nil {
				if now := c.cfg.known(c.entries, found); !slices.Equal(now, c.entries) {
					c.entries = now // for the next attempt too
					c.seen.Store(&now)
				}
				return nil
			}
			return cmp.Or(checkTables(ctx, db, &c.cfg), err) // one that is gone needs other words
		})
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // what ends with ctx explains nothing
		case err != nil && fault.KindOf(err) != fault.Unreachable:
			return refusedWhileRunning(err)
		}
		if sleep(ctx, cmp.Or(c.cfg.Watch, watchEvery)) != nil {
			return nil //nolint:nilerr // the end of ctx is no error
		}
	}
}

// refusedWhileRunning makes refusals of faults that a start would call a wrong
// configuration: this one was right.
func refusedWhileRunning(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, refusedWhileRunning(one))
		}
		return errors.Join(all...)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind == fault.Usage {
		now := *f
		now.Kind, now.Why = fault.Refused, strings.TrimPrefix(f.Why+"; the source was changed while the capture ran", "; ")
		return &now
	}
	return err
}

// partition is one leaf or branch of a captured table.
type partition struct{ table, name string }

const listPartitions = `SELECT n.nspname || '.' || c.relname, t.relid::regclass::text
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL pg_partition_tree(c.oid) t
	WHERE c.relkind = 'p' AND t.level > 0 AND n.nspname || '.' || c.relname = ANY ($1) ORDER BY 1, 2`

func (c *Capture) partitionsOf(ctx context.Context, db *pgx.Conn) ([]partition, error) {
	var names []string
	for _, t := range tableNames(&c.cfg) {
		names = append(names, t.String())
	}
	rows, err := db.Query(ctx, listPartitions, names)
	if err != nil {
		return nil, postgresFault("list partitions", err)
	}
	var list []partition
	var p partition
	if _, err := pgx.ForEachRow(rows, []any{&p.table, &p.name}, func() error {
		list = append(list, p)
		return nil
	}); err != nil {
		return nil, postgresFault("list partitions", err)
	}
	return list, nil
}

// comparePartitions tells what has come and gone.
func (c *Capture) comparePartitions(before, now []partition) {
	for _, p := range now {
		if !slices.Contains(before, p) {
			c.log.Warn("a partition was attached: rows that it brought are not in the log, its changes are",
				zap.String(keyTable, p.table), zap.String(keyPartition, p.name))
		}
	}
	for _, p := range before {
		if !slices.Contains(now, p) {
			c.log.Warn("a partition was detached: its rows are not deleted in Kafka, its changes come no more",
				zap.String(keyTable, p.table), zap.String(keyPartition, p.name))
		}
	}
}
