package e2e_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/sink/plan"
	"penstock/sink/redis"
	"penstock/sink/totals"
	"penstock/testdata"
)

// TestTotalsEqualSQL: events come, change, move to other hours and contents and go, a content
// changes its length, and the daemon is killed in the middle of it, again and again. Then
// every total and every board is what a query says, and so it is after a replay from the first record.
func TestTotalsEqualSQL(t *testing.T) {
	const kills, steps = 4, 12
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	d := w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	for range kills {
		for range steps {
			w.exec(totalsStep(random))
		}
		// The sink is in the middle of what was written.
		before := w.carried()
		w.eventually("the sink to go on", func() string {
			if n := w.carried(); n <= before {
				return fmt.Sprintf("%d records carried", n)
			}
			return ""
		})
		w.exec(totalsStep(random))
		d.kill()
		if code := d.exit(); code != -1 {
			t.Fatalf("exit code %d, want death by SIGKILL\n%s", code, d.log)
		}
		d = w.start()
	}
	w.awaitDrained()
	w.awaitTruth()
	w.awaitTotals()
	d.stop()
	w.rewind()
	w.start()
	w.awaitDrained()
	w.awaitTotals()
	// What is gone has left the totals, too.
	w.exec("DELETE FROM engagement_events WHERE id % 2 = 0; TRUNCATE engagement_events; " + totalsStep(random))
	w.awaitDrained()
	w.awaitTruth()
	w.awaitTotals()
}

// totalsStep is SQL that changes some of everything in one transaction.
func totalsStep(random *rand.Rand) string {
	contents := "(ARRAY['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222', '33333333-3333-3333-3333-333333333333', NULL]::uuid[])"
	statements := []string{fmt.Sprintf(`INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device)
		SELECT %s[1 + (random() * 3)::int], md5((random() * 400)::int::text)::uuid, (ARRAY['play', 'pause', 'finish', 'click', NULL])[1 + (random() * 4)::int],
			now() - random() ^ 4 * INTERVAL '9 days', nullif((random() * 2000000)::int, 0), 'web' FROM generate_series(1, %d)`, contents, 1+random.IntN(300))}
	for _, some := range []struct {
		sql string
		in  int
	}{
		{"UPDATE engagement_events SET duration_ms = (random() * 3000000)::int WHERE random() < 0.02", 2},
		{"UPDATE engagement_events SET event_ts = event_ts - random() * INTERVAL '3 hours' WHERE random() < 0.02", 3},
		{"UPDATE engagement_events SET content_id = " + contents + "[1 + (random() * 3)::int] WHERE random() < 0.02", 3},
		{"UPDATE engagement_events SET user_id = NULL, event_type = 'click' WHERE random() < 0.01", 4},
		{"DELETE FROM engagement_events WHERE random() < 0.02", 3},
		{fmt.Sprintf("UPDATE content SET length_seconds = nullif(%d, 0) WHERE id = '11111111-1111-1111-1111-111111111111'", random.IntN(5)*700), 6},
	} {
		if random.IntN(some.in) == 0 {
			statements = append(statements, some.sql)
		}
	}
	return strings.Join(statements, "; ")
}

// countedSQL are the rows that totals are made of, as a query has them.
const countedSQL = `SELECT coalesce(e.content_id, '00000000-0000-0000-0000-000000000000')::text AS content, floor(extract(epoch FROM e.event_ts) / 3600)::bigint AS hour,
	e.event_ts, e.user_id, e.event_type, e.duration_ms,
	round((e.duration_ms::float8 / 1000.0::float8) / nullif(c.length_seconds, 0)::float8 * 1e6)::bigint AS ppm
	FROM engagement_events e LEFT JOIN content c ON c.id = e.content_id`

