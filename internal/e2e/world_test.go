package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
	"penstock/testdata"
)

// deadline is for one thing to happen, or to come any further; nothing takes nearly as long.
const deadline = 60 * time.Second

// world is what one test has for its own on the shared servers: a database with
// the seed's tables, topics, a keyspace, Redis keys, and a configuration file
// that names them. The test looks into the stores by clients of its own.
type world struct {
	t       *testing.T
	servers stack.Servers
	prefix  string
	config  string // path of the configuration file
	dsn     string

	db       *pgx.Conn
	keyspace string
	history  *gocql.Session
	latest   rueidis.Client

	running *daemon // the one started last
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, stacktest.Database(t))
}

// newWorldAt is a world whose database is the one named.
func newWorldAt(t *testing.T, dsn string) *world {
	t.Helper()
	w := &world{
		t: t, servers: stacktest.Servers(t), prefix: stacktest.Prefix(t), dsn: dsn, keyspace: stacktest.Keyspace(t),
	}
	w.openPostgres()
	w.openStores()
	w.exec(testdata.Setup)
	w.config = filepath.Join(t.TempDir(), "penstock.yaml")
	if err := os.WriteFile(w.config, []byte(w.yaml()), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) openPostgres() {
	w.t.Helper()
	db, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	w.db = db
	w.t.Cleanup(func() {
		if err := db.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) openStores() {
	w.t.Helper()
	cluster := gocql.NewCluster(w.servers.Cassandra.Hosts...)
	cluster.Keyspace, cluster.Timeout = w.keyspace, deadline
	cluster.Authenticator = gocql.PasswordAuthenticator{
		Username: w.servers.Cassandra.Username, Password: w.servers.Cassandra.Password,
	}
	var err error
	if w.history, err = cluster.CreateSession(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.history.Close)
	option := rueidis.ClientOption{InitAddress: []string{w.servers.Redis.Address}, DisableCache: true}
	if w.latest, err = rueidis.NewClient(option); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.latest.Close)
}

func (w *world) slot() string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(w.prefix))
}

func (w *world) topic(table string) string { return w.prefix + "." + table }

func (w *world) yaml() string {
	return fmt.Sprintf(`
source:
  dsn: %q
  slot: %s
  publication: engagement
  tables: [public.content, public.engagement_events]
kafka:
  brokers: [%s]
  partitions: 4
  topics: { public.content: %s, public.engagement_events: %s }
  position_topic: %s
  transaction_topic: %s
  dead_letter_topic: %s
pipelines:
  engagement_metrics: { preset: engagement, topic: %s, group: %s }
cassandra: { hosts: [%q], username: %s, password: %s, keyspace: %s }
redis: { address: %q, prefix: %s }
log: { format: json }
`, w.dsn, w.slot(), strings.Join(w.servers.Kafka.Brokers, ", "), w.topic("content"), w.topic("engagement_events"),
		w.topic("position"), w.topic("transactions"), w.topic("dead-letters"), w.topic("input"), w.topic("group"),
		strings.Join(w.servers.Cassandra.Hosts, `", "`), w.servers.Cassandra.Username, w.servers.Cassandra.Password, w.keyspace,
		w.servers.Redis.Address, w.prefix)
}

func (w *world) exec(sql string) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql); err != nil {
		w.t.Fatalf("%.200s: %v", sql, err)
	}
}

// awaitStreaming returns when the capture streams: what commits from now on is its
// to deliver. That the slot is active is too little: it is so already while it is
// created, and what commits before its consistent point is not the capture's.
func (w *world) awaitStreaming() {
	w.t.Helper()
	w.eventually("the slot to be streamed from", func() string {
		var streams bool
		const query = `SELECT EXISTS (SELECT FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
			WHERE s.slot_name = $1 AND r.state = 'streaming')`
		if err := w.db.QueryRow(w.t.Context(), query, w.slot()).Scan(&streams); err != nil {
			return err.Error()
		}
		if !streams {
			return "nobody streams"
		}
		return ""
	})
}

// eventually awaits a condition, which returns what is still missing.
func (w *world) eventually(what string, missing func() string) {
	w.t.Helper()
	expired := time.NewTimer(deadline)
	defer expired.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for last := ""; ; {
		left := missing()
		if left == "" {
			return
		}
		if left != last {
			last = left
			expired.Reset(deadline)
		}
		select {
		case <-tick.C:
		case err := <-w.running.done:
			w.running.done <- err
			w.t.Fatalf("the daemon ended (%v) while waiting for %s: %s", err, what, left)
		case <-expired.C:
			w.t.Fatalf("waited %s for %s: %s", deadline, what, left)
		}
	}
}
