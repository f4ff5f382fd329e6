package backfill

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"penstock/schema"
)

// Pool is the readers of a capture, who work while it streams.
type Pool struct {
	Connect      func(context.Context) (*pgx.Conn, error)
	Publications []string
	Readers      int
	Rate         int // rows that all readers together read in a second, on average; 0 is no limit
	// Held opens what Kafka holds of a table, as it is described.
	Held func(ctx context.Context, rel *schema.Relation) (Held, error)
	// Waits is called now and then while transactions have to end first.
	Waits func(xids []uint64)

	orders  chan Order
	results chan Result
	rest    *rest
}

// rest is when the readers may go on. Safe for concurrent use.
type rest struct {
	mu    sync.Mutex
	until time.Time
}

// add makes what was read count: so many rows take their time at a rate.
func (r *rest) add(rows, rate int, now time.Time) {
	if rate <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until.Before(now) {
		r.until = now
	}
	r.until = r.until.Add(time.Duration(float64(rows) / float64(rate) * float64(time.Second)))
}

// left is how long a reader has to wait, 0 if it has not.
func (r *rest) left(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.until.Sub(now), 0)
}

// Result is what became of an order. Without an error it has what was asked for.
type Result struct {
	Order Order
	Plan  Plan
	Chunk *Chunk
	// Err is why the order cannot be carried out: a [Refusal], or [ErrRewritten].
	Err error
}

// NewPool makes a pool that can hold as many orders as it has readers.
func NewPool(p Pool) *Pool {
	p.orders, p.results = make(chan Order, p.Readers), make(chan Result, p.Readers)
	p.rest = &rest{}
	return &p
}

// Orders takes an order. It does not block as long as no more are given than there are readers.
func (p *Pool) Orders() chan<- Order { return p.orders }

// Results hands over what became of each order, in any order.
func (p *Pool) Results() <-chan Result { return p.results }

// Run works until ctx ends, which is no error, or until the server fails.
func (p *Pool) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for range p.Readers {
		group.Go(func() error { return p.work(ctx) })
	}
	return group.Wait()
}

func (p *Pool) work(ctx context.Context) error {
	r := newReader(p.Connect, p.Publications)
	defer r.close(context.WithoutCancel(ctx))
	for {
		var o Order
		select {
		case o = <-p.orders:
		case <-ctx.Done():
			return nil
		}
		for left := p.rest.left(time.Now()); o.reads() && left > 0; left = p.rest.left(time.Now()) {
			select {
			case <-time.After(left):
			case <-ctx.Done():
				return nil
			}
		}
		result, err := p.carry(ctx, r, o)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if result.Chunk != nil {
			p.rest.add(bytes.Count(result.Chunk.Rows, []byte{'\n'}), p.Rate, time.Now())
		}
		select {
		case p.results <- result:
		case <-ctx.Done():
			return nil
		}
	}
}

// carry carries an order out. What the server says of the table is a result; a server
// that is gone is an error.
func (p *Pool) carry(ctx context.Context, r *reader, o Order) (result Result, err error) {
	result.Order = o
	switch {
	case o.Settle:
		err = p.settle(ctx, r)
	case o.Plan:
		result.Plan, err = r.plan(ctx, &o)
	case o.Sweep != nil:
		result.Chunk, err = p.sweep(ctx, r, &o)
	default:
		for {
			result.Chunk, err = r.read(ctx, &o)
			if !errors.Is(err, errTooLarge) {
				break
			}
			o.Span.To = o.Span.From + (o.Span.To-o.Span.From)/2 // the rest is dealt again
		}
	}
	if result.Err = refused(err); result.Err != nil {
		err = nil
	}
	return result, err
}

// refused is what the server has against an order, nil if it did not say.
func refused(err error) error {
	if _, ok := errors.AsType[*Refusal](err); ok || errors.Is(err, ErrRewritten) {
		return err
	}
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return nil
	}
	switch said.Code[:2] {
	case "08", "57", "28", "3D": // a lost connection, a server that shuts down, none that lets us in: nothing that the table is to blame for
		return nil
	case "25", "40", "55": // it may pass: the capture starts again, and so does the order
		if said.Code != "25006" && said.Code != "55000" {
			return nil
		}
	}
	f := &Refusal{What: "Postgres says: " + said.Message, Fix: "mend it, then start the backfill again"}
	switch said.Code {
	case "53300": // too many connections
		return nil
	case "42501":
		f.Why = "a backfill reads the table itself, and all of its rows"
		f.Fix = "GRANT SELECT on the table to the capture's role (BYPASSRLS if row security hides rows), then start the backfill again"
	case "42P01":
		f.What, f.Fix = "the table is gone", "nothing is left to be read"
	case "25006": // it would write
		f.Fix = "correct the condition, which may only read, then start the backfill again"
	case "42703", "42601", "42883", "42804", "22P02":
		f.Fix = "correct the condition or the range, then start the backfill again"
	}
	return f
}

// settle waits until no transaction is left that may have been streamed before the
// window began to follow, and is still not visible: what it changed would not be
// known. One that sits idle, or works in another database, has not committed yet.
func (p *Pool) settle(ctx context.Context, r *reader) error {
	if r.db == nil || r.db.IsClosed() {
		var err error
		if r.db, err = r.open(ctx); err != nil {
			return err
		}
	}
	now := func() (s Snapshot, err error) {
		var text string
		if err = r.db.QueryRow(ctx, "SELECT pg_current_snapshot()::text").Scan(&text); err == nil {
			s, err = ParseSnapshot(text)
		}
		return s, err
	}
	first, err := now()
	if err != nil {
		return err
	}
	left, said := first.Running, time.Now()
	for pause := time.Millisecond; len(left) > 0; pause = min(2*pause, 250*time.Millisecond) {
		harmless, err := r.uncommitted(ctx)
		if err != nil {
			return err
		}
		s, err := now()
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(slices.Clone(left), func(xid uint64) bool {
			_, running := slices.BinarySearch(s.Running, xid)
			return !running || slices.Contains(harmless, uint32(xid))
		})
		if len(left) > 0 && time.Since(said) > 10*time.Second {
			said = time.Now()
			p.Waits(left)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// uncommitted are the transactions that were seen to have no commit in the log.
func (r *reader) uncommitted(ctx context.Context) ([]uint32, error) {
	rows, err := r.db.Query(ctx, `
		SELECT backend_xid FROM pg_stat_activity
		WHERE backend_xid IS NOT NULL AND (state LIKE 'idle in transaction%' OR datname <> current_database())`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uint32])
}
