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

// Sweep finds the rows that Kafka holds and a table has not: what was deleted while nobody
// captured. It looks at what Kafka held when it began. The stream says what happens from then on, so its
// table has to be held by the [Window] since before that, and be settled.
//
// It keeps no progress of its own in Kafka. Begun again it looks at what Kafka holds by then,
// in which the rows that it has deleted are gone.
type Sweep struct {
	held Held
	rel  *schema.Relation // that it was opened for
}

// Held is the latest state of a table's rows as Kafka holds it. Not safe for concurrent use.
// Its errors are a [Refusal], or say that Kafka fails.
type Held interface {
	// Keys are those of the next rows, at most n; none when all were seen. Each comes once.
	Keys(ctx context.Context, n int) ([]Key, error)
	// Rows are the rows of some of the keys that came last: what Kafka holds of each, the key at least.
	Rows(ctx context.Context, keys []Key) ([]schema.Tuple, error)
}

// sweep finds the next rows that are gone, or that there are no more.
func (p *Pool) sweep(ctx context.Context, r *reader, o *Order) (*Chunk, error) {
	c := &Chunk{Order: *o}
	for {
		keys, err := p.nextKeys(ctx, r, o)
		if err != nil {
			return nil, err
		}
		gone, err := r.gone(ctx, c, keys)
		if err != nil {
			return nil, err
		}
		if !sameKey(c.Relation, o.Sweep.rel) {
			return nil, ErrRewritten
		}
		if c.Gone, err = o.Sweep.held.Rows(ctx, gone); err != nil {
			return nil, err
		}
		if c.Last = len(keys) == 0; c.Last || len(gone) > 0 {
			c.After, err = r.after(ctx)
			return c, err
		}
	}
}

func (p *Pool) nextKeys(ctx context.Context, r *reader, o *Order) ([]Key, error) {
	s := o.Sweep
	if s.held == nil {
		var c Chunk
		c.Order = *o
		if _, err := r.gone(ctx, &c, nil); err != nil {
			return nil, err
		}
		var err error
		if s.held, err = p.Held(ctx, c.Relation); err != nil {
			return nil, err
		}
		s.rel = c.Relation
	}
	return s.held.Keys(ctx, chunkKeys)
}

// gone are the keys of which the table has no row. They are compared by their texts: of two keys that
// are equal in SQL, Kafka may hold both.
func (r *reader) gone(ctx context.Context, c *Chunk, keys []Key) ([]Key, error) {
	there := map[string]bool{}
	table := quoted(c.Order.Table)
	err := r.in(ctx, table, func(ctx context.Context, db *pgx.Conn) error {
		var snapshot string
		err := db.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&snapshot)
		if err == nil {
			c.Snapshot, err = ParseSnapshot(snapshot)
		}
		if err != nil {
			return err
		}
		rel, filter, err := r.keyed(ctx, db, c.Order.Table)
		if c.Relation = rel; err != nil || len(keys) == 0 {
			return err
		}
		out := &lines{}
		if _, err := db.PgConn().CopyTo(ctx, out, r.copySQL(&Order{Keys: keys}, keyOnly(rel), c.Order.Table, filter)); err != nil {
			return err
		}
		var row copytext.Reader
		for line := range bytes.Lines(out.data) {
			tuple, err := row.Row(line, len(rel.Key))
			if err != nil {
				return fmt.Errorf("keys of %s: %w", c.Order.Table, err)
			}
			there[string(AppendKey(nil, tuple, seq(len(rel.Key))))] = true
		}
		return nil
	})
	return slices.DeleteFunc(slices.Clone(keys), func(k Key) bool { return there[string(k)] }), err
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

// sameKey reports whether both have the same columns in their keys.
func sameKey(a, b *schema.Relation) bool {
	return slices.EqualFunc(keyOnly(a).Columns, keyOnly(b).Columns, func(x, y schema.Column) bool {
		return x.Name == y.Name && x.TypeOID == y.TypeOID && x.TypeMod == y.TypeMod
	})
}
