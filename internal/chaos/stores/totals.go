package stores

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// bars is how many the histogram of a total has.
const bars = 11

// kinds are the types of the load's events.
func kinds() []string { return []string{"play", "pause", "finish", "click"} }

// sums are one total, as a text that two equal ones share, and how many events and users it counts.
type sums struct {
	text          string
	events, users int64
}

// usersError is the standard error of an estimate of 2^14 registers, as a fraction, and usersOff how many
// of it one may be off: of a million estimates less than one is.
const usersError, usersOff = 0.0081, 5

// offUsers reports whether an estimate is further from the truth than it may be: of few users it is nearly exact.
func offUsers(estimate, truth int64) bool {
	return math.Abs(float64(estimate-truth)) > max(2, usersOff*usersError*float64(truth))
}

func newSums(events, users, millis, shares, shareSum int64, histogram []int64, byKind map[string]int64) sums {
	var text strings.Builder
	fmt.Fprintf(&text, "events=%d milliseconds=%d pct_count=%d pct_sum_ppm=%d histogram=%v", events, millis, shares, shareSum, histogram)
	for _, kind := range kinds() {
		fmt.Fprintf(&text, " %s=%d", kind, byKind[kind])
	}
	return sums{text.String(), events, users}
}

// countedSQL is what each event counts: milliseconds, and its pct in parts per million.
const countedSQL = `
	SELECT e.content_id, e.user_id, event_type, event_ts, duration_ms, round(duration_ms / 1000.0::float8 / nullif(length_seconds, 0) * 1e6)::bigint AS ppm
	FROM engagement_events e LEFT JOIN content c ON c.id = e.content_id`

// totalsTruth is the totals as Postgres computes them, by content and hour (milliseconds
// since the Unix epoch).
func totalsTruth() string {
	var columns strings.Builder
	for bar := range bars {
		fmt.Fprintf(&columns, ", count(*) FILTER (WHERE ppm IS NOT NULL AND least(greatest(ppm, 0) / 100000, %d) = %d)", bars-1, bar)
	}
	for _, kind := range kinds() {
		fmt.Fprintf(&columns, ", count(*) FILTER (WHERE event_type = '%s')", kind)
	}
	return `SELECT content, hour, count(*), count(DISTINCT user_id), coalesce(sum(duration_ms), 0)::bigint,
			count(ppm), coalesce(sum(ppm), 0)::bigint` + columns.String() + `
		FROM (SELECT *, coalesce(content_id, '00000000-0000-0000-0000-000000000000')::text AS content,
			(floor(extract(epoch FROM event_ts) / 3600) * 3600000)::bigint AS hour FROM (` + countedSQL + `) counted) placed
		GROUP BY GROUPING SETS ((content, hour), (content))`
}

// whole stands for the total of a content over its hours.
const whole int64 = -1

// totalID names a total.
type totalID struct {
	content string
	hour    int64
}

func (id totalID) String() string {
	if id.hour == whole {
		return id.content
	}
	return id.content + " at " + time.UnixMilli(id.hour).UTC().Format(time.RFC3339)
}

