package cdc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zaptest"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/record"
)

var orders = schema.TableName{Schema: "public", Name: "orders"}

var keyless = schema.TableName{Schema: "public", Name: "keyless"}

// withOrders adds a table of no pipeline with a key of several columns.
func (s *source) withOrders() {
	s.exec(`CREATE TABLE orders (day date, no numeric(12,2), at timestamptz, note text NOT NULL, PRIMARY KEY (no, day, at))`)
	s.cfg.Tables = append(s.cfg.Tables, cdc.Table{Name: orders, Topic: s.cfg.Name + ".orders"})
}

func (s *source) recover(renew bool) (cdc.Recovery, error) {
	s.t.Helper()
	capture, err := cdc.New(s.cfg, zaptest.NewLogger(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	return capture.Recover(s.t.Context(), renew, func(string, string) error { return nil })
}

// compacted is the last value of each key of a topic, without those that are gone, and how often each
// was deleted. Again is how often that was done to what was gone.
func compacted(records []*kgo.Record) (values map[string]string, deleted map[string]int, again int) {
	values, deleted = map[string]string{}, map[string]int{}
	for _, r := range records {
		if r.Value == nil {
			if _, there := values[string(r.Key)]; !there {
				again++
			}
			delete(values, string(r.Key))
			deleted[string(r.Key)]++
			continue
		}
		values[string(r.Key)] = string(r.Value)
	}
	return values, deleted, again
}

const allOrders = "SELECT extract(epoch FROM day)::bigint / 86400 || '/' || no || '/' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), note FROM orders"

// notes of orders as Kafka has them, by how many keys.
func notes(t *testing.T, values map[string]string) (notes []string) {
	t.Helper()
	for _, value := range values {
		var e struct{ After struct{ Note string } }
		if err := json.Unmarshal([]byte(value), &e); err != nil {
			t.Fatal(err)
		}
		notes = append(notes, e.After.Note)
	}
	slices.Sort(notes)
	return notes
}

// gap has all kinds of changes happen while nobody captures, and then the slot go.
func (s *source) gap(lose func(*source)) {
	s.t.Helper()
	s.startStreaming().finishAfter(s, `BEGIN; INSERT INTO content SELECT 'c' || i, 'before' FROM generate_series(1, 20) i;
		INSERT INTO orders SELECT '2020-01-01'::date + i, i + 0.50, '2020-01-01 00:00:00.25Z'::timestamptz + i * '1 hour'::interval, 'before ' || i FROM generate_series(1, 300) i;
		INSERT INTO events SELECT i, 'c' || i % 20, i FROM generate_series(1, 3000) i; COMMIT`, 3000)
	s.exec(`DELETE FROM events WHERE id % 3 = 0; INSERT INTO events VALUES (3, 'c1', -3), (5000, 'c2', 1);
		UPDATE events SET content_id = 'c7', n = -1 WHERE id % 50 = 1; UPDATE events SET id = id + 10000 WHERE id % 50 = 2;
		DELETE FROM content WHERE id = 'c5';
		DELETE FROM orders WHERE no > 200; UPDATE orders SET note = 'meanwhile' WHERE no = 1.50; UPDATE orders SET no = no + 1000 WHERE no = 7.50`)
	lose(s)
}

func (s *source) dropSlot() { s.exec(fmt.Sprintf("SELECT pg_drop_replication_slot('%s')", s.cfg.Slot)) }

// eventsInKafka are the rows of events as the topic has them last, and how often each was deleted.
func (s *source) eventsInKafka() (rows map[string]string, deleted map[string]int, again int) {
	s.t.Helper()
	rows = map[string]string{}
	values, deleted, again := compacted(s.all(s.cfg.Tables[1].Topic))
	for _, value := range values {
		var e struct {
			After struct {
				ID      int64
				Content string `json:"content_id"`
				N       int64
			}
		}
		if err := json.Unmarshal([]byte(value), &e); err != nil {
			s.t.Fatal(err)
		}
		rows[fmt.Sprint(e.After.ID)] = fmt.Sprintf("%s/%d", e.After.Content, e.After.N)
	}
	return rows, deleted, again
}

// recovered holds Kafka against Postgres, and wants each delete once.
func (s *source) recovered() {
	s.t.Helper()
	got, deleted, again := s.eventsInKafka()
	if diff := cmp.Diff(s.rows(allEvents), got); diff != "" {
		s.t.Errorf("events (-Postgres +Kafka):\n%.2000s", diff)
	}
	if job := s.job(events); job.Deleted != int64(len(deleted)) || len(deleted) != 999+40 {
		s.t.Errorf("the job says that %d rows were deleted, in Kafka are %d", job.Deleted, len(deleted))
	}
	s.places()
	rows, gone, more := compacted(s.all(s.cfg.Name + ".orders"))
	if diff := cmp.Diff(slices.Sorted(maps.Values(s.rows(allOrders))), notes(s.t, rows)); diff != "" {
		s.t.Errorf("orders (-Postgres +Kafka):\n%.2000s", diff)
	}
	if again+more > 0 {
		s.t.Errorf("%d rows that were gone are deleted again", again+more)
	}
	if len(gone) != 102 {
		s.t.Errorf("%d orders were deleted, want 102", len(gone))
	}
	maps.Copy(deleted, gone)
	for key, times := range deleted {
		if times != 1 {
			s.t.Errorf("%s was deleted %d times", key, times)
		}
	}
}

// places holds where the input topic has each event against where it is: nowhere else may one be left behind.
func (s *source) places() {
	s.t.Helper()
	got := map[string]string{}
	for _, r := range s.all(s.cfg.Pipelines[0].Topic) {
		c, err := record.Parse(r.Value)
		if err != nil || c.Table != events {
			continue
		}
		var row struct {
			ID int64
			N  int64
		}
		image := c.After
		if image == nil {
			image = c.Before
		}
		if err := json.Unmarshal(image, &row); err != nil {
			s.t.Fatal(err)
		}
		place := fmt.Sprintf("%d at %s", row.ID, r.Key)
		if got[place] = fmt.Sprint(row.N); c.After == nil {
			delete(got, place)
		}
	}
	want := s.rows("SELECT id || ' at ' || content_id, n::text FROM events")
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("places of events (-Postgres +Kafka):\n%.2000s", diff)
	}
}

func TestRecover(t *testing.T) {
	ways := map[string]struct {
		lose  func(*source)
		state fault.State
	}{
		"slot dropped": {(*source).dropSlot, fault.GapDetected},
		"slot advanced": {func(s *source) {
			s.exec(fmt.Sprintf("SELECT pg_replication_slot_advance('%s', pg_current_wal_lsn())", s.cfg.Slot))
		}, fault.GapDetected},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			s.withOrders()
			s.exec("CREATE TABLE keyless (n int)")
			s.cfg.Tables = append(s.cfg.Tables, cdc.Table{Name: keyless, Topic: s.cfg.Name + ".keyless"})
			s.gap(way.lose)
			capture, err := cdc.New(s.cfg, zaptest.NewLogger(t))
			if err != nil {
				t.Fatal(err)
			}
			_, err = capture.Recover(t.Context(), false, func(drop, what string) error {
				return &fault.Error{Kind: fault.Refused, What: drop + what}
			})
			expect(t, err, fault.Refused, "what changed in these tables meanwhile cannot be recovered", "public.keyless: the table has no key", "primary key")
			done, err := s.recover(false)
			if len(done.Unread) != 1 || done.Unread[0].Table != keyless || !strings.Contains(done.Unread[0].Why, "no key") {
				t.Errorf("not read are %+v", done.Unread)
			}
			if err != nil || done.State != way.state || !slices.Equal(done.Tables, []schema.TableName{content, events, orders}) {
				t.Fatalf("got %+v, %v", done, err)
			}
			if done, err = s.recover(false); err != nil || done.State != "" {
				t.Errorf("again: %+v, %v", done, err)
			}
			s.recoversAll()
			if job := s.job(keyless); job != nil {
				t.Errorf("a backfill is begun that has to fail: %+v", job)
			}
		})
	}
}