// totalsTruth are the totals as Postgres computes them, by content and hour; those of whole contents have the hour "whole".
func (w *world) totalsTruth() rows {
	w.t.Helper()
	found, err := w.db.Query(w.t.Context(), `WITH counted AS (`+countedSQL+`)
		SELECT content, coalesce(hour::text, 'whole') AS hour, count(*) AS events, coalesce(sum(duration_ms), 0)::bigint AS millis, count(ppm) AS shares,
			coalesce(sum(ppm), 0)::bigint AS sum, count(DISTINCT user_id) AS users,
			(SELECT array_agg(count ORDER BY bar) FROM (SELECT bar, count(p) FROM generate_series(0, 10) bar LEFT JOIN unnest(array_agg(ppm)) p
				ON bar = width_bucket(p, '{100000,200000,300000,400000,500000,600000,700000,800000,900000,1000000}'::bigint[]) GROUP BY bar) h) AS bars,
			(SELECT coalesce(string_agg(kind || '=' || n, ',' ORDER BY kind), '') FROM (SELECT kind, count(*) AS n FROM unnest(array_agg(event_type)) kind WHERE kind IS NOT NULL GROUP BY kind) k) AS kinds
		FROM counted GROUP BY GROUPING SETS ((content, hour), (content))`)
	if err != nil {
		w.t.Fatal(err)
	}
	type total struct {
		Content, Hour                      string
		Events, Millis, Shares, Sum, Users int64
		Bars                               []int64
		Kinds                              string
	}
	list, err := pgx.CollectRows(found, pgx.RowToStructByName[total])
	if err != nil {
		w.t.Fatal(err)
	}
	out := rows{}
	for _, v := range list {
		out[v.Content+" "+v.Hour] = totalsRow(v.Events, v.Millis, v.Shares, v.Sum, v.Users, v.Bars, v.Kinds)
	}
	return out
}

// decimal prints a number as Python does, but never with an exponent.
func decimal(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

func totalsRow(events, millis, shares, sum, users int64, bars []int64, kinds string) map[string]string {
	row := map[string]string{
		"events": strconv.FormatInt(events, 10), "seconds": decimal(float64(millis) / 1000), "pct_count": strconv.FormatInt(shares, 10),
		"unique_users": strconv.FormatInt(users, 10), "pct_histogram": strings.Trim(strings.ReplaceAll(fmt.Sprint(bars), " ", ","), "[]"), "kinds": kinds,
	}
	if shares > 0 {
		row["pct_mean"] = pythonFloat(float64(sum) / 1e6 / float64(shares))
	}
	return row
}

func kindsOf(byKind map[string]int64) string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		kinds = append(kinds, kind+"="+strconv.FormatInt(byKind[kind], 10))
	}
	return strings.Join(kinds, ",")
}

