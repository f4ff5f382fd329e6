package cdc_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/internal/fault"
	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// pair is a primary and its standby, and a source on them whose connection string
// names both.
type pair struct {
	*source
	primary, standby *stack.Instance
}

// newPair starts both. The settings are the primary's, and those of the standby
// on top.
func newPair(t *testing.T, primarySettings, standbySettings map[string]string) *pair {
	t.Helper()
	p := &pair{primary: stacktest.Postgres(t, primarySettings)}
	p.source = newSourceAt(t, p.primary.DSN())
	var err error
	if p.standby, err = stack.StartPostgresStandby(t.Context(), stack.Options{}, p.primary, standbySettings); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.standby.Close(); err != nil {
			t.Error(err)
		}
	})
	p.cfg.DSN = fmt.Sprintf("postgres://postgres@%s,%s/postgres?sslmode=disable&target_session_attrs=read-write",
		host(t, p.primary), host(t, p.standby))
	p.cfg.Failover = true
	return p
}

func host(t *testing.T, in *stack.Instance) string {
	t.Helper()
	dsn, err := url.Parse(in.DSN())
	if err != nil {
		t.Fatal(err)
	}
	return dsn.Host
}

// load inserts rows, each its own commit, until the server goes away or n are in,
// and says how many the server has acknowledged.
func (p *pair) load(ctx context.Context, from, n int) int {
	for i := range n {
		if _, err := p.db.Exec(ctx, "INSERT INTO events VALUES ($1, $2, 1)", from+i, fmt.Sprintf("c%d", i%5)); err != nil {
			return i
		}
	}
	return n
}