// recoversAll lets the jobs of a recovery run to their end, and checks what Kafka holds then.
func (s *source) recoversAll() {
	s.t.Helper()
	c := s.startStreaming()
	for _, table := range []schema.TableName{content, events, orders} {
		s.awaitJob(table, backfill.Done)
	}
	c.finish()
	s.recovered()
}

func TestRecoverIsKilled(t *testing.T) {
	s := newSource(t)
	s.withOrders()
	s.gap((*source).dropSlot)
	for _, at := range []cdc.Failpoint{cdc.FailSlotDropped, cdc.FailFenced} {
		wires, before := newCables(t), s.cfg
		wires.plug(&s.cfg)
		s.cfg.Failpoint = func(p cdc.Failpoint) {
			if p == at {
				wires.cut()
			}
		}
		if _, err := s.recover(false); err == nil {
			t.Fatalf("a recovery that is cut off at %s has an end", at)
		}
		s.cfg = before
	}
	eventually(t, "the slot is free", func() bool {
		return s.one("SELECT count(*)::text FROM pg_replication_slots WHERE active AND slot_name = '"+s.cfg.Slot+"'") == "0"
	})
	if done, err := s.recover(false); err != nil || done.State != fault.GapDetected {
		t.Fatalf("got %+v, %v", done, err)
	}
	for n := range int64(4) {
		s.cutOff(cdc.FailCopied, n+1)
	}
	s.recoversAll()
}

