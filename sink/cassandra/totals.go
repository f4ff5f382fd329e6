package cassandra

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// emptyLife is how long a total that has become empty stays, with 0 events: an older
// write that comes late finds its version.
const emptyLife = 7 * 24 * time.Hour

// totalsColumns are those behind the key: what readers look at, then what totals are
// made of again. Every write sets all of them, at one timestamp.
var totalsColumns = []struct{ name, cql string }{ //nolint:gochecknoglobals // a table that nobody writes to
	{"events", "bigint"}, {"events_by_type", "frozen<map<text, bigint>>"}, {"seconds", "double"}, {"pct_mean", "double"},
	{"pct_histogram", "frozen<list<bigint>>"}, {"unique_users", "bigint"},
	{"milliseconds", "bigint"}, {"pct_count", "bigint"}, {"pct_sum_ppm", "bigint"}, {"sketch", "blob"},
	{"partition", "int"}, {"offset", "bigint"}, {plan.VersionColumn, "bigint"},
}

// minutesColumn is one more of the hours.
const minutesColumn = "minutes"

// totalsTables are the tables of totals with their statements.
type totalsTables struct {
	hours, whole string // keyspace.table, quoted

	putHour, putWhole   string // the timestamp and the time to live come last
	hoursOf, wholeOf    string // read what is written of one join value
	someHours           string // likewise, of hours that are listed
	hoursKey, hoursType string

	counted table  // the history, as far as totals are made of it
	hour    string // reads its rows from one time of a day to another
}

func newTotalsTables(p *plan.Plan, history *table, keyspace string) *totalsTables {
	t := p.Totals
	if t == nil {
		return nil
	}
	join := history.Columns[0]
	out := &totalsTables{
		hours: quoted(keyspace) + "." + quoted(t.Hours), whole: quoted(keyspace) + "." + quoted(t.Whole),
		hoursKey: quoted(join.Name), hoursType: join.CQL(),
	}
	var names []string
	for _, c := range totalsColumns {
		names = append(names, quoted(c.name))
	}
	insert := func(table string, columns []string) string {
		return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ") USING TIMESTAMP ? AND TTL ?"
	}
	out.putHour = insert(out.hours, slices.Concat([]string{out.hoursKey, "hour"}, names, []string{minutesColumn}))
	out.putWhole = insert(out.whole, slices.Concat([]string{out.hoursKey}, names))
	read := strings.Join([]string{
		"events", "events_by_type", "pct_histogram", "unique_users", "milliseconds", "pct_count", "pct_sum_ppm", "sketch",
		quoted("partition"), quoted("offset"), plan.VersionColumn,
	}, ", ")
	out.hoursOf = "SELECT " + read + ", hour, " + minutesColumn + " FROM " + out.hours + " WHERE " + equal(history.Columns[:1])
	out.someHours = out.hoursOf + " AND hour IN ?"
	out.wholeOf = "SELECT " + read + " FROM " + out.whole + " WHERE " + equal(history.Columns[:1])

	out.counted = table{Table: history.Table, name: history.name}
	var kept []string
	for i, c := range history.Columns {
		if c.Lossless() && slices.Contains([]int{t.ID, t.Time, t.Kind, t.User, t.Millis, t.Share}, c.Slot) {
			out.counted.kept, kept = append(out.counted.kept, i), append(kept, quoted(c.Name))
		}
	}
	at := quoted(history.Columns[history.Partition].Name)
	out.hour = "SELECT " + strings.Join(append(kept, plan.VersionColumn), ", ") + " FROM " + history.name + " WHERE " +
		equal(history.Columns[:history.Partition]) + " AND " + at + " >= ? AND " + at + " < ?"
	return out
}

// creates are the statements that create the tables, by their names.
func (t *totalsTables) creates(p *plan.Totals) map[string]string {
	var columns strings.Builder
	for _, c := range totalsColumns {
		columns.WriteString(quoted(c.name) + " " + c.cql + ", ")
	}
	return map[string]string{
		p.Hours: "CREATE TABLE IF NOT EXISTS " + t.hours + " (" + t.hoursKey + " " + t.hoursType + ", hour timestamp, " + columns.String() + minutesColumn +
			" blob, PRIMARY KEY ((" + t.hoursKey + "), hour)) WITH CLUSTERING ORDER BY (hour DESC)",
		p.Whole: "CREATE TABLE IF NOT EXISTS " + t.whole + " (" + t.hoursKey + " " + t.hoursType + ", " + columns.String() + "PRIMARY KEY ((" + t.hoursKey + ")))",
	}
}

