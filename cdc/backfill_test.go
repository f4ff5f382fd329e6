package cdc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// rows of events, as text.
func (s *source) rows(sql string) map[string]string {
	s.t.Helper()
	found, err := s.db.Query(s.t.Context(), sql)
	if err != nil {
		s.t.Fatal(err)
	}
	rows := map[string]string{}
	var id, row string
	if _, err := pgx.ForEachRow(found, []any{&id, &row}, func() error { rows[id] = row; return nil }); err != nil {
		s.t.Fatal(err)
	}
	return rows
}

const allEvents = "SELECT id::text, coalesce(content_id, '') || '/' || coalesce(n::text, '') FROM events"

// folded is what the records of the topic of events add up to, and how many of them
// were read, not streamed. A row that is read says what the stream has said of it before, if
// it has said anything.
func folded(t *testing.T, records []*kgo.Record) (rows map[string]string, read int) {
	t.Helper()
	rows = map[string]string{}
	for _, r := range records {
		if r.Value == nil {
			continue
		}
		var e struct {
			Op            string
			Before, After *struct {
				ID      int64
				Content *string `json:"content_id"`
				N       *int64
			}
			Source struct{ Snapshot string }
		}
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		if e.Op == "t" {
			clear(rows)
			continue
		}
		if e.After == nil {
			delete(rows, fmt.Sprint(e.Before.ID))
			continue
		}
		content, n := "", ""
		if e.After.Content != nil {
			content = *e.After.Content
		}
		if e.After.N != nil {
			n = fmt.Sprint(*e.After.N)
		}
		key := fmt.Sprint(e.After.ID)
		if e.Op == "r" {
			read++
			if was, known := rows[key]; known && was != content+"/"+n {
				t.Errorf("row %s was %s by the stream, and was read later: %.300s", key, was, r.Value)
			}
			if e.Source.Snapshot != "incremental" {
				t.Errorf("snapshot is %q", e.Source.Snapshot)
			}
		}
		rows[key] = content + "/" + n
	}
	return rows, read
}

