package stacktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apache/cassandra-gocql-driver/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/stack"
)

// Database creates an empty database on the shared Postgres and returns its DSN. It is dropped at the end of the test, with
// its replication slots and whoever still uses them.
func Database(t testing.TB) (dsn string) {
	t.Helper()
	servers := Servers(t)
	name := unique(t)
	admin(t, servers.Postgres.DSN, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize())
		return err
	})
	t.Cleanup(func() {
		admin(t, servers.Postgres.DSN, func(ctx context.Context, conn *pgx.Conn) error { return dropDatabase(ctx, conn, name) })
	})
	return withDatabase(servers.Postgres.DSN, name)
}

func admin(t testing.TB, dsn string, do func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanupTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connect to the shared postgres: %v", err)
	}
	defer conn.Close(ctx)
	if err := do(ctx, conn); err != nil {
		t.Fatalf("prepare or remove the database of the test: %v", err)
	}
}

// dropDatabase ends the readers of the database's slots until the slots are free, which is a while after the signal.
func dropDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for slots := 1; slots > 0; {
		if _, err := conn.Exec(ctx, `select pg_terminate_backend(active_pid) from pg_replication_slots
			where database = $1 and active_pid is not null`, name); err != nil {
			return err
		}
		// A slot taken again between the two statements makes the drop fail: the next round ends its reader too.
		_, dropErr := conn.Exec(ctx, `select pg_drop_replication_slot(slot_name) from pg_replication_slots
			where database = $1 and active_pid is null`, name)
		if err := conn.QueryRow(ctx, "select count(*) from pg_replication_slots where database = $1", name).Scan(&slots); err != nil {
			return err
		}
		if slots == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("drop %d slots of %s: %w", slots, name, errors.Join(ctx.Err(), dropErr))
		case <-tick.C:
		}
	}
	_, err := conn.Exec(ctx, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)")
	return err
}

func withDatabase(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return dsn + " dbname=" + name // key=value form: the last one counts
	}
	u.Path = "/" + name
	return u.String()
}

// Keyspace creates an empty keyspace on the shared Cassandra and returns its name. It is dropped at the end of the test.
func Keyspace(t testing.TB) (name string) {
	t.Helper()
	servers := Servers(t)
	name = unique(t)
	cql(t, servers.Cassandra, "create keyspace "+name+
		" with replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	t.Cleanup(func() { cql(t, servers.Cassandra, "drop keyspace if exists "+name) })
	return name
}

func cql(t testing.TB, at stack.Cassandra, statement string) {
	t.Helper()
	cluster := gocql.NewCluster(at.Hosts...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: at.Username, Password: at.Password}
	cluster.DisableInitialHostLookup = true
	cluster.Timeout = cleanupTimeout
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatalf("connect to the shared cassandra: %v", err)
	}
	defer session.Close()
	if err := session.Query(statement).ExecContext(context.WithoutCancel(t.Context())); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// Prefix returns a prefix for the names of topics, groups and Redis keys that no other test uses. What has it at the end of
// the test is removed.
func Prefix(t testing.TB) string {
	t.Helper()
	servers := Servers(t)
	prefix := unique(t) + "_"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), cleanupTimeout)
		defer cancel()
		if err := removeTopics(ctx, servers.Kafka, prefix); err != nil {
			t.Errorf("remove the topics of the test: %v", err)
		}
		if err := removeKeys(ctx, servers.Redis, prefix); err != nil {
			t.Errorf("remove the keys of the test: %v", err)
		}
	})
	return prefix
}

func removeTopics(ctx context.Context, at stack.Kafka, prefix string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(at.Brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	topics := kadm.NewClient(client)
	all, err := topics.ListTopics(ctx)
	if err != nil {
		return err
	}
	for _, topic := range all.Names() {
		if !strings.HasPrefix(topic, prefix) {
			continue
		}
		if _, err := topics.DeleteTopic(ctx, topic); err != nil {
			return fmt.Errorf("topic %s: %w", topic, err)
		}
	}
	return nil
}

func removeKeys(ctx context.Context, at stack.Redis, prefix string) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{at.Address}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	defer client.Close()
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		found, err := client.Do(ctx, client.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		cursor = found.Cursor
		if len(found.Elements) == 0 {
			continue
		}
		if err := client.Do(ctx, client.B().Unlink().Key(found.Elements...).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// unique is a name that Postgres, Cassandra (48 characters) and Kafka take unquoted, with the test's name in it.
func unique(t testing.TB) string {
	const maxTest = 24
	letters := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		default:
			return '_'
		}
	}, t.Name())
	return "t_" + letters[:min(len(letters), maxTest)] + "_" + strings.ToLower(rand.Text()[:8])
}