// totalsInCassandra reads both tables; what is empty is left out.
func (w *world) totalsInCassandra() (rows, error) {
	out := rows{}
	for table, hour := range map[string]string{"engagement_hours": "hour", "engagement_totals": "version"} {
		iter := w.history.Query("SELECT content_id, " + hour + ", events, events_by_type, milliseconds, seconds, pct_count, pct_sum_ppm, pct_mean, pct_histogram, unique_users FROM " + table).IterContext(w.t.Context())
		var (
			content                            gocql.UUID
			at                                 time.Time
			version                            int64
			events, millis, shares, sum, users int64
			seconds                            float64
			mean                               *float64
			bars                               []int64
			kinds                              map[string]int64
		)
		key := any(&at)
		if hour == "version" {
			key = &version
		}
		for iter.Scan(&content, key, &events, &kinds, &millis, &seconds, &shares, &sum, &mean, &bars, &users) {
			if events == 0 {
				continue
			}
			name := content.String() + " whole"
			if hour == "hour" {
				name = content.String() + " " + strconv.FormatInt(at.Unix()/3600, 10)
			}
			row := totalsRow(events, millis, shares, sum, users, bars, kindsOf(kinds))
			row["seconds"] = decimal(seconds) // as readers have them
			delete(row, "pct_mean")
			putFloat(row, "pct_mean", mean)
			out[name] = row
		}
		if err := iter.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// totalsInRedis reads the contents' hashes.
func (w *world) totalsInRedis() (rows, error) {
	out := rows{}
	return out, eachHash(w.t.Context(), w.latest, w.prefix+":content:", func(content string, hash map[string]string) {
		if hash["events"] == "" {
			return
		}
		row, kinds := map[string]string{}, map[string]int64{}
		for field, value := range hash {
			if kind, found := strings.CutPrefix(field, "events:"); found {
				kinds[kind], _ = strconv.ParseInt(value, 10, 64)
			} else if field != "_v" && field != "offset" && field != "partition" {
				row[field] = value
			}
		}
		row["kinds"] = kindsOf(kinds)
		out[content+" whole"] = row
	})
}

// nearly replaces numbers of users in got that are within HyperLogLog's error of those wanted by these.
func nearly(want, got rows) {
	for name, row := range got {
		n, _ := strconv.ParseFloat(want[name]["unique_users"], 64)
		estimate, err := strconv.ParseFloat(row["unique_users"], 64)
		if err == nil && math.Abs(estimate-n) <= 3*totals.StandardError*n {
			row["unique_users"] = want[name]["unique_users"]
		}
	}
}

// awaitTotals waits until the totals of both stores equal SQL, and the boards of every window.
func (w *world) awaitTotals() {
	w.t.Helper()
	want := w.totalsTruth()
	if len(want) < 10 {
		w.t.Fatalf("only %d totals", len(want))
	}
	wholes := maps.Clone(want)
	maps.DeleteFunc(wholes, func(name string, _ map[string]string) bool { return !strings.HasSuffix(name, " whole") })
	for _, store := range []struct {
		name string
		want rows
		read func() (rows, error)
	}{{"cassandra", want, w.totalsInCassandra}, {"redis", wholes, w.totalsInRedis}} {
		w.eventually("the totals in "+store.name+" to equal SQL", func() string {
			got, err := store.read()
			if err != nil {
				return err.Error()
			}
			nearly(store.want, got)
			return difference(store.want, got)
		})
	}
	w.wantBoards()
}

func (w *world) wantBoards() {
	w.t.Helper()
	made := plan.Engagement(schema.TableName{}, schema.TableName{}, w.prefix+":event:")
	s, err := redis.Open(w.t.Context(), redis.Config{Address: w.servers.Redis.Address, Plan: made}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	for _, window := range []redis.Window{redis.TenMinutes, redis.OneHour, redis.OneDay, redis.OneWeek} {
		for by, score := range map[redis.Measure]string{
			redis.ByEvents: "count(*)::float8", redis.BySeconds: "coalesce(sum(duration_ms), 0)::float8 / 1000", redis.ByPct: "sum(ppm)::float8 / 1e6 / count(ppm)",
		} {
			query := `WITH counted AS (` + countedSQL + `) SELECT content, score FROM (SELECT content, ` + strings.ReplaceAll(score, "count(ppm)", "nullif(count(ppm), 0)") + ` AS score FROM counted
				WHERE event_ts >= $1 AND event_ts < $2 AND content <> '00000000-0000-0000-0000-000000000000' GROUP BY content) b WHERE score IS NOT NULL ORDER BY score DESC, content COLLATE "C"`
			found, err := w.db.Query(w.t.Context(), query, window.Begin(now), window.End(now))
			if err != nil {
				w.t.Fatal(err)
			}
			want, err := pgx.CollectRows(found, pgx.RowToStructByName[redis.Rank])
			if err != nil {
				w.t.Fatal(err)
			}
			got, err := s.Board(w.t.Context(), window, by, 10, now)
			if diff := cmp.Diff(want, got); diff != "" || err != nil || len(want) == 0 {
				w.t.Errorf("%v by %s: %v (-SQL +board):\n%s", time.Duration(window), by, err, diff)
			}
		}
	}
}

// ofGroup asks Kafka about the sink's group.
func (w *world) ofGroup(ask func(*kadm.Client) error) {
	w.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.servers.Kafka.Brokers...))
	if err == nil {
		defer cl.Close()
		err = ask(kadm.NewClient(cl))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// carried is how many records the sink has committed.
func (w *world) carried() (offsets int64) {
	w.t.Helper()
	w.ofGroup(func(admin *kadm.Client) error {
		committed, err := admin.FetchOffsets(w.t.Context(), w.topic("group"))
		committed.Each(func(at kadm.OffsetResponse) { offsets += max(at.At, 0) })
		return err
	})
	return offsets
}

// rewind makes the group, which has no members, begin at the first record.
func (w *world) rewind() {
	w.t.Helper()
	w.ofGroup(func(admin *kadm.Client) error {
		starts, err := admin.ListStartOffsets(w.t.Context(), w.topic("input"))
		if err != nil {
			return err
		}
		return admin.CommitAllOffsets(w.t.Context(), w.topic("group"), starts.Offsets())
	})
}
