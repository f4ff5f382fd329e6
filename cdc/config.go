package cdc

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
)

// Config says what to capture and where to.
type Config struct {
	Name    string // of the capture: key of its position, prefix in Debezium's source block
	Version string // of the program, for the source block

	DSN         string // Postgres connection string, URL or keywords
	Slot        string
	Publication string
	Tables      []Table
	Pipelines   []Pipeline

	Brokers           []string
	TransactionalID   string // stable for the life of the capture
	PositionTopic     string
	Partitions        int32 // of the topics that the capture creates
	ReplicationFactor int16 // of the topics that the capture creates; -1 is the broker's default

	// Wait is how long a server that does not answer is waited for, at the start
	// and later, before Run gives up.
	Wait time.Duration
	// AcceptGap is the operator's word that the changes between the position and
	// this LSN may be missing. It must be the slot's confirmed_flush_lsn.
	AcceptGap schema.LSN

	Limits Limits

	Client []kgo.Opt // for the Kafka clients, in addition to and over those of the capture
}

// Table is a captured table and its topic.
type Table struct {
	Name  schema.TableName
	Topic string
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
}

// Limits end a Kafka transaction at the next commit boundary. Zero fields take
// the defaults of [DefaultLimits].
type Limits struct {
	Records int           // data records in one Kafka transaction
	Bytes   int           // their keys and values
	Age     time.Duration // since its first record
	Idle    time.Duration // between positions written while nothing changes
}

// DefaultLimits keep read-committed consumers within a quarter of a second under
// full load; an idle stream ends its Kafka transaction at once.
func DefaultLimits() Limits {
	return Limits{Records: 10_000, Bytes: 8 << 20, Age: 250 * time.Millisecond, Idle: 10 * time.Second}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.Records == 0 {
		l.Records = d.Records
	}
	if l.Bytes == 0 {
		l.Bytes = d.Bytes
	}
	if l.Age == 0 {
		l.Age = d.Age
	}
	if l.Idle == 0 {
		l.Idle = d.Idle
	}
	return l
}

// slotName is what Postgres allows; it also keeps the name safe in commands,
// where it cannot be quoted.
var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

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
		{"source.name", c.Name}, {"source.dsn", c.DSN}, {"source.publication", c.Publication},
		{"kafka.transactional_id", c.TransactionalID}, {"kafka.position_topic", c.PositionTopic},
	} {
		if required.value == "" {
			bad(required.where, "is empty", "set it")
		}
	}
	if len(c.Brokers) == 0 {
		bad("kafka.brokers", "names no broker", "list at least one host:port")
	}
	if len(c.Tables) == 0 {
		bad("source.tables", "names no table", "list at least one, such as public.content")
	}
	topics := map[string]string{c.PositionTopic: "kafka.position_topic"}
	claim := func(topic, owner string) {
		if other, taken := topics[topic]; taken {
			bad(owner, fmt.Sprintf("topic %q is already that of %s", topic, other), "give each its own topic")
		}
		topics[topic] = owner
	}
	tables := map[schema.TableName]bool{}
	for _, t := range c.Tables {
		claim(t.Topic, "table "+t.Name.String())
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
