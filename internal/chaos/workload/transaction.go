package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	reconnectEvery = 50 * time.Millisecond
	connectTimeout = 5 * time.Second
	remembered     = 64 // keys that a worker may touch again
)

// transaction is what a worker sends between BEGIN and COMMIT.
type transaction struct {
	sql      string // statements
	copyInto string // a table for copied, after sql
	copied   [][]any
	then     string // statements after the copy
	rollback bool   // instead of COMMIT
	long     bool   // stays open while the worker goes on
}

// worker is one client. Its keys are its own, so that two workers meet only
// where a transaction says so. Not safe for concurrent use.
type worker struct {
	load   *Load
	id     int
	random *rand.Rand
	n      int64 // of the transaction under way
	key    int64 // the last one taken
	recent []int64
	ops    []Op

	patient bool // a transaction takes as long as it takes

	conn   *pgx.Conn
	broken error // what the last failed transaction broke on
	aside  *worker
	parked *Op // aside's open transaction
	left   int // transactions until it ends
}

// newWorker takes keys beyond 2^53, where a number that passes through a float
// is not the same any more.
func newWorker(l *Load, id int) *worker {
	return &worker{load: l, id: id, random: rand.New(rand.NewPCG(l.opts.Seed, uint64(id))), key: int64(id+1) << 54}
}

// run writes until the load is over.
func (w *worker) run(ctx context.Context, pick picker) error {
	defer w.close(ctx)
	if w.id == 0 && w.load.opts.Engagement == nil {
		if err := w.openAccounts(ctx); err != nil {
			return err
		}
	}
	for !w.load.over() {
		if err := w.load.pace(ctx); err != nil {
			return err
		}
		if err := w.step(ctx, pick(w)); err != nil {
			return err
		}
	}
	return w.unpark(ctx, 0)
}

// openAccounts makes the accounts, all of them empty, however often the server
// breaks down meanwhile.
func (w *worker) openAccounts(ctx context.Context) error {
	for !w.load.over() {
		if err := w.transact(ctx, newAccounts()); err != nil {
			return err
		}
		if w.ops[len(w.ops)-1].Outcome == OK {
			w.load.opened.Store(true)
			return nil
		}
	}
	return nil
}

func (w *worker) step(ctx context.Context, t transaction) error {
	if t.long && w.parked == nil {
		return w.park(ctx, t)
	}
	if err := w.transact(ctx, t); err != nil {
		return err
	}
	if w.left--; w.left <= 0 {
		return w.unpark(ctx, w.random.IntN(4))
	}
	return nil
}

// fresh takes keys that nobody has used, and returns the first.
func (w *worker) fresh(n int64) int64 {
	first := w.key + 1
	w.key += n
	return first
}

func (w *worker) remember(key int64) {
	if len(w.recent) < remembered {
		w.recent = append(w.recent, key)
		return
	}
	w.recent[w.random.IntN(remembered)] = key
}

// some is a key that may be in use: nobody minds if it is not.
func (w *worker) some() int64 {
	if len(w.recent) == 0 {
		return w.key
	}
	return w.recent[w.random.IntN(len(w.recent))]
}

// transact writes one transaction and logs its outcome. It returns an error only
// for what is not to be expected of a server that comes and goes.
func (w *worker) transact(ctx context.Context, t transaction) error {
	op, err := w.begin(ctx, t)
	if err == nil {
		err = w.end(ctx, op, t.rollback)
	}
	return w.settle(ctx, op, err)
}

// begin sends everything but the end of the transaction. Until that is sent,
// every error is a failure.
func (w *worker) begin(ctx context.Context, t transaction) (*Op, error) {
	w.n++
	op := &Op{Worker: int32(w.id), N: w.n, Outcome: Fail}
	if err := w.connect(ctx); err != nil {
		return op, err
	}
	ctx, cancel := w.bound(ctx)
	defer cancel()
	sql := fmt.Sprintf("BEGIN; SELECT set_config('chaos.op', '%d:%d', true), pg_current_xact_id(); %s", w.id, w.n, t.sql)
	if err := w.exec(ctx, op, sql); err != nil {
		return op, err
	}
	if t.copyInto != "" {
		copied, err := w.conn.CopyFrom(ctx, pgx.Identifier{t.copyInto}, []string{"id", "ver", "v"}, pgx.CopyFromRows(t.copied))
		if err != nil {
			return op, err
		}
		op.Changes += copied
	}
	if t.then == "" {
		return op, nil
	}
	return op, w.exec(ctx, op, t.then)
}