// totals asks the source for them.
func (s *Stores) totals(ctx context.Context) (map[totalID]sums, error) {
	conn, err := pgx.Connect(ctx, s.target.DSN)
	if err != nil {
		return nil, fmt.Errorf("connect to the source: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, totalsTruth())
	if err != nil {
		return nil, fmt.Errorf("ask the source for totals: %w", err)
	}
	defer rows.Close()
	out := map[totalID]sums{}
	for rows.Next() {
		var id totalID
		var hour *int64
		numbers := make([]int64, 5+bars+len(kinds()))
		into := []any{&id.content, &hour}
		for i := range numbers {
			into = append(into, &numbers[i])
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("ask the source for totals: %w", err)
		}
		if id.hour = whole; hour != nil {
			id.hour = *hour
		}
		byKind := map[string]int64{}
		for i, kind := range kinds() {
			byKind[kind] = numbers[5+bars+i]
		}
		out[id] = newSums(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5:5+bars], byKind)
	}
	return out, rows.Err()
}

// checkTotals holds the totals in both stores against SQL. One that has become empty
// may be there.
func (c *check) checkTotals(ctx context.Context, s *Stores, prefix string) error {
	want, err := s.totals(ctx)
	if err != nil {
		return err
	}
	there := map[totalID]bool{}
	hold := func(where string, id totalID, got sums) {
		there[id] = true
		if truth, known := want[id]; known && got.text != truth.text || !known && got.events != 0 {
			c.verdict.report(Totals, "%s: %s has %s, SQL has %s", where, id, got.text, truth.text)
		} else if offUsers(got.users, truth.users) {
			c.verdict.report(Totals, "%s: %s has %d users, SQL has %d", where, id, got.users, truth.users)
		}
	}
	for _, table := range []string{"engagement_hours", "engagement_totals"} {
		if err := s.eachTotal(ctx, table, func(id totalID, got sums) { hold(table, id, got) }); err != nil {
			return err
		}
	}
	for id := range want {
		if !there[id] {
			c.verdict.report(Totals, "the total of %s is not in Cassandra", id)
		}
	}
	clear(there)
	err = s.hashes(ctx, prefix, func(h hash) {
		id := totalID{h.id, whole}
		if got, ok := hashSums(&h, want[id].text); ok {
			hold("redis", id, got)
		} else {
			c.verdict.report(Totals, "redis: the total of %s is %v", id, h.fields)
		}
	})
	for id := range want {
		if id.hour == whole && !there[id] {
			c.verdict.report(Totals, "the total of %s is not in Redis", id)
		}
	}
	return err
}

// eachTotal visits the rows of a table of totals.
func (s *Stores) eachTotal(ctx context.Context, table string, visit func(totalID, sums)) error {
	hours := table == "engagement_hours"
	columns := "content_id, events, unique_users, milliseconds, pct_count, pct_sum_ppm, pct_histogram, events_by_type"
	if hours {
		columns += ", hour"
	}
	rows := s.session.Query("SELECT " + columns + " FROM " + s.target.Keyspace + "." + table).PageSize(pageRows).IterContext(ctx).Scanner()
	for rows.Next() {
		id := totalID{hour: whole}
		var events, users, millis, shares, shareSum int64
		var histogram []int64
		var byKind map[string]int64
		var hour time.Time
		into := []any{&id.content, &events, &users, &millis, &shares, &shareSum, &histogram, &byKind}
		if hours {
			into = append(into, &hour)
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", table, err)
		}
		if hours {
			id.hour = hour.UnixMilli()
		}
		visit(id, newSums(events, users, millis, shares, shareSum, histogram, byKind))
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

// hashSums reads a total's hash, which has no sum of parts per million: that is taken
// from the truth, since the mean is not exact. A tombstone is that of no events.
func hashSums(h *hash, truth string) (sums, bool) {
	if h.fields["_d"] == "1" {
		return sums{text: "no events"}, true
	}
	number := func(field string) int64 {
		n, err := strconv.ParseInt(h.fields[field], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	seconds, err := strconv.ParseFloat(h.fields["seconds"], 64)
	var histogram []int64
	for text := range strings.SplitSeq(h.fields["pct_histogram"], ",") {
		n, barErr := strconv.ParseInt(text, 10, 64)
		if barErr != nil {
			err = barErr
		}
		histogram = append(histogram, n)
	}
	byKind := map[string]int64{}
	for _, kind := range kinds() {
		byKind[kind] = number("events:" + kind)
	}
	var shareSum int64
	for field := range strings.FieldsSeq(truth) {
		if text, found := strings.CutPrefix(field, "pct_sum_ppm="); found {
			shareSum, _ = strconv.ParseInt(text, 10, 64)
		}
	}
	return newSums(number("events"), number("unique_users"), int64(seconds*1000+0.5), number("pct_count"), shareSum, histogram, byKind), err == nil
}
