package cassandra_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/cassandra"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func config(t *testing.T) cassandra.Config {
	t.Helper()
	server := stacktest.Servers(t).Cassandra
	return cassandra.Config{
		Hosts: server.Hosts, Username: server.Username, Password: server.Password, Keyspace: stacktest.Keyspace(t),
	}
}

func open(t *testing.T, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	s, err := cassandra.Open(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// raw is a session for what the package does not offer.
func raw(t *testing.T, cfg cassandra.Config) *gocql.Session {
	t.Helper()
	cluster := gocql.NewCluster(cfg.Hosts...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: cfg.Username, Password: cfg.Password}
	cluster.Keyspace = cfg.Keyspace
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func TestConformance(t *testing.T) {
	for _, specimen := range storetest.Specimens("p:") {
		cfg := config(t)
		cfg.Plan = specimen.Plan
		open(t, cfg) // creates the tables
		session := raw(t, cfg)
		empty := func(t *testing.T) *cassandra.Store {
			t.Helper()
			for _, table := range specimen.Plan.Tables() {
				if err := session.Query("TRUNCATE " + table.Name).ExecContext(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return open(t, cfg)
		}
		storetest.Exercise(t, specimen, func(t *testing.T) storetest.Subject { return empty(t) })
		storetest.ExerciseLookup(t, specimen, func(t *testing.T) storetest.LookupSubject { return empty(t) })
	}
}

func put(version int64, row engagement.Row) sink.Write { return storetest.Put(version, row.Slots()) }

// event reads an event of the preset.
func event(t *testing.T, s *cassandra.Store, id int64) (row engagement.Stored, found bool, err error) {
	t.Helper()
	stored, found, err := s.Read(t.Context(), engagement.Key(id))
	if found {
		row = engagement.FromStored(stored)
	}
	return row, found, err
}

func someRow() engagement.Row {
	return engagement.Row{
		Event: engagement.Event{
			ID: 1, ContentID: engagement.Some(storetest.ContentID(1)), Type: engagement.Some("play"), Time: 1_756_138_420_436_907,
			DurationMS: engagement.Some[int64](30_000), Payload: engagement.Some(`{"bitrate": "128kbps"}`),
		},
		Seconds: engagement.Some(30.0),
	}
}

func TestWritetimeIsTheVersion(t *testing.T) {
	cfg := config(t)
	s, session := open(t, cfg), raw(t, cfg)
	const version = int64(1_756_138_420_436_907)
	if err := s.Apply(t.Context(), []sink.Write{put(version, someRow())}); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT writetime(event_type), version FROM engagement_metrics WHERE content_id = ? AND day = '2025-08-25' AND event_ts = '2025-08-25T16:13:40.436Z' AND event_id = 1",
		"SELECT writetime(event_type), version FROM engagement_by_event WHERE content_id = ? ALLOW FILTERING",
		"SELECT writetime(version), version FROM engagement_days WHERE content_id = ? AND day = '2025-08-25'",
	} {
		var written, column int64
		if err := session.Query(query, gocql.UUID(storetest.ContentID(1))).ScanContext(t.Context(), &written, &column); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if written != version || column != version {
			t.Errorf("%s: writetime %d, version %d, want %d", query, written, column, version)
		}
	}
}

func TestPayloadComesBack(t *testing.T) {
	s := open(t, config(t))
	want := engagement.Stored{Row: someRow(), Version: 5}
	if err := s.Apply(t.Context(), []sink.Write{put(5, someRow())}); err != nil {
		t.Fatal(err)
	}
	got, _, err := event(t, s, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A second Open finds what the first created, also for a role that may not create.
func TestOpenWithoutTheRightToCreate(t *testing.T) {
	cfg := config(t)
	first := open(t, cfg)
	if err := first.Apply(t.Context(), []sink.Write{put(5, someRow())}); err != nil {
		t.Fatal(err)
	}
	session, role := raw(t, cfg), cfg.Keyspace+"_role"
	for _, statement := range []string{
		"CREATE ROLE " + role + " WITH PASSWORD = 'p' AND LOGIN = true",
		"GRANT SELECT ON KEYSPACE " + cfg.Keyspace + " TO " + role,
		"GRANT MODIFY ON KEYSPACE " + cfg.Keyspace + " TO " + role,
	} {
		if err := session.Query(statement).ExecContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Username, cfg.Password = role, "p"
	second := open(t, cfg)
	if err := second.Apply(t.Context(), []sink.Write{put(6, someRow())}); err != nil {
		t.Fatal(err)
	}
	if row, found, err := event(t, second, 1); err != nil || !found || row.Version != 6 {
		t.Errorf("row %+v, found %v, error %v", row, found, err)
	}
	if err := session.Query("DROP ROLE " + role).ExecContext(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOpenWithWrongPassword(t *testing.T) {
	cfg := config(t)
	cfg.Password, cfg.Wait = "wrong", 200*time.Millisecond
	_, err := cassandra.Open(t.Context(), cfg, nil)
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "cassandra.password") {
		t.Errorf("got %v", err)
	}
}

// A new node refuses its first user for a while.
func TestOpenWaitsForAUserThatIsNotKnownYet(t *testing.T) {
	cfg := config(t)
	session, role := raw(t, cassandra.Config{Hosts: cfg.Hosts, Username: cfg.Username, Password: cfg.Password}), cfg.Keyspace+"_late"
	core, logs := observer.New(zap.InfoLevel)
	create := func(zapcore.Entry) error {
		return session.Query("CREATE ROLE IF NOT EXISTS " + role + " WITH PASSWORD = 'p' AND LOGIN = true AND SUPERUSER = true").ExecContext(t.Context())
	}
	cfg.Username, cfg.Password = role, "p"
	s, err := cassandra.Open(t.Context(), cfg, zap.New(core, zap.Hooks(create)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if waits := logs.FilterMessage("waiting").All(); len(waits) != 1 || waits[0].ContextMap()["limit"] != 15*time.Second {
		t.Errorf("got %v, want one line that waits for 15 s", waits)
	}
	if err := session.Query("DROP ROLE " + role).ExecContext(t.Context()); err != nil {
		t.Error(err)
	}
}

// One node cannot answer for two of three replicas.
func TestConsistencyIsTheConfigured(t *testing.T) {
	cfg := config(t)
	open(t, cfg) // creates the tables
	alter := "ALTER KEYSPACE " + cfg.Keyspace + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
	if err := raw(t, cfg).Query(alter).ExecContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := someRow()
	next.ID++
	for level, want := range map[cassandra.Consistency]bool{
		"": false, cassandra.LocalQuorum: false, cassandra.Quorum: false, cassandra.EachQuorum: false, cassandra.All: false,
		cassandra.LocalOne: true,
	} {
		cfg.Consistency = level
		s := open(t, cfg)
		err := s.Apply(t.Context(), []sink.Write{put(5, someRow()), put(5, next)})
		if want != (err == nil) || err != nil && fault.KindOf(err) != fault.Unreachable {
			t.Errorf("%q: write: %v", level, err)
		}
		if _, _, err := event(t, s, 1); want != (err == nil) {
			t.Errorf("%q: read: %v", level, err)
		}
	}
}

func TestOpenWhereNothingListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	_, err = cassandra.Open(t.Context(), cassandra.Config{Hosts: []string{address}, Wait: 100 * time.Millisecond}, nil)
	if fault.KindOf(err) != fault.Unreachable || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v", err)
	}
}

func TestOpenReportsEveryProblem(t *testing.T) {
	_, err := cassandra.Open(t.Context(), cassandra.Config{Keyspace: "No;", Wait: -1, Consistency: "ONE"}, nil)
	for _, part := range []string{"cassandra.hosts is empty", `cassandra.keyspace "No;"`, `cassandra.consistency "ONE"`, "must not be negative"} {
		if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q", err, part)
		}
	}
}

// What a table refuses for good must not be waited for.
func TestRefusedStatementIsFinal(t *testing.T) {
	cfg := config(t)
	s, session := open(t, cfg), raw(t, cfg)
	if err := session.Query("DROP TABLE engagement_by_event").ExecContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Apply(t.Context(), []sink.Write{put(5, someRow())})
	if err == nil || fault.KindOf(err) != fault.Runtime {
		t.Errorf("got %v", err)
	}
}

// A table that exists is not written to unless it is as the plan needs it, and
// what it has beside that is its own.
func TestOpenChecksTablesThatExist(t *testing.T) {
	const columns = "placed_at timestamp, placed_us bigint, customer bigint, quantity bigint, paid boolean, ref uuid, odd text, gross double, total double, name text, loyal boolean, "
	const key = "PRIMARY KEY ((region, day), placed_at, number)) WITH CLUSTERING ORDER BY (placed_at DESC, number ASC)"
	for _, c := range []struct{ name, columns, key, want string }{
		{"as it is made, with another column", "region text, day text, number bigint, version bigint, mine text, " + columns, key, ""},
		{"another type", "region text, day text, number int, version bigint, " + columns, key, "column number is int, not bigint"},
		{"a column less", "region text, day text, number bigint, version bigint, " + strings.Replace(columns, "loyal boolean, ", "", 1), key, "it has no column loyal boolean"},
		{"no version", "region text, day text, number bigint, " + columns, key, "it has no column version bigint"},
		{
			"another order", "region text, day text, number bigint, version bigint, " + columns, "PRIMARY KEY ((region, day), placed_at, number))",
			"column placed_at is clustering 0 asc, not clustering 0 desc",
		},
		{
			"another partition key", "region text, day text, number bigint, version bigint, " + columns,
			"PRIMARY KEY (region, day, placed_at, number)) WITH CLUSTERING ORDER BY (day ASC, placed_at DESC, number ASC)", "column day is clustering 0 asc, not partition_key 1 none",
		},
		{
			"a longer key", "region text, day text, number bigint, version bigint, other text, " + columns,
			"PRIMARY KEY ((region, day), placed_at, number, other)) WITH CLUSTERING ORDER BY (placed_at DESC, number ASC, other ASC)", "its key has 5 columns, not 4",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			cfg.Plan = storetest.Orders("p:").Plan
			if err := raw(t, cfg).Query("CREATE TABLE orders_by_region (" + c.columns + c.key).ExecContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			s, err := cassandra.Open(t.Context(), cfg, nil)
			if err == nil {
				s.Close()
			}
			if c.want == "" && err == nil {
				return
			}
			if c.want == "" || fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "orders_by_region") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// Rows live as long as the plan says, their history does not end.
func TestRowsLiveAsLongAsThePlanSays(t *testing.T) {
	d := storetest.OrdersDeclaration("p:")
	d.Cassandra.TTL = time.Hour
	p, problems := plan.Compile(d)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	cfg := config(t)
	cfg.Plan = p
	s, session := open(t, cfg), raw(t, cfg)
	if err := s.Apply(t.Context(), []sink.Write{storetest.Put(5, storetest.Orders("p:").Full(1))}); err != nil {
		t.Fatal(err)
	}
	var seconds, history *int
	if err := session.Query("SELECT ttl(quantity) FROM orders_by_region").ScanContext(t.Context(), &seconds); err != nil || seconds == nil || *seconds > 3600 || *seconds < 3500 {
		t.Errorf("a row lives %v s, %v", seconds, err)
	}
	if err := session.Query("SELECT ttl(s_quantity) FROM penstock_orders_history").ScanContext(t.Context(), &history); err != nil || history != nil {
		t.Errorf("its history lives %v s, %v", history, err)
	}
}

// What no server takes is the record's own error, before it is sent.
func TestKeysThatCassandraDoesNotTake(t *testing.T) {
	d := storetest.OrdersDeclaration("p:")
	d.Columns[2].Expr = `"x"`
	d.Cassandra.Partition, d.Cassandra.Clustering = []string{"region"}, []plan.Order{{Column: "number"}}
	p, problems := plan.Compile(d)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	cfg := config(t)
	cfg.Plan = p
	s := open(t, cfg)
	for region, want := range map[string]deadletter.Reason{"": deadletter.Refused, strings.Repeat("x", 70_000): deadletter.TooLarge, strings.Repeat("x", 60_000): ""} {
		row := storetest.Orders("p:").Full(1)
		row[p.Slot("stream.region")] = plan.TextOf(region)
		writes := []sink.Write{storetest.Put(5, row)}
		err := s.Check(writes)
		if refused, ok := errors.AsType[*sink.RecordError](err); ok != (want != "") || ok && refused.Reason != want {
			t.Errorf("a region of %d bytes: got %v, want %q", len(region), err, want)
		}
		if applied := s.Apply(t.Context(), writes); (applied == nil) != (want == "") {
			t.Errorf("a region of %d bytes: the server says %v", len(region), applied)
		}
	}
}
