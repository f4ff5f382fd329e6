package stores

import (
	"context"
	"crypto/md5"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/workload"
	"penstock/internal/stack/stacktest"
)

var preset = Engagement()

func TestMain(m *testing.M) { stacktest.Main(m) }

// written is the version of every row of the test, and again that of a later change of its content.
const written, again = 1_795_831_589_367_063, 1_795_831_589_367_099

const sound = `
	INSERT INTO content VALUES (content_of(1), 'one', 'Title ‘1’', 'video', 600, '2026-01-01 00:00:00.000001+00'), (content_of(2), 'two', 'Two', NULL, NULL, '2026-01-01 00:00:00+00');
	INSERT INTO engagement_events VALUES
		(18014398509481985, content_of(1), md5('u')::uuid, 'play', '2026-03-01 23:59:59.999999+00', 1500, 'ios', '{"a": 1}'),
		(2, content_of(2), NULL, 'pause', '2026-03-01 00:00:00+00', NULL, NULL, NULL),
		(3, NULL, NULL, 'click', '2026-03-02 00:00:00.5+00', 60000, 'web', 'null'),
		(4, content_of(1), NULL, 'click', '2026-03-02 00:00:00.0005+00', 600000, 'web', NULL)`

const tables = `
	CREATE TABLE engagement_metrics (content_id uuid, day date, event_ts timestamp, event_id bigint, event_ts_us bigint, user_id uuid, event_type text,
		duration_ms bigint, device text, raw_payload text, engagement_seconds double, engagement_pct double, content_type text, slug text, title text,
		length_seconds bigint, version bigint, PRIMARY KEY ((content_id, day), event_ts, event_id));
	CREATE TABLE engagement_by_event (event_id bigint PRIMARY KEY, content_id uuid, event_ts timestamp, event_ts_us bigint, user_id uuid, event_type text,
		duration_ms bigint, device text, raw_payload text, engagement_seconds double, engagement_pct double, content_type text, slug text, title text,
		length_seconds bigint, version bigint);
	CREATE TABLE content (content_id uuid PRIMARY KEY, slug text, title text, content_type text, length_seconds bigint, publish_ts_us bigint, version bigint);
	CREATE TABLE engagement_hours (content_id uuid, hour timestamp, events bigint, unique_users bigint, milliseconds bigint, pct_count bigint, pct_sum_ppm bigint,
		pct_histogram frozen<list<bigint>>, events_by_type frozen<map<text, bigint>>, PRIMARY KEY (content_id, hour));
	CREATE TABLE engagement_totals (content_id uuid PRIMARY KEY, events bigint, unique_users bigint, milliseconds bigint, pct_count bigint, pct_sum_ppm bigint,
		pct_histogram frozen<list<bigint>>, events_by_type frozen<map<text, bigint>>)`

// What the sound events add up to: in Cassandra, and in Redis.
const (
	none = "00000000-0000-0000-0000-000000000000"

	hoursOf = `
	(%[1]s, '2026-03-01 23:00:00+0000', 1, 1, 1500, 1, 2500, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], {'play': 1});
	(%[1]s, '2026-03-02 00:00:00+0000', 1, 0, 600000, 1, 1000000, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], {'click': 1});
	(%[2]s, '2026-03-01 00:00:00+0000', 1, 0, 0, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], {'pause': 1});
	(` + none + `, '2026-03-02 00:00:00+0000', 1, 0, 60000, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], {'click': 1})`
	totalsOf = `
	(%[1]s, 2, 1, 601500, 2, 1002500, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], {'play': 1, 'click': 1});
	(%[2]s, 1, 0, 0, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], {'pause': 1});
	(` + none + `, 1, 0, 60000, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], {'click': 1})`
	hashesOf = `
	%[1]s events 2 unique_users 1 seconds 601.5 pct_count 2 pct_histogram 1,0,0,0,0,0,0,0,0,0,1 events:play 1 events:click 1;
	%[2]s events 1 seconds 0 pct_count 0 pct_histogram 0,0,0,0,0,0,0,0,0,0,0 events:pause 1;
	` + none + ` events 1 seconds 60 pct_count 0 pct_histogram 0,0,0,0,0,0,0,0,0,0,0 events:click 1;
	99999999-9999-9999-9999-999999999999 _d 1`
)

