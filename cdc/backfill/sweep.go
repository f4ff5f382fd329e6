package backfill

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"penstock/cdc/copytext"
	"penstock/schema"
)

// Sweep finds the rows that Kafka holds and a table has not, or has otherwise: what was deleted, or moved
// to another place, while nobody captured. It looks at what Kafka held when it began. The stream says what
// happens from then on, so its table has to be held by the [Window] since before that, and be settled.
//
// It keeps no progress of its own in Kafka. Begun again it looks at what Kafka holds by then,
// in which the rows that it has deleted are gone.
type Sweep struct {
	held Held
	rel  *schema.Relation // that it was opened for
}

// Held is the latest state of a table's rows as Kafka holds it. Not safe for concurrent use.
// Its errors are a [Refusal], [ErrRewritten] if it has to be opened again, or say that Kafka fails.
type Held interface {
	// Next returns the next rows, at most n; none when all were seen.
	Next(ctx context.Context, n int) ([]HeldRow, error)
	// Whole reports whether the rows are; else they have the columns of the key alone.
	Whole() bool
}

// HeldRow is a row as Kafka holds it.
type HeldRow struct {
	Key     Key
	Row     schema.Tuple
	Version int64 // of the change that wrote it; 0 is not known
}

// Missed is a row that Kafka holds otherwise than the table.
type Missed struct {
	HeldRow
	Now schema.Tuple // nil: the table has it no more
}

// sweep finds the next rows that were missed, or that there are no more.
func (p *Pool) sweep(ctx context.Context, r *reader, o *Order) (*Chunk, error) {
	c, s := &Chunk{Order: *o}, o.Sweep
	if s.held == nil {
		if _, err := r.present(ctx, c, nil, false); err != nil {
			return nil, err
		}
		var err error
		if s.held, err = p.Held(ctx, c.Relation); err != nil {
			return nil, err
		}
		s.rel = c.Relation
	}
	for {
		held, err := s.held.Next(ctx, chunkKeys)
		if err != nil {
			return nil, err
		}
		present, err := r.present(ctx, c, held, s.held.Whole())
		if err != nil {
			return nil, err
		}
		if !sameColumns(c.Relation, s.rel) {
			return nil, ErrRewritten
		}
		for _, h := range held {
			now, there := present[string(h.Key)]
			if !there || s.held.Whole() && !sameRow(h.Row, now) {
				c.Missed = append(c.Missed, Missed{h, now})
			}
		}
		if c.Last = len(held) == 0; c.Last || len(c.Missed) > 0 {
			c.After, err = r.after(ctx)
			return c, err
		}
	}
}

// present are the rows that the table has of those that Kafka holds, by key: whole, or empty. They are told by
// the texts of their keys: of two keys that are equal in SQL, Kafka may hold both.
func (r *reader) present(ctx context.Context, c *Chunk, held []HeldRow, whole bool) (map[string]schema.Tuple, error) {
	present, table := map[string]schema.Tuple{}, c.Order.Table
	err := r.in(ctx, quoted(table), func(ctx context.Context, db *pgx.Conn) error {
		var snapshot string
		err := db.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&snapshot)
		if err == nil {
			c.Snapshot, err = ParseSnapshot(snapshot)
		}
		if err != nil {
			return err
		}
		rel, filter, err := r.keyed(ctx, db, table)
		if c.Relation = rel; err != nil || len(held) == 0 {
			return err
		}
		if !whole {
			rel = keyOnly(rel)
		}
		order := Order{Keys: make([]Key, len(held))}
		for i := range held {
			order.Keys[i] = held[i].Key
		}
		out := &lines{}
		if _, err := db.PgConn().CopyTo(ctx, out, r.copySQL(&order, rel, table, filter)); err != nil {
			return err
		}
		for line := range bytes.Lines(out.data) {
			row, err := new(copytext.Reader).Row(line, len(rel.Columns))
			if err != nil {
				return fmt.Errorf("row of %s: %w", table, err)
			}
			key := string(AppendKey(nil, row, rel.Key))
			if present[key] = row; !whole {
				present[key] = schema.Tuple{}
			}
		}
		return nil
	})
	return present, err
}

func sameRow(a, b schema.Tuple) bool {
	return slices.EqualFunc(a, b, func(x, y schema.Value) bool { return x.Kind == y.Kind && bytes.Equal(x.Data, y.Data) })
}

// keyOnly is a relation with the columns of the key alone, in the key's order.
func keyOnly(rel *schema.Relation) *schema.Relation {
	only := *rel
	only.Columns = nil
	for _, i := range rel.Key {
		only.Columns = append(only.Columns, rel.Columns[i])
	}
	only.Key = seq(len(rel.Key))
	return &only
}

func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// sameColumns reports whether both have the same columns and key.
func sameColumns(a, b *schema.Relation) bool {
	return slices.Equal(a.Key, b.Key) && slices.EqualFunc(a.Columns, b.Columns, func(x, y schema.Column) bool {
		return x.Name == y.Name && x.TypeOID == y.TypeOID && x.TypeMod == y.TypeMod
	})
}