const millisOfHour = 60 * 60 * 1000

// totalsEntry is the statement of a PutTotals.
func (s *Store) totalsEntry(v *totals.Value) gocql.BatchEntry {
	var mean *float64
	if share, has := v.Mean(); has {
		mean = &share
	}
	life := 0
	if v.Events == 0 {
		life = int(emptyLife / time.Second)
	}
	values := []any{
		v.Events, v.ByKind, v.Seconds(), mean, v.Histogram[:], v.Users, v.Millis, v.Shares, v.ShareSum, v.Sketch, v.Partition, v.Offset, v.Version,
	}
	if v.Hour == totals.Whole {
		return entry(s.cql.totals.putWhole, slices.Concat([]any{s.joinArg(v.Join)}, values, []any{v.Version, life})...)
	}
	return entry(s.cql.totals.putHour, slices.Concat([]any{s.joinArg(v.Join), v.Hour * millisOfHour}, values, []any{v.AppendMinutes(nil), v.Version, life})...)
}

// Hour reads the rows of an hour of the history. See [sink.TotalsReader].
func (s *Store) Hour(ctx context.Context, join plan.Value, hour int64, visit func([]plan.Stored) error) error {
	t := s.cql.totals
	begin := hour * millisOfHour
	day := time.UnixMilli(begin).UTC().Truncate(24 * time.Hour)
	scanner := s.session.Query(t.hour, s.joinArg(join), day, begin, begin+millisOfHour).Idempotent(true).PageSize(pageRows).IterContext(ctx).Scanner()
	page := make([]plan.Stored, 0, pageRows)
	into := newScanned(&t.counted)
	for scanner.Next() {
		row := s.plan.NewRow()
		if err := errors.Join(scanner.Scan(into.next()...), into.fill(row, 0)); err != nil {
			return s.fault("read an hour of the history", err)
		}
		if page = append(page, plan.Stored{Row: row, Version: into.version}); len(page) == pageRows {
			if err := visit(page); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := scanner.Err(); err != nil {
		return s.fault("read an hour of the history", err)
	}
	if len(page) == 0 {
		return nil
	}
	return visit(page)
}

// Totals reads the totals of a join value. See [sink.TotalsReader].
func (s *Store) Totals(ctx context.Context, join plan.Value, hours []int64, visit func(*totals.Value) error) error {
	t := s.cql.totals
	var v totals.Value
	var histogram []int64
	var minutes []byte
	var hour time.Time
	dests := []any{
		&v.Events, &v.ByKind, &histogram, &v.Users, &v.Millis, &v.Shares, &v.ShareSum, &v.Sketch, &v.Partition, &v.Offset, &v.Version,
	}
	begins := make([]int64, len(hours))
	for i, hour := range hours {
		begins[i] = hour * millisOfHour
	}
	for _, query := range []string{t.wholeOf, t.hoursOf} {
		into, id, args := dests, totals.ID{Join: join, Hour: totals.Whole}, []any{s.joinArg(join)}
		if query == t.hoursOf {
			into = append(slices.Clone(dests), &hour, &minutes)
			if hours != nil {
				query, args = t.someHours, append(args, begins)
			}
		}
		whole := query == t.wholeOf
		scanner := s.session.Query(query, args...).Idempotent(true).PageSize(pageRows).IterContext(ctx).Scanner()
		for scanner.Next() {
			v, histogram, minutes = totals.Value{}, nil, nil
			err := scanner.Scan(into...)
			if copy(v.Histogram[:], histogram); !whole {
				id.Hour = hour.UnixMilli() / millisOfHour
				err = errors.Join(err, v.ParseMinutes(minutes))
			}
			if err != nil {
				return s.fault("read totals", err)
			}
			v.ID = id
			if err := visit(&v); err != nil {
				return err
			}
		}
		if err := scanner.Err(); err != nil {
			return s.fault("read totals", err)
		}
	}
	return nil
}

// EachTotal visits every total that is written, of all join values, each as for
// [sink.TotalsReader]: what else was lost of it, as of Redis, can be written again of it.
func (s *Store) EachTotal(ctx context.Context, visit func(*totals.Value) error) error {
	if s.cql.totals == nil {
		return nil
	}
	return s.Joins(ctx, func(joins []plan.Value) error {
		for _, join := range joins {
			if err := s.Totals(ctx, join, nil, visit); err != nil {
				return err
			}
		}
		return nil
	})
}

var _ sink.TotalsReader = (*Store)(nil)