func (s *source) job(table schema.TableName) *backfill.Job {
	s.t.Helper()
	jobs, _, err := cdc.Jobs(s.t.Context(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return jobs[table]
}

func (s *source) awaitJob(table schema.TableName, state backfill.State) *backfill.Job {
	s.t.Helper()
	var job *backfill.Job
	eventually(s.t, fmt.Sprintf("backfill of %s is %s", table, state), func() bool {
		job = s.job(table)
		return job != nil && job.State == state
	})
	return job
}

func (s *source) command(do cdc.Do, id, where string, tables ...schema.TableName) {
	s.t.Helper()
	if err := cdc.Send(s.t.Context(), s.cfg, cdc.Command{ID: id, Do: do, Tables: tables, Scope: backfill.Scope{Where: where}}); err != nil {
		s.t.Fatal(err)
	}
}

// all reads a topic to its end.
func (s *source) all(topic string) []*kgo.Record {
	s.t.Helper()
	return s.read(topic, 0)
}

func TestFirstCopyUnderLoadAndKills(t *testing.T) {
	s := newSource(t)
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 2, ChunkBlocks: 64}
	s.exec(`INSERT INTO content SELECT 'c' || i, repeat('x', 100) FROM generate_series(1, 100) i;
		INSERT INTO events SELECT i, 'c' || i % 100, i FROM generate_series(1, 300000) i`)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	db := connect(t, s.cfg.DSN)
	load.Go(func() {
		random := rand.New(rand.NewPCG(seed, 0))
		for ctx.Err() == nil {
			id := random.IntN(330_000)
			statement := []string{
				"UPDATE events SET n = n + 1 WHERE id = %d", "DELETE FROM events WHERE id = %d", "INSERT INTO events VALUES (%d, 'c1', -1) ON CONFLICT (id) DO UPDATE SET n = -2",
				"UPDATE events SET id = id + 1000000, n = -3 WHERE id = %[1]d AND NOT EXISTS (SELECT FROM events WHERE id = %[1]d + 1000000)",
				"UPDATE events SET content_id = NULL WHERE id BETWEEN %[1]d AND %[1]d + 20",
			}[random.IntN(5)]
			if _, err := db.Exec(ctx, fmt.Sprintf(statement, id)); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	// Each life of the capture is cut off when it has handed over a chunk more.
	const lives = 10
	for range lives {
		s.cutOff(cdc.FailCopied, 2)
	}
	c := s.startStreaming()
	job := s.awaitJob(events, backfill.Done)
	stop()
	load.Wait()
	end := s.logEnd()
	s.exec("INSERT INTO events VALUES (9999999, 'c', 0)") // which moves the slot
	eventually(t, "the stream is delivered", func() bool { return s.confirmed() >= end })
	c.finish()
	got, read := folded(t, s.all(s.cfg.Tables[1].Topic))
	if diff := cmp.Diff(s.rows(allEvents), got); diff != "" {
		t.Errorf("(-Postgres +Kafka):\n%.2000s", diff)
	}
	if int64(read) != job.Rows || job.Rows+job.Dropped < 200_000 || job.Dropped == 0 {
		t.Errorf("%d rows were read, the job says %d and %d dropped", read, job.Rows, job.Dropped)
	}
	t.Logf("%d rows read, %d overtaken by the stream", job.Rows, job.Dropped)
}

// cutOff runs a capture until it dies, as by a kill -9, when it comes to a failpoint for the nth time.
func (s *source) cutOff(at cdc.Failpoint, nth int64) {
	s.t.Helper()
	wires, before := newCables(s.t), s.cfg
	wires.plug(&s.cfg)
	var reached atomic.Int64
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if p == at && reached.Add(1) == nth {
			wires.cut()
		}
	}
	c := s.start()
	eventually(s.t, fmt.Sprintf("the capture comes to %s for the %dth time", at, nth), func() bool { return reached.Load() >= nth })
	c.stop()
	_ = c.wait() // what it says of the cut does not matter
	s.cfg = before
}

// TestACommitThatIsStreamedBeforeItIsVisible holds a commit between the two, as a
// synchronous standby does that answers late: the slot sends it, and nobody sees it yet. A row
// that is read then is older than what was delivered.
func TestACommitThatIsStreamedBeforeItIsVisible(t *testing.T) {
	server := stacktest.Postgres(t, nil)
	s := newSourceAt(t, server.DSN())
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 1}
	s.exec("SET synchronous_commit TO local; INSERT INTO events SELECT i, 'c', 0 FROM generate_series(1, 200000) i")
	synchronous := func(names string) {
		s.exec("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'")
		s.exec("SELECT pg_reload_conf()")
	}
	var once sync.Once
	var held sync.WaitGroup
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if p != cdc.FailCopied {
			return
		}
		once.Do(func() { // the first chunk is read, the last ones are not
			synchronous("nobody")
			for _, change := range []string{"UPDATE events SET n = 1 WHERE id = 200000", "DELETE FROM events WHERE id = 199999", "UPDATE events SET id = 300000 WHERE id = 199998"} {
				db := connect(t, s.cfg.DSN)
				held.Go(func() {
					if _, err := db.Exec(context.Background(), change); err != nil { // returns when the server is told that nobody is synchronous
						t.Error(err)
					}
				})
			}
			eventually(t, "the commits wait for a standby", func() bool {
				return s.one("SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "3"
			})
		})
	}
	c := s.startStreaming()
	job := s.awaitJob(events, backfill.Done)
	if n := s.one("SELECT n::text FROM events WHERE id = 200000"); n != "0" {
		t.Fatalf("the commit became visible: n is %s", n)
	}
	if job.Dropped != 3 {
		t.Errorf("%d rows were dropped, want 3", job.Dropped)
	}
	synchronous("")
	held.Wait()
	c.finish()
	got, _ := folded(t, s.all(s.cfg.Tables[1].Topic))
	want := s.rows(allEvents)
	for _, rows := range []map[string]string{got, want} {
		maps.DeleteFunc(rows, func(id, row string) bool { return row == "c/0" && !strings.HasPrefix(id, "1999") })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-Postgres +Kafka):\n%.2000s", diff)
	}
}

func TestJobsAreCommanded(t *testing.T) {
	s := newSource(t)
	s.cfg.Backfill.Readers = 2
	s.exec(`INSERT INTO content SELECT 'c' || i, 'x' FROM generate_series(1, 100) i; INSERT INTO events SELECT i, 'c' || i % 100, i FROM generate_series(1, 1000) i`)
	c := s.startStreaming()
	if job := s.job(events); job != nil {
		t.Fatalf("job %+v without a word", job)
	}
	s.command(cdc.DoStart, "one", "n > 900", events)
	if job := s.awaitJob(events, backfill.Done); job.Rows != 100 || job.ID != "one" || job.Estimate > 1000 {
		t.Errorf("got %+v", job)
	}
	// A job whose table is locked waits; it can be paused, resumed and cancelled.
	lock := s.lock("content")
	s.command(cdc.DoStart, "two", "", content)
	s.awaitJob(content, backfill.Running)
	s.command(cdc.DoPause, "p", "", content)
	s.awaitJob(content, backfill.Paused)
	c.finish()
	lock()
	c = s.startStreaming()
	if job := s.job(content); job.State != backfill.Paused || job.Rows != 0 {
		t.Errorf("got %+v", job)
	}
	s.exec("INSERT INTO events VALUES (2000, 'c', 1)")
	s.read(s.cfg.Tables[1].Topic, 101) // it has looked at its tables
	lock = s.lock("content")
	s.command(cdc.DoStart, "three", "", content) // there is one
	s.command(cdc.DoResume, "r", "", content)
	s.awaitJob(content, backfill.Running)
	s.command(cdc.DoCancel, "c", "", content)
	if job := s.awaitJob(content, backfill.Cancelled); job.ID != "two" || job.Rows != 0 {
		t.Errorf("got %+v", job)
	}
	lock()
	s.command(cdc.DoStart, "four", "", content)
	if job := s.awaitJob(content, backfill.Done); job.Rows != 100 || job.ID != "four" {
		t.Errorf("got %+v", job)
	}
	c.finish()
	if _, read := folded(t, s.all(s.cfg.Tables[1].Topic)); read != 100 {
		t.Errorf("%d rows read, want 100", read)
	}
}

// lock keeps everybody out of a table until it is called.
func (s *source) lock(table string) (release func()) {
	s.t.Helper()
	tx, err := connect(s.t, s.cfg.DSN).Begin(s.t.Context())
	if err == nil {
		_, err = tx.Exec(s.t.Context(), "LOCK TABLE "+table)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestAFinishedBackfillIsNotRunAgain takes the right to read away, which a second one would need.
func TestAFinishedBackfillIsNotRunAgain(t *testing.T) {
	s := newSource(t)
	s.cfg.Backfill.Initial = true
	s.exec("INSERT INTO events SELECT i, 'c', i FROM generate_series(1, 100) i")
	c := s.startStreaming()
	first := s.awaitJob(events, backfill.Done)
	s.awaitJob(content, backfill.Done)
	c.finish()
	s.exec("ALTER TABLE events RENAME COLUMN n TO n2; ALTER TABLE events RENAME COLUMN n2 TO n") // another relation message
	s.exec("INSERT INTO events VALUES (101, 'c', 101)")
	c = s.startStreaming()
	records := s.read(s.cfg.Tables[1].Topic, 101)
	c.finish()
	if diff := cmp.Diff(first, s.job(events)); diff != "" {
		t.Errorf("the job (-before +after):\n%s", diff)
	}
	if _, read := folded(t, records); read != 100 {
		t.Errorf("%d rows read, want 100", read)
	}
}

// TestTablesThatCannotBeRead: each fails with what mends it, and the others go on.
func TestTablesThatCannotBeRead(t *testing.T) {
	s := newSource(t)
	s.exec("INSERT INTO events SELECT i, 'c', i FROM generate_series(1, 100) i")
	c := s.startStreaming()
	s.command(cdc.DoStart, "bad", "no_such_column > 1", content)
	s.command(cdc.DoStart, "strange", "", schema.TableName{Schema: "public", Name: "nowhere"})
	s.command(cdc.DoStart, "good", "", events)
	if job := s.awaitJob(content, backfill.Failed); !strings.Contains(job.Why, "no_such_column") || job.Fix == "" {
		t.Errorf("got %+v", job)
	}
	if job := s.awaitJob(schema.TableName{Schema: "public", Name: "nowhere"}, backfill.Failed); !strings.Contains(job.Why, "not captured") || job.Fix == "" {
		t.Errorf("got %+v", job)
	}
	if job := s.awaitJob(events, backfill.Done); job.Rows != 100 {
		t.Errorf("got %+v", job)
	}
	c.finish()
}
