// Package config reads the one file that says what a Penstock does. A value
// comes from the built-in default, the YAML file, the environment and the
// command line, the later overriding the earlier.
//
// Read config.go, pipelines.go, records.go and registry.go for the keys, load.go for the order of things, decode.go for
// the YAML and validate.go for what is checked.
package config

import (
	"time"

	"penstock/schema"
)

// Config is a whole configuration. The zero value is not useful: see [Default].
type Config struct {
	Source    Source              `yaml:"source"`
	Backfill  Backfill            `yaml:"backfill"`
	Kafka     Kafka               `yaml:"kafka"`
	Records   Records             `yaml:"records"`
	Registry  Registry            `yaml:"registry"`
	Pipelines map[string]Pipeline `yaml:"pipelines"` // by name
	Cassandra Cassandra           `yaml:"cassandra"`
	Redis     Redis               `yaml:"redis"`
	API       API                 `yaml:"api"`
	Admin     Admin               `yaml:"admin"`
	Log       Log                 `yaml:"log"`

	// Wait is how long a server that does not answer is waited for, at the
	// start and later.
	Wait time.Duration `yaml:"wait"`

	file    string            // what the file is called in messages
	origins map[string]origin // key path to where its value was given
	given   map[string]bool   // key paths that have a value of their own, if only a wrong one
	failed  map[string]bool   // key paths whose value was given but could not be read
}

// Source is the Postgres database whose changes are captured.
type Source struct {
	// DSN is the connection string, as a URL or as key=value pairs. The role
	// needs LOGIN and REPLICATION.
	DSN Secret `yaml:"dsn"`

	// Name names the capture for good: its position, its transactional id and
	// its topics carry it. Default: the slot's name.
	Name string `yaml:"name"`

	Slot string `yaml:"slot"` // replication slot, created when it does not exist

	// Publications together publish the tables. One alone is created when it does
	// not exist.
	Publications []string `yaml:"publication"`

	Tables []schema.TableName `yaml:"tables"` // what is captured, as schema.table

	// Matching are patterns of schema.table, in which * is any text and ? any one
	// character. Tables of the publication that match are captured too, also those
	// that it comes to have later.
	Matching []string `yaml:"matching"`

	// Failover makes a new slot one that Postgres 17 or newer keeps in step on
	// its standbys.
	Failover bool `yaml:"failover"`

	// Heartbeat is how often a logical message is written to the log, so that a
	// quiet database has one; 0 is never.
	Heartbeat time.Duration `yaml:"heartbeat"`

	// Streaming lets the server send large transactions before they commit. They
	// are kept in files under Spool until they do.
	Streaming bool   `yaml:"streaming"`
	Spool     string `yaml:"spool"`
}

// Backfill says how rows are read that were in a table before.
type Backfill struct {
	// Policy says what becomes of them when the capture starts for the first time:
	// none, or initial, which reads all of them.
	Policy string `yaml:"policy"`

	Readers     int `yaml:"readers"`      // connections that read at once
	ChunkBlocks int `yaml:"chunk_blocks"` // blocks of a table that are read in one snapshot
	// RowsPerSecond is how many rows all of them together read; 0 is no limit.
	RowsPerSecond int `yaml:"rows_per_second"`
}

// The policies of Backfill.Policy.
const (
	BackfillNone    = "none"
	BackfillInitial = "initial"
)

// Kafka is the cluster that changes are written to and read from.
type Kafka struct {
	Brokers []string `yaml:"brokers"` // host:port of some of the brokers

	// Topic is the template of a table's topic; {name}, {schema} and {table}
	// are replaced.
	Topic string `yaml:"topic"`

	// Topics names the topic of single tables, by schema.table.
	Topics map[TableKey]string `yaml:"topics"`

	Partitions        int32 `yaml:"partitions"`         // of a topic that is created
	ReplicationFactor int16 `yaml:"replication_factor"` // of a topic that is created; -1 is the broker's default

	PositionTopic string `yaml:"position_topic"` // compacted topic that holds how far each capture has come

	TransactionTopic string      `yaml:"transaction_topic"` // begin and end of the commits that are split
	Transaction      Transaction `yaml:"transaction"`

	DeadLetterTopic string `yaml:"dead_letter_topic"` // what cannot be processed, where that is the policy

	// MessageTopic is where the logical messages of pg_logical_emit_message go;
	// empty is nowhere.
	MessageTopic string `yaml:"message_topic"`

	// OutboxTopics are the topics that messages with the prefix outbox:<topic>:<key>
	// may name, as names or patterns with * and ?; none: such a message is like others.
	OutboxTopics []string `yaml:"outbox_topics"`
	// BadMessages is what becomes of a message of which no record can be delivered:
	// stop or dead-letter.
	BadMessages string `yaml:"bad_messages"`

	// Heartbeat is how often a record is written to HeartbeatTopic, also when nothing
	// changes; 0 is never. Default of the topic: __debezium-heartbeat.<source.name>.
	Heartbeat      time.Duration `yaml:"heartbeat"`
	HeartbeatTopic string        `yaml:"heartbeat_topic"`

	// TransactionalID fences an older instance of the same capture. Default:
	// penstock.<source.name>.
	TransactionalID string `yaml:"transactional_id"`
}

