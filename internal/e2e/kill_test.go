package e2e_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/record"
	"penstock/testdata"
)

// TestKillInTheMiddle kills the daemon again and again while 50,000 rows are
// written, and then wants every change exactly once, in order, in Kafka, and
// both stores equal to SQL.
func TestKillInTheMiddle(t *testing.T) {
	const total, kills = 50_000, 5
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	w := newWorld(t)
	w.keepHistory()
	d := w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	wait := w.startLoad(total, seed)
	for killed := range kills {
		target := int64(killed*total/kills + random.IntN(total/kills))
		w.eventually("the load to be delivered", func() string {
			if n := w.delivered(); n <= target {
				return fmt.Sprintf("%d records in the topic, want more than %d", n, target)
			}
			return ""
		})
		d.kill()
		if code := d.exit(); code != -1 {
			t.Fatalf("kill %d: exit code %d, want death by SIGKILL\n%s", killed, code, d.log)
		}
		t.Logf("killed with %d of at least %d records in the topic", w.delivered(), total)
		d = w.start()
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	t.Log("the load has ended")
	w.awaitDrained()
	w.awaitTruth()
	d.stop()
	if diff := cmp.Diff(w.historyOps(), w.topicOps()); diff != "" {
		t.Errorf("operations by event id (-history +topic):\n%.2000s", diff)
	}
}

// keepHistory makes Postgres itself write down every change of an event, in the
// same transaction: the oracle that the topic is held against.
func (w *world) keepHistory() {
	w.t.Helper()
	w.exec(`
		CREATE TABLE history (seq bigserial PRIMARY KEY, op text NOT NULL, id bigint NOT NULL);
		CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO history (op, id) VALUES (
				CASE TG_OP WHEN 'INSERT' THEN 'c' WHEN 'UPDATE' THEN 'u' ELSE 'd' END, coalesce(NEW.id, OLD.id));
			RETURN NULL;
		END $$;
		CREATE TRIGGER remember AFTER INSERT OR UPDATE OR DELETE ON engagement_events
			FOR EACH ROW EXECUTE FUNCTION remember()`)
}

// startLoad writes total new events in transactions of 1 to 400 rows, and
// changes and deletes some of them. The returned function awaits its end.
func (w *world) startLoad(total int, seed uint64) (wait func() error) {
	w.t.Helper()
	db, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		err := w.load(db, total, rand.New(rand.NewPCG(seed, 1)))
		if closeErr := db.Close(w.t.Context()); err == nil {
			err = closeErr
		}
		done <- err
	}()
	return func() error {
		select {
		case err := <-done:
			return err
		case <-time.After(deadline):
			return fmt.Errorf("the load did not end within %s", deadline)
		}
	}
}