// TestInjuriesAreFound writes the stores as they must be, which passes, and then hurts
// them one by one.
func TestInjuriesAreFound(t *testing.T) {
	s, past := prepared(t)
	hurt := true // Cassandra holds something else than it must
	for _, c := range []struct {
		name   string
		cql    string   // the injury in Cassandra, or
		redis  []string // in Redis: a command with the key's event behind its name
		kind   ledger.Kind
		detail string // of the problem
	}{
		{name: "nothing is wrong"},
		{"a field differs", "UPDATE engagement_by_event USING TIMESTAMP %d SET device = 'tv' WHERE event_id = 3", nil, Differing, `device is "tv", SQL has "web"`},
		{"a NULL is not", "UPDATE engagement_by_event USING TIMESTAMP %d SET title = 'x' WHERE event_id = 3", nil, Differing, `title is "x", SQL has "NULL"`},
		{"a row is missing", "DELETE FROM engagement_by_event USING TIMESTAMP %d WHERE event_id = 3", nil, Missing, "engagement_by_event: 3 is not there"},
		{"a row is left over", "INSERT INTO engagement_by_event (event_id, version) VALUES (9, 1) USING TIMESTAMP 1", nil, Extra, "9 is there"},
		{
			"a row stands at its old place, too",
			"INSERT INTO engagement_metrics (content_id, day, event_ts, event_id, version) VALUES (00000000-0000-0000-0000-000000000000, '2026-03-01', 0, 3, 1) USING TIMESTAMP 1",
			nil, Extra, "3 is there twice",
		},
		{"a cell was written at another time", "UPDATE content USING TIMESTAMP %d SET slug = 'two' WHERE content_id = " + contentUUID("content 2"), nil, WriteTime, "slug was written at"},
		{"a version is nobody's", "", []string{"HSET", "2", "_v", fmt.Sprintf("%020d", again+1)}, Unknown, "which is neither its own"},
		{"a version is old", "", []string{"HSET", "3", "_v", fmt.Sprintf("%020d", 5)}, Stale, "3 has version 5"},
		{"a version is short", "", []string{"HSET", "3", "_v", "5"}, Differing, `3 has version "5"`},
		{"a field of a hash differs", "", []string{"HSET", "4", "engagement_seconds_str", "600"}, Differing, `engagement_seconds_str is "600", SQL has "600.0"`},
		{"a field of a hash is missing", "", []string{"HDEL", "4", "title"}, Differing, `title is "NULL"`},
		{"a field of a hash is left over", "", []string{"HSET", "4", "raw", "1"}, Differing, "field raw is there"},
		{"a hash is missing", "", []string{"DEL", "4"}, Missing, "redis: 4 is not there"},
		{"an event has a tombstone", "", []string{"HSET", "4", "_d", "1"}, Missing, "redis: 4 is not there"},
		{"a hash is left over", "", []string{"HSET", "7", "_v", fmt.Sprintf("%020d", written)}, Extra, "redis: 7 is there"},
		{
			"an hour differs", "UPDATE engagement_hours SET events = 2 WHERE content_id = " + none + " AND hour = '2026-03-02 00:00:00+0000'", nil, Totals,
			"engagement_hours: " + none + " at 2026-03-02T00:00:00Z has events=2",
		},
		{"an hour is missing", "DELETE FROM engagement_hours WHERE content_id = " + none, nil, Totals, "the total of " + none + " at 2026-03-02T00:00:00Z is not in Cassandra"},
		{"a total is left over", "INSERT INTO engagement_totals (content_id, events) VALUES (99999999-9999-9999-9999-999999999999, 1)", nil, Totals, "has events=1"},
		{"a total of a hash differs", "", []string{"HSET", "../content:" + none, "events:click", "2"}, Totals, "redis: " + none + " has events=1"},
		{
			"the users of an hour are miscounted",
			"UPDATE engagement_hours SET unique_users = 3 WHERE content_id = " + contentUUID("content 2") + " AND hour = '2026-03-01 00:00:00+0000'", nil, Totals,
			"at 2026-03-01T00:00:00Z has 3 users, SQL has 0",
		},
		{"the users of a hash are miscounted", "", []string{"HSET", "../content:" + contentUUID("content 1"), "unique_users", "4"}, Totals, "has 4 users, SQL has 1"},
		{"a total has a tombstone", "", []string{"HSET", "../content:" + none, "_d", "1"}, Totals, "redis: " + none + " has no events"},
		{"a total of a hash is missing", "", []string{"DEL", "../content:" + none}, Totals, "the total of " + none + " is not in Redis"},
		{"a tombstone is old", "", []string{"HSET", "8", "_v", fmt.Sprintf("%020d", 5), "_d", "1"}, Stale, "the tombstone of 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fill(t, s, hurt)
			hurt = c.cql != ""
			if c.cql != "" {
				execute(t, s, strings.ReplaceAll(c.cql, "%d", fmt.Sprint(again+1)))
			}
			if c.redis != nil {
				command(t, s, append([]string{c.redis[0], s.key(c.redis[1])}, c.redis[2:]...)...)
			}
			v, err := s.target.Check(t.Context(), &preset, past)
			switch {
			case err != nil:
				t.Fatal(err)
			case c.kind == "" && (v.Differences() > 0 || v.Rows != 4 || v.Lookups != 2 || v.Tombstones != 1):
				t.Errorf("got %+v, want nothing wrong with 4 events, 2 contents, 1 tombstone", v)
			case c.kind != "" && (v.Found[c.kind] == 0 || !strings.Contains(strings.Join(v.Problems, "\n"), c.detail)):
				t.Errorf("got %+v, want %s: %s", v, c.kind, c.detail)
			}
		})
	}
}

