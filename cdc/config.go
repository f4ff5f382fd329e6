package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/shape"
)

// Config says what to capture and where to.
type Config struct {
	Name    string // of the capture: key of its position, prefix in Debezium's source block
	Version string // of the program, for the source block

	DSN          string // Postgres connection string, URL or keywords
	Slot         string
	Publications []string // the slot sends what any of them publishes; one alone is created on the first start
	Tables       []Table  // has to name at least one, unless there is Match
	Pipelines    []Pipeline

	// Match describes a table that Tables does not name, and reports whether it is
	// captured when a publication has it, also if that comes to have it later. It is
	// called from several goroutines. nil captures no other tables.
	Match func(schema.TableName) (Table, bool)
	// Ruled are the tables that Match has rules of columns for: one that is not published may
	// be misspelt, and is told of.
	Ruled []schema.TableName
	// Patterns are those that Match goes by: one that no published table has may be misspelt, and is told once.
	Patterns []string

	Brokers          []string
	TransactionalID  string // stable for the life of the capture
	PositionTopic    string
	TransactionTopic string // begin and end of the commits that are split
	DeadLetterTopic  string // what could not be delivered as it should; empty unless a table's policy needs it
	// TransactionTimeout is how long Kafka waits for the end of a transaction
	// before it aborts it; 0 is DefaultTransactionTimeout.
	TransactionTimeout time.Duration

	Partitions        int32 // of the topics that the capture creates
	ReplicationFactor int16 // of the topics that the capture creates; -1 is the broker's default

	// Wait is how long a server that does not answer is waited for, at the start
	// and later, before Run gives up.
	Wait time.Duration
	// Accept is the operator's word to go on in spite of one refusal.
	Accept Accept

	// NoStandby makes Run give up when another daemon holds the slot for longer
	// than Wait. Else it stands by, for as long as it takes.
	NoStandby bool
	// Takeover ends, once, the walsender of whoever holds the slot at the start.
	Takeover bool

	// Failover makes a new slot one that Postgres 17 or newer keeps in step on its
	// standbys.
	Failover bool
	// Heartbeat is how often a logical message is written to the log; 0 is never.
	Heartbeat time.Duration
	// Streaming lets the server send large transactions before they commit; they
	// wait for that in files under Spool.
	Streaming bool
	Spool     string

	Limits Limits

	// Messages says what becomes of pg_logical_emit_message.
	Messages Messages
	// Beats says where heartbeats go in Kafka.
	Beats Beats
	// MarkCommits writes begin and end marks of every commit, not only of those
	// that are split (Debezium's provide.transaction.metadata), and makes them and the
	// transaction blocks count as Debezium does; else every change counts as one.
	MarkCommits bool
	MarkFormat  format.Format // of the marks

	Backfill Backfill

	meter *meter // what it counts; nil counts nothing

	// Watch is how often the publication and the partitions are looked at; 0 is every 10 s.
	Watch time.Duration

	// Place says where the configuration has a rule of a table, such as exclude[0], for
	// people. nil: its key, without a place.
	Place func(table schema.TableName, rule string) string

	// What tests put in between.
	Client    []kgo.Opt       // for the Kafka clients, in addition to and over those of the capture
	Dial      pgconn.DialFunc // for the connections to Postgres; nil is the driver's own
	DialKafka pgconn.DialFunc // for those to Kafka; nil is a TCP dialer
	Failpoint func(Failpoint) // called at each failpoint; nil in production
}

// Table is a captured table, its topic, and what the topic's records are like. A
// pipeline's input topic has every column and every change, whatever stands here.
type Table struct {
	Name  schema.TableName
	Topic string

	Format       format.Format
	Rules        shape.Rules // which columns leave the database, and what the key is
	Skip         []schema.Op // operations of which no record is made
	NoTombstones bool        // no record without a value follows a delete
	Transactions bool        // the envelope's transaction block is filled
	Frozen       bool        // other columns than were delivered last stop the capture
	Oversized    Oversized
	Matched      bool // by Config.Match, which need not set it: the table may leave the publication, and the database
}

// Oversized is what becomes of a record that is larger than its topic takes.
type Oversized uint8

// The policies. None of them loses a change without a trace.
const (
	OversizedStop       Oversized = iota // the capture stops
	OversizedTruncate                    // the longest values are cut, and a header says which
	OversizedDeadLetter                  // the record goes to the dead letters, as far as it fits there
)

// Messages says where logical messages go. With the zero Messages they are only
// heartbeats.
type Messages struct {
	Topic  string // of all but the outboxes; empty: they make no records
	Format format.Format

	// Outbox has the topics that messages for an outbox may name, with * and ? as
	// patterns; none: such messages are like all others.
	Outbox []string
	// DeadLetters makes dead letters of the messages that cannot be delivered; else they
	// stop the capture.
	DeadLetters bool
}

// Backfill says how rows are read that were there before.
type Backfill struct {
	Initial     bool   // all tables are, when the capture starts for the first time
	Readers     int    // that read at once; 0 is one
	Rate        int    // rows that they read in a second, all together; 0 is no limit
	ChunkBlocks uint32 // of a table that are read in one snapshot; 0 is [backfill.DefaultBlocks]
}

// Beats are the records of Debezium's heartbeat topic: each is in a Kafka transaction
// with a position. The zero Beats are none.
type Beats struct {
	Topic  string
	Every  time.Duration // 0 is never
	Format format.Format
}

// Pipeline is a pair of tables whose changes also go, partitioned by the join
// key, to one topic.
type Pipeline struct {
	Name   string
	Topic  string
	Stream JoinSide
	Lookup JoinSide
}

