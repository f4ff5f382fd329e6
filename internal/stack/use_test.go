package stack_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/apache/cassandra-gocql-driver/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

func TestPostgresIsReadyForLogicalReplication(t *testing.T) {
	dsn := stacktest.Database(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var slot string
	query := "select slot_name from pg_create_logical_replication_slot('s_' || current_database(), 'pgoutput')"
	if err := conn.QueryRow(t.Context(), query).Scan(&slot); err != nil {
		t.Fatalf("create slot: %v", err) // it is dropped with the database
	}
	if _, err := conn.Exec(t.Context(), "create table t (id int primary key); insert into t select generate_series(1, 100)"); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := conn.QueryRow(t.Context(), "select count(*) from t").Scan(&rows); err != nil || rows != 100 {
		t.Errorf("rows: got %d, %v, want 100", rows, err)
	}
}

func TestKafkaTransactionIsReadBack(t *testing.T) {
	brokers := stacktest.Servers(t).Kafka.Brokers
	topic := stacktest.Prefix(t) + "events"
	produceInTransaction(t, brokers, topic, "one", "two")
	if got, want := consume(t, brokers, topic, 2), []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("records: got %v, want %v", got, want)
	}
}

func produceInTransaction(t *testing.T, brokers []string, topic string, values ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatalf("create topic: %v", err)
	}
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		if err := client.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
			t.Fatalf("produce: %v", err)
		}
	}
	if err := client.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func consume(t *testing.T, brokers []string, topic string, n int) (values []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(values) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("consume: %v", err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestCassandraKeepsRows(t *testing.T) {
	at := stacktest.Servers(t).Cassandra
	keyspace := stacktest.Keyspace(t)
	session := login(t, at.Hosts, keyspace)
	for _, statement := range []string{"create table t (id int primary key, v text)", "insert into t (id, v) values (1, 'one')"} {
		if err := session.Query(statement).ExecContext(t.Context()); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	var v string
	if err := session.Query("select v from t where id = 1").ScanContext(t.Context(), &v); err != nil || v != "one" {
		t.Errorf("row: got %q, %v, want one", v, err)
	}
}

func login(t *testing.T, hosts []string, keyspace string) *gocql.Session {
	t.Helper()
	cluster := gocql.NewCluster(hosts...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: "cassandra", Password: "cassandra"}
	cluster.Keyspace = keyspace
	cluster.Timeout = 30 * time.Second
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	t.Cleanup(session.Close)
	return session
}

func TestRedisAnswers(t *testing.T) {
	at := stacktest.Servers(t).Redis
	key := stacktest.Prefix(t) + "key"
	redisDo(t, at.Address, "SET", key, "value")
	if got := redisDo(t, at.Address, "GET", key); got != "value" {
		t.Errorf("got %q, want value", got)
	}
}

func redisDo(t *testing.T, address string, command ...string) string {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{address}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := client.Do(t.Context(), client.B().Arbitrary(command...).Build()).ToString()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return answer
}

// What a broker has acknowledged is there after kill -9 and restart, at the same address.
func TestKilledKafkaKeepsRecords(t *testing.T) {
	stacktest.Servers(t) // fills the cache
	in := crashed(t, stack.StartKafka, func(in *stack.Instance) {
		produceInTransaction(t, []string{in.Address()}, "t", "kept")
		// Commit is answered before its marker is in the partition. A broker killed in between has been seen to hold back
		// read-committed readers for over 30 s after its restart; this test is not about that.
		consume(t, []string{in.Address()}, "t", 1)
	})
	if got := consume(t, []string{in.Address()}, "t", 1); got[0] != "kept" {
		t.Errorf("record: got %v, want kept", got)
	}
}

// crashed starts a private server, uses it, kills it and starts it again.
func crashed(t *testing.T, start func(context.Context, stack.Options, map[string]string) (*stack.Instance, error),
	use func(*stack.Instance)) *stack.Instance {
	t.Helper()
	in, err := start(t.Context(), stack.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	address := in.Address()
	use(in)
	in.Kill()
	if err := in.Restart(t.Context()); err != nil {
		t.Fatalf("restart: %v", err)
	}
	if in.Address() != address {
		t.Errorf("address after restart: got %s, want %s", in.Address(), address)
	}
	return in
}