// Transaction says when a Kafka transaction ends. It holds whole commits; the
// first limits end it after one, the split limits within one.
type Transaction struct {
	Records int           `yaml:"records"` // in it
	Bytes   int           `yaml:"bytes"`   // of their keys and values
	Age     time.Duration `yaml:"age"`     // since its first record
	Idle    time.Duration `yaml:"idle"`    // between two positions while nothing changes

	SplitRecords int           `yaml:"split_records"` // of one commit
	SplitBytes   int           `yaml:"split_bytes"`   // of one commit
	SplitAge     time.Duration `yaml:"split_age"`     // since the Kafka transaction's first record

	Timeout time.Duration `yaml:"timeout"` // after which Kafka aborts one that is left open
}

// Side is one table of a pipeline's join.
type Side struct {
	Table  schema.TableName `yaml:"table"`
	Column string           `yaml:"column"` // join column

	// Of a declared pipeline: the columns that it uses, each with its type and
	// perhaps "not null", and the stream table's primary key.
	Columns map[string]string `yaml:"columns"`
	Key     []string          `yaml:"key"`
}

// Cassandra is the store of record for enriched events.
type Cassandra struct {
	Hosts       []string `yaml:"hosts"` // host or host:port
	Username    string   `yaml:"username"`
	Password    Secret   `yaml:"password"`
	Keyspace    string   `yaml:"keyspace"`    // created when it does not exist
	Consistency string   `yaml:"consistency"` // LOCAL_QUORUM, QUORUM or ALL: a write must be seen by the read after it
}

// Redis is the store for one event at a time.
type Redis struct {
	Address  string `yaml:"address"` // host:port
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	Database int    `yaml:"database"`
	Prefix   string `yaml:"prefix"` // of every key: <prefix>:event:<id>

	// TombstoneTTL is how long the version of a deleted event is kept, so that
	// a late older write cannot bring the event back.
	TombstoneTTL time.Duration `yaml:"tombstone_ttl"`
}

// API is the REST server. It is accepted and checked, and not served yet.
type API struct {
	Listen string `yaml:"listen"` // host:port
}

// Admin is the listener for who runs the daemon: metrics and probes.
type Admin struct {
	// Listen is host:port; port 0 is any that is free, empty is no listener. It asks
	// nobody who they are, so the host should be the loopback or a network of operators.
	Listen string `yaml:"listen"`
}

// Log is what is written to standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // auto (console on a terminal, else json), json or console
}

// What becomes of a message of which no record can be delivered.
const (
	BadStop       = "stop"
	BadDeadLetter = "dead-letter"
)

// Role is a part of the daemon that can run on a machine of its own.
type Role string

// The roles. Each asks for its own sections of the configuration.
const (
	RoleCapture Role = "capture"
	RoleSink    Role = "sink"
)

// RoleOperator is none of the daemon's: a command that needs Kafka and nothing else.
const RoleOperator Role = "operator"

// Roles lists every role.
func Roles() []Role { return []Role{RoleCapture, RoleSink} }

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		Backfill: Backfill{Policy: BackfillNone, Readers: 2, ChunkBlocks: 512},
		Kafka: Kafka{
			Topic:             "{name}.{schema}.{table}",
			Partitions:        12,
			ReplicationFactor: -1,
			PositionTopic:     "penstock.position",
			TransactionTopic:  "penstock.transactions",
			DeadLetterTopic:   "penstock.dead-letters",
			OutboxTopics:      []string{"outbox.*"},
			BadMessages:       BadStop,
			Transaction: Transaction{
				Records: 10_000, Bytes: 8 << 20, Age: 250 * time.Millisecond, Idle: 10 * time.Second,
				SplitRecords: 100_000, SplitBytes: 64 << 20, SplitAge: 15 * time.Second,
				Timeout: time.Minute,
			},
		},
		Records:   defaultRecords(),
		Registry:  defaultRegistry(),
		Cassandra: Cassandra{Keyspace: "content_analytics", Consistency: "LOCAL_QUORUM"},
		Redis:     Redis{Prefix: "engagement_events", TombstoneTTL: 7 * 24 * time.Hour},
		Log:       Log{Level: "info", Format: "auto"},
		Wait:      time.Minute,
	}
}