// bound limits how long a transaction is waited for.
func (w *worker) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.patient {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, w.load.opts.Patience)
}

// exec runs statements in one round trip and counts their changes.
func (w *worker) exec(ctx context.Context, op *Op, sql string) error {
	results, err := w.conn.PgConn().Exec(ctx, sql).ReadAll()
	var before []int64 // what was counted at each savepoint
	for _, r := range results {
		tag := r.CommandTag
		switch command, _, _ := strings.Cut(tag.String(), " "); command {
		case "SELECT":
			if op.XID == 0 && len(r.Rows) == 1 && len(r.Rows[0]) == 2 {
				op.XID, err = parseXID(r.Rows[0][1], err)
			}
		case "INSERT", "UPDATE", "DELETE":
			op.Changes += tag.RowsAffected()
		case "TRUNCATE":
			op.Changes++
		case "SAVEPOINT":
			before = append(before, op.Changes)
		case "ROLLBACK":
			op.Changes = before[len(before)-1]
		case "RELEASE":
			before = before[:len(before)-1]
		}
	}
	return err
}

func parseXID(text []byte, first error) (uint64, error) {
	xid, err := strconv.ParseUint(string(text), 10, 64)
	return xid, errors.Join(first, err)
}

// end sends COMMIT or ROLLBACK. An error that the session survives says that
// nothing was committed; any other says nothing.
func (w *worker) end(ctx context.Context, op *Op, rollback bool) error {
	ctx, cancel := w.bound(ctx)
	defer cancel()
	if rollback {
		_, err := w.conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll()
		return err
	}
	results, err := w.conn.PgConn().Exec(ctx, "COMMIT").ReadAll()
	refused, isRefused := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && len(results) == 1 && results[0].CommandTag.String() == "COMMIT":
		op.Outcome = OK
	case err == nil || isRefused && refused.Severity == "ERROR":
	default:
		op.Outcome = Unknown
	}
	return err
}

// settle logs the outcome and makes the connection fit for the next transaction.
func (w *worker) settle(ctx context.Context, op *Op, err error) error {
	w.ops = append(w.ops, *op)
	if op.Outcome == OK {
		w.load.written.Add(op.Changes)
	}
	if err == nil {
		return nil
	}
	w.broken = err
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	refused, isRefused := errors.AsType[*pgconn.PgError](err)
	if isRefused && !transient(refused.Code) {
		return err
	}
	if w.conn == nil { // not even after Options.Patience
		return err
	}
	if _, rollback := w.conn.PgConn().Exec(ctx, "ROLLBACK").ReadAll(); rollback != nil {
		w.disconnect(ctx)
	}
	return nil
}

// transient reports whether a refusal is one of a server under stress: deadlock
// and serialisation, no connection, no resources, shutdown, broken files of a
// crash.
func transient(code string) bool {
	switch code[:2] {
	case "40", "08", "53", "57", "58":
		return true
	}
	return false
}

// connect connects, unless connected, and waits for a server that is away.
func (w *worker) connect(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.load.opts.Patience)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, connectTimeout)
		conn, err := pgx.Connect(attempt, w.load.opts.DSN)
		done()
		if err == nil {
			w.conn = conn
			return nil
		}
		timer := time.NewTimer(reconnectEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			w.conn = nil
			return fmt.Errorf("no connection within %s: %w", w.load.opts.Patience, err)
		}
	}
}

// close gives up what is open.
func (w *worker) close(ctx context.Context) {
	w.disconnect(ctx)
	if w.aside != nil {
		w.aside.disconnect(ctx)
	}
}

// disconnect leaves the connection of a parked transaction alone.
func (w *worker) disconnect(ctx context.Context) {
	if w.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
	defer cancel()
	_ = w.conn.Close(ctx) // whatever it says, the connection is gone
	w.conn = nil
}
