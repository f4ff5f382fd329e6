package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/internal/stack"
	"penstock/testdata"
)

// objects makes, finds and removes what a walk-through has on the four servers.
type objects struct {
	servers  stack.Servers
	admin    *pgx.Conn // as the servers' own user, in its own database
	db       *pgx.Conn // as analytics_user in the demo's database; nil before create
	kafka    *kadm.Client
	session  *gocql.Session
	redis    rueidis.Client
	names    names
	creating bool // names are ours from here on: remove may drop them
}

func openObjects(ctx context.Context, servers stack.Servers) (*objects, error) {
	o := &objects{servers: servers}
	var err error
	if o.admin, err = connect(ctx, servers.Postgres.DSN); err != nil {
		return nil, err
	}
	if err := o.openOthers(); err != nil {
		o.close(ctx)
		return nil, err
	}
	return o, nil
}

func (o *objects) openOthers() error {
	client, err := kgo.NewClient(kgo.SeedBrokers(o.servers.Kafka.Brokers...))
	if err != nil {
		return fmt.Errorf("open kafka client: %w", err)
	}
	o.kafka = kadm.NewClient(client)
	cluster := gocql.NewCluster(o.servers.Cassandra.Hosts...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: o.servers.Cassandra.Username, Password: o.servers.Cassandra.Password}
	cluster.Timeout, cluster.ConnectTimeout = stageDeadline, 10*time.Second
	cluster.Logger = gocql.NewLogger(gocql.LogLevelNone)
	if o.session, err = cluster.CreateSession(); err != nil {
		return &fault.Error{Kind: fault.Unreachable, Where: fmt.Sprintf("cassandra at %v", o.servers.Cassandra.Hosts), What: "no connection", Err: err}
	}
	o.redis, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{o.servers.Redis.Address}, DisableCache: true})
	if err != nil {
		return &fault.Error{Kind: fault.Unreachable, Where: "redis at " + o.servers.Redis.Address, What: "no connection", Err: err}
	}
	return nil
}

// freeNames returns the first names of which no server has anything.
func (o *objects) freeNames(ctx context.Context) (names, error) {
	for n := 1; ; n++ {
		taken, err := o.taken(ctx, namesFor(n))
		if err != nil || !taken {
			return namesFor(n), err
		}
	}
}

