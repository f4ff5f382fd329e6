package cassandra_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/google/go-cmp/cmp"
)

// presetTables are the preset's tables as readers know them.
const presetTables = `
CREATE TABLE engagement_metrics (
    content_id         uuid,
    day                date,
    event_ts           timestamp,
    event_id           bigint,
    event_ts_us        bigint,
    user_id            uuid,
    event_type         text,
    duration_ms        bigint,
    device             text,
    raw_payload        text,
    engagement_seconds double,
    engagement_pct     double,
    content_type       text,
    slug               text,
    title              text,
    length_seconds     bigint,
    version            bigint,
    PRIMARY KEY ((content_id, day), event_ts, event_id)
) WITH CLUSTERING ORDER BY (event_ts ASC, event_id ASC);

CREATE TABLE engagement_by_event (
    event_id           bigint PRIMARY KEY,
    content_id         uuid,
    event_ts           timestamp,
    event_ts_us        bigint,
    user_id            uuid,
    event_type         text,
    duration_ms        bigint,
    device             text,
    raw_payload        text,
    engagement_seconds double,
    engagement_pct     double,
    content_type       text,
    slug               text,
    title              text,
    length_seconds     bigint,
    version            bigint
);

CREATE TABLE engagement_days (
    content_id uuid,
    day        date,
    version    bigint,
    PRIMARY KEY (content_id, day)
);

CREATE TABLE engagement_hours (
    content_id     uuid,
    hour           timestamp,
    events         bigint,
    events_by_type frozen<map<text, bigint>>,
    seconds        double,
    pct_mean       double,
    pct_histogram  frozen<list<bigint>>,
    unique_users   bigint,
    milliseconds   bigint,
    pct_count      bigint,
    pct_sum_ppm    bigint,
    sketch         blob,
    partition      int,
    offset         bigint,
    version        bigint,
    minutes        blob,
    PRIMARY KEY (content_id, hour)
) WITH CLUSTERING ORDER BY (hour DESC);

CREATE TABLE engagement_totals (
    content_id     uuid PRIMARY KEY,
    events         bigint,
    events_by_type frozen<map<text, bigint>>,
    seconds        double,
    pct_mean       double,
    pct_histogram  frozen<list<bigint>>,
    unique_users   bigint,
    milliseconds   bigint,
    pct_count      bigint,
    pct_sum_ppm    bigint,
    sketch         blob,
    partition      int,
    offset         bigint,
    version        bigint
);

CREATE TABLE content (
    content_id     uuid PRIMARY KEY,
    slug           text,
    title          text,
    content_type   text,
    length_seconds bigint,
    publish_ts_us  bigint,
    version        bigint
);
`

// TestThePresetsTablesAreAsReadersKnowThem, to the order of their columns, and such tables are taken.
func TestThePresetsTablesAreAsReadersKnowThem(t *testing.T) {
	known, made := config(t), config(t)
	session := raw(t, known)
	for statement := range strings.SplitSeq(strings.TrimSpace(presetTables), ";") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := session.Query(statement).ExecContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	open(t, known)
	open(t, made)
	want := columns(t, session, known.Keyspace)
	if got := columns(t, session, made.Keyspace); len(want) < 40 || !maps.Equal(got, want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}

// columns says of each column of a keyspace's tables what it is.
func columns(t *testing.T, session *gocql.Session, keyspace string) map[string]string {
	t.Helper()
	iter := session.Query("SELECT table_name, column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE keyspace_name = ?", keyspace).IterContext(t.Context())
	out := make(map[string]string)
	var table, column, cql, kind, order string
	var position int
	for iter.Scan(&table, &column, &cql, &kind, &position, &order) {
		out[table+"."+column] = fmt.Sprint(cql, " ", kind, " ", position, " ", order)
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	tables := make(map[string]bool)
	for name := range out {
		table, _, _ := strings.Cut(name, ".")
		tables[table] = true
	}
	want := []string{"content", "engagement_by_event", "engagement_days", "engagement_hours", "engagement_metrics", "engagement_totals"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(tables))); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	return out
}