// JoinSide is one side of a join: a table and its column of the join key.
type JoinSide struct {
	Table  schema.TableName
	Column string

	// What the pipeline takes the table for, which is held against the catalogue at
	// the start: its columns, and the columns of its key. None is not looked at.
	Columns []JoinColumn
	Key     []string
}

// DefaultTransactionTimeout bounds how long a daemon that died holds back the
// readers of its topics, if no other takes its place.
const DefaultTransactionTimeout = time.Minute

// Limits end a Kafka transaction: at the next commit boundary, or, the split
// limits, within a commit. Zero fields take the defaults of [DefaultLimits].
type Limits struct {
	Records int           // data records in one Kafka transaction
	Bytes   int           // their keys and values
	Age     time.Duration // since its first record
	Idle    time.Duration // between positions written while nothing changes

	SplitRecords int           // data records of one commit
	SplitBytes   int           // their keys and values
	SplitAge     time.Duration // since the Kafka transaction's first record, which may be an earlier commit's
}

// DefaultLimits keep read-committed consumers within a quarter of a second under
// full load; an idle stream ends its Kafka transaction at once. A commit is
// split when Kafka could otherwise abort it for its age, or its readers would
// have to hold back too much.
func DefaultLimits() Limits {
	return Limits{
		Records: 10_000, Bytes: 8 << 20, Age: 250 * time.Millisecond, Idle: 10 * time.Second,
		SplitRecords: 100_000, SplitBytes: 64 << 20, SplitAge: 15 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		Records: cmp.Or(l.Records, d.Records), Bytes: cmp.Or(l.Bytes, d.Bytes),
		Age: cmp.Or(l.Age, d.Age), Idle: cmp.Or(l.Idle, d.Idle),
		SplitRecords: cmp.Or(l.SplitRecords, d.SplitRecords), SplitBytes: cmp.Or(l.SplitBytes, d.SplitBytes),
		SplitAge: cmp.Or(l.SplitAge, d.SplitAge),
	}
}

// slotName is what Postgres allows; it also keeps the name safe in commands,
// where it cannot be quoted.
var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// bounded is ctx with the time that a server has to answer.
func (c *Config) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.Wait, fmt.Errorf("no answer within %s", c.Wait))
}

// kafka opens a client with what all of the capture's clients have in common.
func (c *Config) kafka(opts ...kgo.Opt) (*kgo.Client, error) {
	common := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.MetadataMinAge(metadataMinAge)}
	if c.DialKafka != nil {
		common = append(common, kgo.Dialer(c.DialKafka))
	}
	return kgo.NewClient(slices.Concat(common, opts, c.Client)...)
}

// topicName is what Kafka allows, but for . and .. themselves.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// validate reports all problems at once.
func (c *Config) validate() error {
	var problems []error
	bad := func(where, what, fix string) {
		problems = append(problems, &fault.Error{Kind: fault.Usage, Where: where, What: what, Fix: fix})
	}
	if !slotName.MatchString(c.Slot) {
		bad("source.slot", fmt.Sprintf("%q is not a slot name", c.Slot), "use 1 to 63 of a-z, 0-9 and _")
	}
	for _, required := range []struct{ where, value string }{
		{"source.name", c.Name}, {"source.dsn", c.DSN}, {"source.publication", strings.Join(c.Publications, "")},
		{"kafka.transactional_id", c.TransactionalID}, {"kafka.position_topic", c.PositionTopic},
		{"kafka.transaction_topic", c.TransactionTopic},
	} {
		if required.value == "" {
			bad(required.where, "is empty", "set it")
		}
	}
	if len(c.Brokers) == 0 {
		bad("kafka.brokers", "names no broker", "list at least one host:port")
	}
	if len(c.Tables) == 0 && c.Match == nil {
		bad("source.tables", "names no table", "list at least one, such as public.content")
	}
	topics := map[string]string{c.PositionTopic: "kafka.position_topic"}
	claim := func(topic, owner string) {
		if other, taken := topics[topic]; taken {
			bad(owner, fmt.Sprintf("topic %q is already that of %s", topic, other), "give each its own topic")
		}
		topics[topic] = owner
	}
	claim(c.TransactionTopic, "kafka.transaction_topic")
	if c.DeadLetterTopic != "" {
		claim(c.DeadLetterTopic, "the topic of dead letters")
	}
	if c.Beats.Every > 0 {
		claim(c.Beats.Topic, "the topic of heartbeats")
	}
	if c.Messages.Topic != "" {
		claim(c.Messages.Topic, "the topic of messages")
	}
	if c.Messages.DeadLetters && c.DeadLetterTopic == "" {
		bad("kafka.bad_messages", "they are to be dead letters, but there is no topic for them", "name one")
	}
	tables := map[schema.TableName]bool{}
	for _, t := range c.Tables {
		if !topicName.MatchString(t.Topic) {
			bad("table "+t.Name.String(), fmt.Sprintf("%q is not a topic name", t.Topic),
				"name another in kafka.topics, of letters, digits, '.', '_' and '-', at most 249")
		}
		claim(t.Topic, "table "+t.Name.String())
		if t.Oversized == OversizedDeadLetter && c.DeadLetterTopic == "" {
			bad("table "+t.Name.String(), "its large records are to be dead letters, but there is no topic for them", "name one")
		}
		tables[t.Name] = true
	}
	for _, p := range c.Pipelines {
		claim(p.Topic, "pipeline "+p.Name)
		for _, side := range []JoinSide{p.Stream, p.Lookup} {
			if !tables[side.Table] {
				bad("pipelines."+p.Name, fmt.Sprintf("table %s is not captured", side.Table), "add it to source.tables")
			}
		}
	}
	return errors.Join(problems...)
}