// taken reports whether any server has anything under the names.
func (o *objects) taken(ctx context.Context, n names) (bool, error) {
	var inPostgres bool
	const query = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $2)`
	if err := o.admin.QueryRow(ctx, query, n.Database, n.Slot).Scan(&inPostgres); err != nil {
		return false, fmt.Errorf("look for database %s: %w", n.Database, err)
	}
	topics, err := o.kafka.ListTopics(ctx)
	if err != nil {
		return false, &fault.Error{Kind: fault.Unreachable, Where: fmt.Sprintf("kafka at %v", o.servers.Kafka.Brokers), What: "topics cannot be listed", Err: err}
	}
	var keyspaces int
	cql := o.session.Query(`SELECT COUNT(*) FROM system_schema.keyspaces WHERE keyspace_name = ?`, n.Keyspace)
	if err := cql.ScanContext(ctx, &keyspaces); err != nil {
		return false, fmt.Errorf("look for keyspace %s: %w", n.Keyspace, err)
	}
	keys, err := o.keys(ctx, n.Prefix)
	return inPostgres || slices.ContainsFunc(n.topics(), topics.Has) || keyspaces > 0 || len(keys) > 0, err
}

// keys lists the Redis keys under a prefix.
func (o *objects) keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for cursor := uint64(0); ; {
		page, err := o.redis.Do(ctx, o.redis.B().Scan().Cursor(cursor).Match(prefix+":*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return nil, fmt.Errorf("list redis keys %s:*: %w", prefix, err)
		}
		keys = append(keys, page.Elements...)
		if cursor = page.Cursor; cursor == 0 {
			return keys, nil
		}
	}
}

// create makes the seed's database and runs its setup.sql; the rest is made by
// the daemon.
func (o *objects) create(ctx context.Context, n names) error {
	o.names, o.creating = n, true
	if _, err := o.admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{n.Database}.Sanitize()); err != nil {
		return fmt.Errorf("create database %s: %w", n.Database, err)
	}
	if err := o.setup(ctx); err != nil {
		return err
	}
	dsn, err := dsnFor(o.servers.Postgres.DSN, n.Database, demoUser, demoPassword)
	if err != nil {
		return err
	}
	if o.db, err = connect(ctx, dsn); err != nil {
		return fmt.Errorf("log in as %s: %w", demoUser, err)
	}
	return nil
}

// setup runs setup.sql in the demo's database.
func (o *objects) setup(ctx context.Context) error {
	dsn, err := dsnFor(o.servers.Postgres.DSN, o.names.Database, "", "")
	if err != nil {
		return err
	}
	conn, err := connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.PgConn().Exec(ctx, testdata.Setup).ReadAll(); err != nil {
		return fmt.Errorf("run setup.sql: %w", err)
	}
	return nil
}

// streaming asks whether a walsender reads from a slot. That the slot is active is
// too little: it is so already while an ordinary backend creates it, and what
// commits before its consistent point is not its to send. The walsender's state in
// pg_stat_replication would say more, but analytics_user may not see it.
func (o *objects) streaming(name string) func(context.Context) (bool, error) {
	const query = `SELECT EXISTS (SELECT FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
		WHERE s.slot_name = $1 AND a.backend_type = 'walsender')`
	return func(ctx context.Context) (streams bool, err error) {
		if err := o.db.QueryRow(ctx, query, name).Scan(&streams); err != nil {
			return false, fmt.Errorf("look for the reader of slot %s: %w", name, err)
		}
		return streams, nil
	}
}

// remove drops what create and the daemon made, and nothing when create did not
// come to it. It goes on after an error.
func (o *objects) remove(ctx context.Context) error {
	if !o.creating {
		return nil
	}
	var errs []error
	if o.db != nil {
		errs = append(errs, o.db.Close(ctx))
		o.db = nil
	}
	errs = append(errs, o.removeFromPostgres(ctx))
	if _, err := o.kafka.DeleteTopics(ctx, o.names.topics()...); err != nil {
		errs = append(errs, fmt.Errorf("delete the demo's topics: %w", err))
	}
	if _, err := o.kafka.DeleteGroups(ctx, o.names.group()); err != nil {
		errs = append(errs, fmt.Errorf("delete the demo's consumer group: %w", err))
	}
	if err := o.session.Query("DROP KEYSPACE IF EXISTS " + o.names.Keyspace).ExecContext(ctx); err != nil {
		errs = append(errs, fmt.Errorf("drop keyspace %s: %w", o.names.Keyspace, err))
	}
	keys, err := o.keys(ctx, o.names.Prefix)
	if len(keys) > 0 {
		err = o.redis.Do(ctx, o.redis.B().Unlink().Key(keys...).Build()).Error()
	}
	return errors.Join(append(errs, err)...)
}

func (o *objects) removeFromPostgres(ctx context.Context) error {
	_, found, err := slot.Find(ctx, o.admin, o.names.Slot)
	if found {
		free := func(ctx context.Context) (bool, error) {
			status, _, err := slot.Find(ctx, o.admin, o.names.Slot)
			return !status.Active, err
		}
		err = errors.Join(await(ctx, 20*time.Millisecond, free), slot.Drop(ctx, o.admin, o.names.Slot))
	}
	if _, dropErr := o.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{o.names.Database}.Sanitize()+" WITH (FORCE)"); dropErr != nil {
		err = errors.Join(err, fmt.Errorf("drop database %s: %w", o.names.Database, dropErr))
	}
	return err
}

// close ends the connections.
func (o *objects) close(ctx context.Context) {
	for _, conn := range []*pgx.Conn{o.db, o.admin} {
		if conn != nil {
			_ = conn.Close(ctx)
		}
	}
	if o.kafka != nil {
		o.kafka.Close()
	}
	if o.session != nil {
		o.session.Close()
	}
	if o.redis != nil {
		o.redis.Close()
	}
}