// TestPastKnowsDisorder wants versions to rise within a partition, and a change with
// two records to count once.
func TestPastKnowsDisorder(t *testing.T) {
	p := NewPast(&preset)
	for i, version := range []int64{5, 7, 7} {
		r := recordOf("engagement_events", "1", "u", version)
		r.Offset = int64(i)
		if err := p.Take(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.disorder) != 1 || p.Changes != 2 || p.Ends[0] != 3 {
		t.Errorf("disorder %q, %d changes, ends %v", p.disorder, p.Changes, p.Ends)
	}
	if err := p.Take(&kgo.Record{Value: []byte("{}")}); err == nil {
		t.Error("a record without coordinates is taken")
	}
}

// prepared makes source and tables, and the past of what is in them.
func prepared(t *testing.T) (*Stores, *Past) {
	t.Helper()
	servers := stacktest.Servers(t)
	target := Target{
		DSN: stacktest.Database(t), Hosts: servers.Cassandra.Hosts, Username: servers.Cassandra.Username, Password: servers.Cassandra.Password,
		Keyspace: stacktest.Keyspace(t), Redis: servers.Redis.Address, Prefixes: map[string]string{preset.Name: stacktest.Prefix(t) + ":event:"},
	}
	if err := workload.SetupEngagement(t.Context(), target.DSN); err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), target.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	if _, err := db.Exec(t.Context(), sound); err != nil {
		t.Fatal(err)
	}
	s, err := Open(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for create := range strings.SplitSeq(tables, ";") {
		execute(t, s, strings.Replace(create, "TABLE ", "TABLE "+target.Keyspace+".", 1))
	}
	past := NewPast(&preset)
	for _, id := range []string{"18014398509481985", "2", "3", "4"} {
		take(t, past, recordOf("engagement_events", id, "c", written))
	}
	take(t, past, recordOf("engagement_events", "8", "d", written))
	for _, n := range []string{"1", "2"} {
		take(t, past, recordOf("content", `"`+contentUUID("content "+n)+`"`, "u", again))
	}
	past.disorder = nil // all lie in one partition here
	return s, past
}

func take(t *testing.T, p *Past, r *kgo.Record) {
	t.Helper()
	if err := p.Take(r); err != nil {
		t.Fatal(err)
	}
}

func recordOf(table, id, op string, version int64) *kgo.Record {
	return &kgo.Record{
		Value: fmt.Appendf(nil, `{"before":{"id":%s},"after":null,"source":{"schema":"public","table":%q},"op":%q}`, id, table, op),
		Headers: []kgo.RecordHeader{
			{Key: "penstock.version", Value: fmt.Append(nil, version)}, {Key: "penstock.lsn", Value: []byte("0/1")}, {Key: "penstock.seq", Value: fmt.Append(nil, version)},
		},
	}
}

// fill writes both stores as SQL has it: event 2 at its content's version, the others at their own.
func fill(t *testing.T, s *Stores, hurt bool) {
	t.Helper()
	truth, err := s.truth(t.Context(), &preset)
	if err != nil {
		t.Fatal(err)
	}
	events, contentRows := truth[eventTruth], truth[contentTruth]
	if hurt {
		fillCassandra(t, s, events, contentRows)
	}
	command(t, s, "DEL", s.prefix()+"7")
	command(t, s, "DEL", s.prefix()+"8")
	command(t, s, "HSET", s.prefix()+"8", "_v", fmt.Sprintf("%020d", written), "_d", "1")
	for line := range strings.SplitSeq(fmt.Sprintf(hashesOf, contentUUID("content 1"), contentUUID("content 2")), ";") {
		words := strings.Fields(line)
		key := s.key("../content:" + words[0])
		command(t, s, "DEL", key)
		command(t, s, append([]string{"HSET", key, "_v", fmt.Sprintf("%020d", again)}, words[1:]...)...)
	}
	for id, row := range events {
		command(t, s, "DEL", s.prefix()+id)
		set := []string{"HSET", s.prefix() + id, "_v", fmt.Sprintf("%020d", versionOf(id))}
		for name, field := range hashFields() {
			if row[field] != null {
				set = append(set, name, row[field])
			}
		}
		command(t, s, set...)
	}
}

func fillCassandra(t *testing.T, s *Stores, events, contentRows rows) {
	t.Helper()
	lookups, history, view := contents(), metrics(), byEvent()
	for _, table := range []table{lookups, history, view} {
		execute(t, s, "TRUNCATE "+s.target.Keyspace+"."+table.name)
	}
	for _, row := range contentRows {
		insert(t, s, &lookups, row, again)
	}
	for table, rows := range map[string]string{"engagement_hours (content_id, hour, ": hoursOf, "engagement_totals (content_id, ": totalsOf} {
		execute(t, s, "TRUNCATE "+s.target.Keyspace+"."+strings.Fields(table)[0])
		for row := range strings.SplitSeq(fmt.Sprintf(rows, contentUUID("content 1"), contentUUID("content 2")), ";") {
			execute(t, s, "INSERT INTO "+table+"events, unique_users, milliseconds, pct_count, pct_sum_ppm, pct_histogram, events_by_type) VALUES "+row)
		}
	}
	for id, row := range events {
		insert(t, s, &history, row, versionOf(id))
		insert(t, s, &view, row, versionOf(id))
	}
}

func versionOf(id string) int64 {
	if id == "2" {
		return again
	}
	return written
}

func insert(t *testing.T, s *Stores, to *table, row fields, version int64) {
	t.Helper()
	names, values := []string{"version"}, []string{fmt.Sprint(version)}
	for _, c := range to.columns {
		value := row[c.field]
		switch {
		case value == null:
			value = "NULL"
		case c.form == asText && c.name != "content_id" && c.name != "user_id":
			value = "'" + strings.ReplaceAll(value, "'", "''") + "'"
		}
		names, values = append(names, c.name), append(values, value)
	}
	execute(t, s, fmt.Sprintf("INSERT INTO %s.%s (%s) VALUES (%s) USING TIMESTAMP %d",
		s.target.Keyspace, to.name, strings.Join(names, ", "), strings.Join(values, ", "), version))
}

func execute(t *testing.T, s *Stores, cql string) {
	t.Helper()
	for _, name := range []string{"engagement_metrics", "engagement_by_event", "content", "engagement_hours", "engagement_totals"} {
		for _, verb := range []string{"UPDATE ", "FROM ", "INTO "} {
			cql = strings.Replace(cql, verb+name+" ", verb+s.target.Keyspace+"."+name+" ", 1)
		}
	}
	if err := s.session.Query(cql).ExecContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
}

func command(t *testing.T, s *Stores, args ...string) {
	t.Helper()
	if err := s.redis.Do(t.Context(), s.redis.B().Arbitrary(args...).Build()).Error(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// prefix is what the keys of the events begin with.
func (s *Stores) prefix() string { return s.target.Prefixes[preset.Name] }

// key is the key of an event's hash; what begins with ../ lies beside the events.
func (s *Stores) key(name string) string {
	if beside, found := strings.CutPrefix(name, "../"); found {
		return strings.TrimSuffix(s.prefix(), "event:") + beside
	}
	return s.prefix() + name
}

// contentUUID is content_of's uuid.
func contentUUID(text string) string {
	sum := md5.Sum([]byte(text))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:])
}