// TestRecoverUnderLoad has rows come, go and move while what was deleted before is looked for, and the capture killed.
func TestRecoverUnderLoad(t *testing.T) {
	s := newSource(t)
	s.startStreaming().finishAfter(s, "INSERT INTO events SELECT i, 'c', 0 FROM generate_series(1, 20000) i", 20000)
	s.dropSlot()
	s.exec("DELETE FROM events WHERE id % 2 = 0; UPDATE events SET n = 1, content_id = 'moved' WHERE id % 10 = 1")
	if _, err := s.recover(false); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	db := connect(t, s.cfg.DSN)
	load.Go(func() {
		random := rand.New(rand.NewPCG(seed, 0))
		for ctx.Err() == nil {
			statement := []string{
				"DELETE FROM events WHERE id = %d", "INSERT INTO events VALUES (%d, 'c', 2) ON CONFLICT (id) DO UPDATE SET n = 3",
				"UPDATE events SET id = id + 100000 WHERE id = %[1]d AND NOT EXISTS (SELECT FROM events WHERE id = %[1]d + 100000)", "WITH gone AS (DELETE FROM events WHERE id = %[1]d) INSERT INTO events VALUES (%[1]d + 1, 'd', 4) ON CONFLICT DO NOTHING",
				"UPDATE events SET content_id = 'moved again' WHERE id = %d",
			}[random.IntN(5)]
			if _, err := db.Exec(ctx, fmt.Sprintf(statement, 1+random.IntN(20000))); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	for n := range int64(3) {
		s.cutOff(cdc.FailCopied, 2*n+1)
	}
	c := s.startStreaming()
	job := s.awaitJob(events, backfill.Done)
	stop()
	load.Wait()
	end := s.logEnd()
	s.exec("INSERT INTO events VALUES (9999999, 'c', 0)") // which moves the slot
	eventually(t, "the stream is delivered", func() bool { return s.confirmed() >= end })
	c.finish()
	s.places()
	got, _, again := s.eventsInKafka()
	if diff := cmp.Diff(s.rows(allEvents), got); diff != "" {
		t.Errorf("(-Postgres +Kafka):\n%.2000s", diff)
	}
	if job.Deleted < 5000 || job.Deleted > 10000 {
		t.Errorf("%d rows were deleted, of 10000 but for those that came back", job.Deleted)
	}
	// Only a row that was moved in the gap, and deleted by the stream since, is deleted at both places.
	if again > 100 {
		t.Errorf("%d rows that were gone are deleted again", again)
	}
	t.Logf("%d rows deleted, %d and some left to the stream, %d deleted twice", job.Deleted, job.Dropped, again)
}

func TestRecoverRefuses(t *testing.T) {
	s := newSource(t)
	_, err := s.recover(false)
	expect(t, err, fault.Usage, "has never run")
	c := s.startStreaming()
	_, err = s.recover(false)
	expect(t, err, fault.Refused, "in use")
	c.finishAfter(s, "INSERT INTO events VALUES (1, 'a', 1)", 1)
	if done, err := s.recover(false); err != nil || done.State != "" || done.Created {
		t.Errorf("nothing is wrong: %+v, %v", done, err)
	}
	if done, err := s.recover(true); err != nil || done.State != fault.GapDetected || !done.Created {
		t.Errorf("a new slot was asked for: %+v, %v", done, err)
	}
}

// TestRecoverALostSlot has the server give up the log that the slot needs.
func TestRecoverALostSlot(t *testing.T) {
	s := newSourceAt(t, stacktest.Postgres(t, map[string]string{"max_slot_wal_keep_size": "1MB", "max_wal_size": "2MB"}).DSN())
	s.withOrders()
	s.gap((*source).loseSlot)
	s.refuses(fault.SlotLost, "penstock recover")
	capture, err := cdc.New(s.cfg, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	no := &fault.Error{Kind: fault.Refused, What: "no"}
	_, err = capture.Recover(t.Context(), false, func(string, string) error { return no })
	expect(t, err, fault.Refused, "no")
	if done, err := s.recover(false); err != nil || done.State != fault.GapDetected || !done.Created {
		t.Fatalf("got %+v, %v", done, err)
	}
	s.recoversAll()
}

// TestASweepIsAskedFor: one table may be held against Kafka at any time, and one whose key cannot be read back is
// refused alone.
func TestASweepIsAskedFor(t *testing.T) {
	s := newSource(t)
	s.withOrders()
	ratios := schema.TableName{Schema: "public", Name: "ratios"}
	s.exec("CREATE TABLE ratios (x float8 PRIMARY KEY)")
	s.cfg.Tables = append(s.cfg.Tables, cdc.Table{Name: ratios, Topic: s.cfg.Name + ".ratios"})
	c := s.startStreaming()
	s.exec(`INSERT INTO orders SELECT '2020-01-01', i, '2020-01-01Z', 'n' FROM generate_series(1, 50) i; INSERT INTO ratios VALUES (0.1)`)
	end := s.logEnd()
	s.exec("INSERT INTO ratios VALUES (0.2)") // which moves the slot
	eventually(t, "the rows are delivered", func() bool { return s.confirmed() >= end })
	c.finish() // it would notice
	s.exec("ALTER PUBLICATION p SET (publish = 'insert, update, truncate')")
	s.exec("DELETE FROM orders WHERE no <= 20") // of which the log tells nothing
	s.exec("ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')")
	c = s.startStreaming()
	if err := cdc.Send(t.Context(), s.cfg, cdc.Command{ID: "sweep", Do: cdc.DoStart, Tables: []schema.TableName{orders, ratios}, Sweep: true}); err != nil {
		t.Fatal(err)
	}
	if job := s.awaitJob(orders, backfill.Done); job.Deleted != 20 || job.Rows != 30 {
		t.Errorf("%d rows deleted, %d read, want 20 and 30", job.Deleted, job.Rows)
	}
	if job := s.awaitJob(ratios, backfill.Failed); !strings.Contains(job.Why, "column x of the key") || !strings.Contains(job.Fix, "penstock backfill start") {
		t.Errorf("why %q, fix %q", job.Why, job.Fix)
	}
	s.command(cdc.DoStart, "rows", "", ratios)
	if job := s.awaitJob(ratios, backfill.Done); job.ID != "rows" || job.Rows != 2 {
		t.Errorf("got %+v", job)
	}
	c.finish()
	values, deleted, _ := compacted(s.all(s.cfg.Name + ".orders"))
	if len(values) != 30 || len(deleted) != 20 {
		t.Errorf("%d orders are left, %d deleted", len(values), len(deleted))
	}
}