// awaitSync keeps writing until the standby has the slot. It returns the number of
// rows written.
func (p *pair) awaitSync(from int) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*deadline)
	defer cancel()
	synced := make(chan error, 1)
	go func() { synced <- p.standby.AwaitSyncedSlot(ctx, p.cfg.Slot) }()
	for rows := 0; ; rows++ {
		p.exec(fmt.Sprintf("INSERT INTO events VALUES (%d, 'sync', 1)", from+rows))
		p.exec("SELECT pg_log_standby_snapshot()")
		select {
		case err := <-synced:
			if err != nil {
				p.t.Fatal(err)
			}
			return rows + 1
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// failOver ends the primary as a crash does and promotes the standby, which the
// source's own connection goes to from now on.
func (p *pair) failOver() {
	p.t.Helper()
	p.primary.Kill()
	if err := p.standby.Promote(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.db = p.dial(p.standby)
}

// dial connects to one of the two, which may be gone by the end of the test.
func (p *pair) dial(in *stack.Instance) *pgx.Conn {
	p.t.Helper()
	db, err := pgx.Connect(p.t.Context(), in.DSN())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// exactlyOnce wants each row of the table once in its topic.
func (p *pair) exactlyOnce() {
	p.t.Helper()
	var ids []int64
	rows, err := p.db.Query(p.t.Context(), "SELECT id FROM events")
	if err != nil {
		p.t.Fatal(err)
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		p.t.Fatal(err)
	}
	seen := map[string]int{}
	records := p.read(p.cfg.Tables[1].Topic, len(ids))
	for _, r := range records {
		seen[string(r.Key)]++
	}
	for _, id := range ids {
		if n := seen[fmt.Sprintf(`{"id":%d}`, id)]; n != 1 {
			p.t.Errorf("row %d is in the topic %d times", id, n)
		}
	}
	if len(records) != len(ids) || versions(p.t, records) != len(ids) {
		p.t.Errorf("%d records for %d rows", len(records), len(ids))
	}
}

// TestFailover kills the primary under load, and promotes the standby, which the
// capture is not allowed to run ahead of. It goes on there, with every row once.
func TestFailover(t *testing.T) {
	p := newPair(t, map[string]string{"synchronized_standby_slots": stack.StandbySlot}, nil)
	c := p.startStreaming()
	rows := p.awaitSync(0)
	ctx, stop := context.WithCancel(t.Context())
	loaded := make(chan int, 1)
	go func() { loaded <- p.load(ctx, rows, 100_000) }()
	p.read(p.cfg.Tables[1].Topic, rows+300)
	p.primary.Kill()
	stop()
	t.Logf("%d rows before the failover", rows+<-loaded)
	p.failOver()
	p.exec("INSERT INTO events SELECT i, 'new', 1 FROM generate_series(1000000, 1000499) i")
	eventually(t, "the new timeline in the position", func() bool { return p.position().Timeline == 2 })
	p.exactlyOnce()
	c.finish()
	if got, want := p.confirmed(), p.position().EndLSN; got != want {
		t.Errorf("the slot is confirmed to %s, the position is %s", got, want)
	}
}

// TestFailoverToALaggingSlot promotes a standby whose copy of the slot was never
// brought up to date: it sends again what Kafka has from the old primary.
func TestFailoverToALaggingSlot(t *testing.T) {
	p := newPair(t, map[string]string{"synchronized_standby_slots": stack.StandbySlot}, nil)
	c := p.startStreaming()
	rows := p.awaitSync(0)
	standby := p.dial(p.standby)
	if _, err := standby.Exec(t.Context(), "ALTER SYSTEM SET sync_replication_slots = off"); err != nil {
		t.Fatal(err)
	}
	if _, err := standby.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	rows += p.load(t.Context(), rows, 500)
	p.read(p.cfg.Tables[1].Topic, rows)
	had := p.position().EndLSN
	p.failOver()
	if at := p.confirmed(); at >= had {
		t.Fatalf("the promoted slot stands at %s, want it behind the position %s", at, had)
	}
	p.exec("INSERT INTO events SELECT i, 'new', 1 FROM generate_series(1000000, 1000499) i")
	eventually(t, "the new timeline in the position", func() bool { return p.position().Timeline == 2 })
	p.exactlyOnce()
	c.finish()
}

// TestFailoverBehindThePosition promotes a standby that had not received what
// Kafka holds already. Nobody may go on there: the new primary uses the LSNs again.
func TestFailoverBehindThePosition(t *testing.T) {
	p := newPair(t, nil, nil)
	had := p.failOverBehind()
	p.cfg.Accept = cdc.Accept{State: fault.Diverged, LSN: p.confirmed()}
	c := p.startStreaming()
	p.exec("INSERT INTO events VALUES (3000000, 'accepted', 1)")
	eventually(t, "the slot to pass the new rows", func() bool { return p.confirmed() >= had.EndLSN && p.position().Timeline == 2 })
	c.finish()
}

// failOverBehind promotes the standby without what Kafka holds already, which the capture
// refuses. It returns the position.
func (p *pair) failOverBehind() schema.Position {
	t := p.t
	t.Helper()
	c := p.startStreaming()
	rows := p.awaitSync(0)
	standby := p.dial(p.standby)
	p.detach(standby)
	rows += p.load(t.Context(), rows, 200)
	p.read(p.cfg.Tables[1].Topic, rows)
	had := p.position()
	p.failOver()
	p.exec("INSERT INTO events SELECT i, 'lost?', 1 FROM generate_series(2000000, 2000499) i")
	err := c.wait()
	expect(t, err, fault.PositionLost, "diverged: ", had.EndLSN.String(), p.forkedAt().String(), "--accept diverged@"+p.confirmed().String())
	if got := p.position(); got != had {
		t.Errorf("position %+v, want the one from before, %+v", got, had)
	}
	if n := versions(t, p.read(p.cfg.Tables[1].Topic, rows)); n != rows {
		t.Errorf("%d changes in the topic, want the %d from before", n, rows)
	}
	return had
}

// TestRecoverAfterAFailoverBehind: Kafka holds rows that the new primary never had. They are
// deleted, what it has instead is read, and every version is above those before.
func TestRecoverAfterAFailoverBehind(t *testing.T) {
	p := newPair(t, nil, nil)
	had := p.failOverBehind()
	p.exec("UPDATE events SET n = -5 WHERE id = 3")
	next, highest := map[int32]int64{}, int64(0)
	for _, r := range p.all(p.cfg.Tables[1].Topic) {
		next[r.Partition], highest = r.Offset+1, max(highest, coordinates(t, r).Version)
	}
	done, err := p.recover(false)
	if err != nil {
		t.Fatal(err)
	}
	if done.State != fault.Diverged || done.Created || !slices.Contains(done.Tables, events) {
		t.Errorf("got %+v", done)
	}
	c := p.startStreaming()
	job := p.awaitJob(events, backfill.Done)
	p.exec("INSERT INTO events VALUES (3000000, 'after', 1)")
	eventually(t, "the slot to pass the new row", func() bool { return p.confirmed() >= had.EndLSN && p.position().Timeline == 2 })
	c.finish()
	got, deleted, again := p.eventsInKafka()
	if diff := cmp.Diff(p.rows(allEvents), got); diff != "" {
		t.Errorf("events (-Postgres +Kafka):\n%.2000s", diff)
	}
	if len(deleted) != 200 || job.Deleted != 200 || again != 0 {
		t.Errorf("%d keys were deleted, the job says %d, %d of them twice, want the 200 that were lost", len(deleted), job.Deleted, again)
	}
	for _, r := range p.all(p.cfg.Tables[1].Topic) {
		if version := coordinates(t, r).Version; r.Offset >= next[r.Partition] && version <= highest {
			t.Errorf("%s/%d@%d has version %d, there was %d before", r.Topic, r.Partition, r.Offset, version, highest)
		}
	}
}

// detach stops the standby from receiving anything more.
func (p *pair) detach(standby *pgx.Conn) {
	p.t.Helper()
	for _, sql := range []string{"ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"} {
		if _, err := standby.Exec(p.t.Context(), sql); err != nil {
			p.t.Fatalf("%s: %v", sql, err)
		}
	}
	eventually(p.t, "the standby to receive nothing more", func() bool {
		return p.one("SELECT count(*)::text FROM pg_stat_replication WHERE application_name = '"+stack.StandbySlot+"'") == "0"
	})
}

// forkedAt is where the promoted server left the first timeline.
func (p *pair) forkedAt() schema.LSN {
	p.t.Helper()
	file := p.one("SELECT pg_read_file('pg_wal/00000002.history')")
	return lsn(p.t, strings.Fields(file)[1])
}

// TestStandbyThatIsAway: a primary that waits for its standby says so by warnings,
// which are nothing to stop for. What waits is delivered when the standby is back.
func TestStandbyThatIsAway(t *testing.T) {
	p := newPair(t, map[string]string{"synchronized_standby_slots": stack.StandbySlot, "wal_sender_timeout": "3s"}, nil)
	lost := *p.source
	lost.cfg.DSN, lost.cfg.Wait = p.standby.DSN(), time.Second
	expect(t, lost.refusal(), fault.Unreachable, "the server is a standby", "target_session_attrs=read-write")
	c := p.startStreaming()
	rows := p.awaitSync(0)
	if err := p.standby.Stop(); err != nil {
		t.Fatal(err)
	}
	p.exec(fmt.Sprintf("INSERT INTO events VALUES (%d, 'waits', 1)", rows))
	eventually(t, "the primary to wait for its standby", func() bool {
		return p.one("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'WaitForStandbyConfirmation'") == "1"
	})
	select {
	case err := <-c.done:
		t.Fatalf("the capture ended: %v", err)
	case <-time.After(5 * time.Second): // beyond the walsender's patience
	}
	if err := p.standby.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.exactlyOnce()
	c.finish()
}

// TestOldPrimaryComesBack has the capture led back, by its connection string, to
// the primary that was replaced.
func TestOldPrimaryComesBack(t *testing.T) {
	p := newPair(t, map[string]string{"synchronized_standby_slots": stack.StandbySlot}, nil)
	c := p.startStreaming()
	rows := p.awaitSync(0)
	p.failOver()
	p.exec("INSERT INTO events VALUES (1000000, 'new', 1)")
	p.read(p.cfg.Tables[1].Topic, rows+1)
	c.finish()
	had := p.position()
	if err := p.primary.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.db = p.dial(p.primary)
	p.refuses(fault.Diverged, "is of timeline 2, the server is on timeline 1", had.EndLSN.String())
	if got := p.position(); got != had {
		t.Errorf("position %+v, want the one from before, %+v", got, had)
	}
}