func (w *world) load(db *pgx.Conn, total int, random *rand.Rand) error {
	for written := 0; written < total; {
		n := min(1+random.IntN(400), total-written)
		statements := []string{fmt.Sprintf(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
			SELECT (ARRAY['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222',
				'33333333-3333-3333-3333-333333333333', NULL]::uuid[])[1 + i %% 4],
				gen_random_uuid(), 'play', now() - i * INTERVAL '1 minute', nullif(i %% 50, 0) * 1000, 'web', jsonb_build_object('n', i)
			FROM generate_series(1, %d) i`, n)}
		if random.IntN(3) == 0 {
			statements = append(statements, "UPDATE engagement_events SET duration_ms = 1 WHERE id > currval('engagement_events_id_seq') - 5")
		}
		if random.IntN(5) == 0 {
			statements = append(statements, "DELETE FROM engagement_events WHERE id = currval('engagement_events_id_seq') - 1")
		}
		// One simple query is one transaction.
		if _, err := db.Exec(w.t.Context(), strings.Join(statements, "; ")); err != nil {
			return fmt.Errorf("after %d rows: %w", written, err)
		}
		written += n
	}
	return nil
}

// awaitDrained waits, at little cost to the servers, until the daemon has had
// everything that is committed now.
func (w *world) awaitDrained() {
	w.t.Helper()
	var end string
	if err := w.db.QueryRow(w.t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&end); err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the slot to be confirmed up to "+end, func() string {
		var behind int64
		const query = "SELECT $1::pg_lsn - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $2"
		if err := w.db.QueryRow(w.t.Context(), query, end, w.slot()).Scan(&behind); err != nil {
			return err.Error()
		}
		if behind > 0 {
			return fmt.Sprintf("%d bytes behind", behind)
		}
		return ""
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.servers.Kafka.Brokers...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	// The markers of the last transactions take up offsets that no consumer
	// commits. Whether the last records have arrived too is for awaitTruth.
	const markers = 8
	w.eventually("the sink to commit the last offsets", func() string {
		lag, err := w.lag(admin)
		if err != nil {
			return err.Error()
		}
		if lag > markers {
			return fmt.Sprintf("%d records behind", lag)
		}
		return ""
	})
}

// lag is how many offsets of its topic the sink has yet to commit. kadm's own Lag
// is 0 while the group rebalances, as it does for long after a kill.
func (w *world) lag(admin *kadm.Client) (lag int64, err error) {
	ends, err := admin.ListEndOffsets(w.t.Context(), w.topic("input"))
	if err != nil {
		return 0, err
	}
	committed, err := admin.FetchOffsets(w.t.Context(), w.topic("group"))
	if err != nil {
		return 0, err
	}
	ends.Each(func(end kadm.ListedOffset) {
		at, _ := committed.Lookup(end.Topic, end.Partition) // none: from the first on
		lag += end.Offset - max(at.At, 0)
		err = errors.Join(err, end.Err, at.Err)
	})
	return lag, err
}

// delivered counts the records in the topic, committed or not.
func (w *world) delivered() int64 {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.servers.Kafka.Brokers...))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(w.t.Context(), w.topic("engagement_events"))
	if err != nil {
		w.t.Fatal(err)
	}
	var sum int64
	ends.Each(func(o kadm.ListedOffset) { sum += max(o.Offset, 0) })
	return sum
}

// historyOps is what happened to each event, in order, by Postgres' own account:
// "cud" was written, changed and deleted.
func (w *world) historyOps() map[int64]string {
	w.t.Helper()
	found, err := w.db.Query(w.t.Context(), "SELECT id, string_agg(op, '' ORDER BY seq) AS ops FROM history GROUP BY id")
	if err != nil {
		w.t.Fatal(err)
	}
	type entry struct {
		ID  int64
		Ops string
	}
	entries, err := pgx.CollectRows(found, pgx.RowToStructByName[entry])
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[int64]string{}
	for _, e := range entries {
		out[e.ID] = e.Ops
	}
	return out
}

// topicOps is the same by the account of a read-committed consumer.
func (w *world) topicOps() map[int64]string {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.servers.Kafka.Brokers...), kgo.ConsumeTopics(w.topic("engagement_events")),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	out, read := map[int64]string{}, map[int32]int64{}
	for admin := kadm.NewClient(cl); !w.readAll(admin, read); {
		fetches := cl.PollFetches(w.t.Context())
		if err := fetches.Err(); err != nil {
			w.t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			read[r.Partition] = r.Offset + 1
			if r.Attrs.IsControl() || r.Value == nil {
				continue
			}
			change, err := record.Parse(r.Value)
			if err != nil {
				w.t.Fatalf("partition %d, offset %d: %v", r.Partition, r.Offset, err)
			}
			var id int64
			if _, err := fmt.Sscanf(string(r.Key), `{"id":%d}`, &id); err != nil {
				w.t.Fatalf("partition %d, offset %d: key %s: %v", r.Partition, r.Offset, r.Key, err)
			}
			out[id] += string(rune(change.Op))
		}
	}
	return out
}

// readAll reports whether everything is read, and that nothing is left open:
// the last stable offset has reached the high watermark.
func (w *world) readAll(admin *kadm.Client, read map[int32]int64) bool {
	w.t.Helper()
	stable, err := admin.ListCommittedOffsets(w.t.Context(), w.topic("engagement_events"))
	if err != nil {
		w.t.Fatal(err)
	}
	high, err := admin.ListEndOffsets(w.t.Context(), w.topic("engagement_events"))
	if err != nil {
		w.t.Fatal(err)
	}
	all := true
	high.Each(func(o kadm.ListedOffset) {
		if s, _ := stable.Lookup(o.Topic, o.Partition); s.Offset != o.Offset {
			w.t.Fatalf("partition %d: a transaction is open at offset %d, the end is %d", o.Partition, s.Offset, o.Offset)
		}
		all = all && read[o.Partition] >= o.Offset
	})
	return all
}
