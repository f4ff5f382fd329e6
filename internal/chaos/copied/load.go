package copied

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

const writers = 4

// Load changes the rows of a table until Stop: it updates, deletes, inserts again and inserts behind the last.
type Load struct {
	Changes atomic.Int64 // of rows

	stop context.CancelFunc
	done chan error
}

// StartLoad writes so many transactions a second, each of some rows. Each writer has keys of its own, so that what
// it raises n to is the order in which they are committed.
func StartLoad(ctx context.Context, dsn, table string, rows int64, seed uint64, rate float64) *Load {
	ctx, stop := context.WithCancel(ctx)
	l := &Load{stop: stop, done: make(chan error, 1)} // one: it ends once
	var group errgroup.Group
	for i := range writers {
		w := &writer{table: table, own: int64(i), highest: rows + rows/3, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		group.Go(func() error { return w.run(ctx, dsn, time.Duration(writers*float64(time.Second)/rate), &l.Changes) })
	}
	go func() { l.done <- group.Wait() }() // joined by Stop
	return l
}

// Stop returns when nothing is written any more.
func (l *Load) Stop() error {
	l.stop()
	err := <-l.done
	l.done <- err
	return err
}

// writer changes the keys whose rest by the number of writers is its own.
type writer struct {
	table        string
	own, n       int64
	highest, end int64 // keys: of the first rows, and behind it
	random       *rand.Rand
}

func (w *writer) run(ctx context.Context, dsn string, every time.Duration, changes *atomic.Int64) error {
	closing := context.WithoutCancel(ctx)
	db, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("the load: %w", err)
	}
	defer db.Close(closing)
	for tick := time.NewTicker(every); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
		tag, err := db.Exec(closing, w.next())
		if err != nil {
			return errors.Join(fmt.Errorf("the load: %w", err), context.Cause(ctx))
		}
		changes.Add(tag.RowsAffected())
	}
}

// next is a transaction.
func (w *writer) next() string {
	w.n++
	from := 1 + w.random.Int64N(w.highest)
	these := fmt.Sprintf("id BETWEEN %d AND %d AND id %% %d = %d", from, from+15, writers, w.own)
	switch w.random.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("DELETE FROM %s WHERE %s", w.table, these)
	case 2, 3:
		return w.insert(from)
	case 4:
		w.end += 8
		return w.insert(w.highest + w.end)
	case 5:
		return fmt.Sprintf("UPDATE %s SET n = %d, wide = CASE WHEN wide IS NULL THEN repeat(md5('%[2]d'), 90) END WHERE %s AND id %% 25 = 0", w.table, w.n, these)
	}
	return fmt.Sprintf("UPDATE %s SET n = %d, body = md5(body || '%[2]d') WHERE %s", w.table, w.n, these)
}

// insert adds what is not there.
func (w *writer) insert(from int64) string {
	return fmt.Sprintf(`INSERT INTO %s SELECT i, %d, md5(i || ' %[2]d'), CASE WHEN i %% 50 = 0 THEN repeat(md5(i::text), 90) END
		FROM generate_series(%d::bigint, %d) i WHERE i %% %d = %d ON CONFLICT DO NOTHING`, w.table, w.n, from, from+15, writers, w.own)
}
