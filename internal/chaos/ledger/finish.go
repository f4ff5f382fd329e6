package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"penstock/internal/chaos/workload"
	"penstock/schema"
)

// settleTimeout is how long open Kafka transactions, and the concurrent consumer,
// are waited for before that is a problem.
const settleTimeout = 30 * time.Second

// Finish judges the run. It is for when the load has ended and Drained says yes;
// the daemon may run on. An error means that something could not be looked at:
// then there is no verdict.
func (l *Ledger) Finish(ctx context.Context, log *workload.Log) (*Verdict, error) {
	v := newVerdict()
	db, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer closeSQL(ctx, db)
	of, err := l.ends(ctx, v)
	if err != nil {
		return nil, err
	}
	// It needs nothing of Postgres, which takes as long for its part.
	meanwhile, uncommitted := errgroup.WithContext(ctx)
	aborted := newAborts()
	meanwhile.Go(func() error { return l.scan(uncommitted, kgo.ReadUncommitted(), of, aborted.take) })
	c, err := l.source(ctx, db, v)
	if err := errors.Join(err, meanwhile.Wait()); err != nil {
		return nil, err
	}
	aborted.conclude(v)
	clients(v, c.truth, log)
	for p := range of {
		c.parts[p.topic]++
	}
	chains, err := l.committed(ctx, c, of)
	if err != nil {
		return nil, err
	}
	c.conclude()
	c.groups.conclude()
	if err := l.watched(ctx, v, of, chains); err != nil {
		return nil, err
	}
	for _, t := range c.catalog.tables {
		if err := t.compare(ctx, db, v); err != nil {
			return nil, err
		}
	}
	return v, l.slotState(ctx, db, c.truth, v)
}

// source reads O1 and O2.
func (l *Ledger) source(ctx context.Context, db *pgx.Conn, v *Verdict) (*checker, error) {
	tables, err := describe(ctx, db, l.target.Topics)
	if err != nil {
		return nil, err
	}
	t, err := readHistory(ctx, db, tables)
	if err != nil {
		return nil, err
	}
	v.Commits, v.Events = int64(len(t.commits)), int64(len(t.events))
	if err := readDecoding(ctx, db, l.slot, &decoding{catalog: tables, truth: t, verdict: v}); err != nil {
		return nil, err
	}
	return &checker{
		catalog: tables, truth: t, verdict: v,
		parts: map[string]int32{}, last: map[partition]last{}, truncate: map[int32]uint64{},
		groups: &groups{catalog: tables, truth: t, verdict: v, index: map[producer]int32{}, key: l.target.PositionKey},
	}, nil
}

// ends waits until no Kafka transaction is open and returns what there is to read.
func (l *Ledger) ends(ctx context.Context, v *Verdict) (map[partition]span, error) {
	cl, err := client(l.target.Brokers)
	if err != nil {
		return nil, fmt.Errorf("open a client: %w", err)
	}
	defer cl.Close()
	limit := time.Now().Add(settleTimeout)
	for {
		of, err := spans(ctx, kadm.NewClient(cl), l.follow.topics)
		if err != nil {
			return nil, err
		}
		open := settle(of)
		if open == "" {
			return of, nil
		}
		if time.Now().After(limit) {
			v.report(Hanging, "%s", open)
			return of, nil
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// settle ends each span where all before it has been decided, and names a
// transaction that is open behind one. The end was asked for before the stable
// offset: a marker that came between the two lies before the second alone.
func settle(of map[partition]span) (open string) {
	for p, s := range of {
		if s.stable < s.end {
			open = fmt.Sprintf("topic %s, partition %d: a transaction is open at offset %d, the end is %d", p.topic, p.number, s.stable, s.end)
		}
		s.end = s.stable
		of[p] = s
	}
	return open
}

// committed checks every committed record.
func (l *Ledger) committed(ctx context.Context, c *checker, of map[partition]span) (map[partition]*chain, error) {
	chains := map[partition]*chain{}
	for p := range of {
		chains[p] = &chain{}
	}
	err := l.scan(ctx, kgo.ReadCommitted(), of, func(r *kgo.Record) {
		if err := chains[partition{r.Topic, r.Partition}].add(l.follow.seed, r); err != nil {
			c.verdict.report(Reread, "%v", err)
		}
		switch {
		case r.Attrs.IsControl():
		case r.Topic == l.target.PositionTopic:
			c.groups.position(r)
		case r.Topic == l.target.TransactionTopic:
			c.groups.mark(r)
		default:
			c.take(r)
		}
	})
	return chains, err
}

// watched judges what was seen during the run.
func (l *Ledger) watched(ctx context.Context, v *Verdict, of map[partition]span, chains map[partition]*chain) error {
	limit := time.Now().Add(settleTimeout)
	for {
		behind := l.follow.behind(of)
		if behind == "" {
			break
		}
		if time.Now().After(limit) {
			v.report(Reread, "the concurrent consumer is behind: %s", behind)
			break
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	l.cancel()
	if err := l.group.Wait(); err != nil {
		return err
	}
	l.follow.compare(v, chains)
	l.sampler.judge(v, l.follow.positions)
	return nil
}

// clients checks O3: what a client was promised is there, and what failed is not.
func clients(v *Verdict, t *truth, log *workload.Log) {
	there := map[uint64]bool{}
	for i := range t.commits {
		there[t.commits[i].tag] = true
	}
	for i := range log.Ops {
		op := &log.Ops[i]
		committed := there[tagOf(op.Worker, op.N)]
		switch {
		case op.Outcome == workload.OK && op.Changes > 0 && !committed:
			v.report(Client, "worker %d, transaction %d, xid %d: the client was told that it is committed, the history has nothing of it", op.Worker, op.N, op.XID)
		case op.Outcome == workload.Fail && committed:
			v.report(Client, "worker %d, transaction %d, xid %d: it failed, and the history has it", op.Worker, op.N, op.XID)
		case op.Outcome == workload.Unknown:
			v.Unknown++
			if committed {
				v.UnknownCommitted++
			}
		}
	}
}

// compare checks O4: the table is what its topic adds up to.
func (t *table) compare(ctx context.Context, db *pgx.Conn, v *Verdict) error {
	rows, err := db.Query(ctx, t.sums())
	if err != nil {
		return fmt.Errorf("read table %s: %w", t.name, err)
	}
	defer rows.Close()
	for rows.Next() {
		values := rows.RawValues()
		key := sum(values[0])
		got, there := t.rows[key]
		delete(t.rows, key)
		switch {
		case !there:
			v.report(State, "table %s has row %.80s, its topic adds up to none", t.name, values[0])
		case got.sum != half(values[1]) || !got.unchanged && got.big != half(values[2]):
			v.report(State, "table %s has another row %.80s than its topic adds up to", t.name, values[0])
		}
	}
	for _, r := range t.rows {
		v.report(State, "the topic of %s adds up to a row that the table does not have, at version %d", t.name, r.ver)
	}
	return rows.Err()
}

// slotState checks L1.
func (l *Ledger) slotState(ctx context.Context, db *pgx.Conn, t *truth, v *Verdict) error {
	confirmed, err := confirmedOf(ctx, db, l.target.Slot)
	if err != nil {
		return err
	}
	var last schema.LSN
	if n := len(t.order); n > 0 {
		last = t.commits[t.order[n-1]].end
	}
	if confirmed < last {
		v.report(Unconfirmed, "slot %s is confirmed at %s, the last commit ends at %s", l.target.Slot, confirmed, last)
	}
	const retained = "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = $1"
	if err := db.QueryRow(ctx, retained, l.target.Slot).Scan(&v.WALRetained); err != nil {
		return fmt.Errorf("describe slot %s: %w", l.target.Slot, err)
	}
	return nil
}
