// Package cassandra keeps a plan's rows in Apache Cassandra: the history by join
// value, the lookup rows that the join reads, and the result under keys of its own.
// Every write carries its version as the cell timestamp, so that the newest wins
// in whatever order writes arrive.
//
// Read config.go, open.go, schema.go, statements.go, apply.go, scan.go, read.go, scan_view.go in that order.
package cassandra

import (
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink/plan"
)

// Config says where Cassandra is. The zero value of an optional field stands for
// its default.
type Config struct {
	Hosts    []string // host or host:port of some nodes
	Username string
	Password string
	TLS      *tls.Config // optional: nil speaks in the clear

	// Plan says which tables there are. Optional: the preset engagement.
	Plan *plan.Plan
	// Keyspace has the tables of which the plan does not say where they are, and is created with
	// them where absent. Optional: content_analytics.
	Keyspace string
	// Replication is the CQL map for a keyspace that is created. Optional:
	// {'class': 'SimpleStrategy', 'replication_factor': 1}, for one node.
	Replication string

	// Existing has Open refuse tables that are absent, and create nothing. Optional.
	Existing bool

	// Consistency is how many replicas answer a write before it counts as durable,
	// and a read. Optional: LOCAL_QUORUM. The join needs reads that see every write:
	// LOCAL_ONE gives that with a single replica only.
	Consistency Consistency

	Wait     time.Duration // optional, 1 minute: how long Open waits for a node that is coming up
	Timeout  time.Duration // optional, 11 seconds: one statement
	InFlight int           // optional, 128: statements in work at once, over all calls of Apply
}

// Consistency is a consistency level by its name in CQL.
type Consistency string

// The levels that the store can work at.
const (
	LocalOne    Consistency = "LOCAL_ONE"
	LocalQuorum Consistency = "LOCAL_QUORUM"
	Quorum      Consistency = "QUORUM"
	EachQuorum  Consistency = "EACH_QUORUM"
	All         Consistency = "ALL"
)

// level is the driver's; the zero level is none that the store can work at.
func (c Consistency) level() gocql.Consistency {
	switch c {
	case LocalOne:
		return gocql.LocalOne
	case LocalQuorum:
		return gocql.LocalQuorum
	case Quorum:
		return gocql.Quorum
	case EachQuorum:
		return gocql.EachQuorum
	case All:
		return gocql.All
	default:
		return 0
	}
}

const (
	defaultKeyspace    = "content_analytics"
	defaultReplication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
)

func (c Config) withDefaults() Config {
	if c.Plan == nil {
		c.Plan = plan.Engagement(schema.TableName{}, schema.TableName{}, "")
	}
	if c.Keyspace == "" {
		c.Keyspace = defaultKeyspace
	}
	if c.Replication == "" {
		c.Replication = defaultReplication
	}
	if c.Consistency == "" {
		c.Consistency = LocalQuorum
	}
	if c.Wait == 0 {
		c.Wait = time.Minute
	}
	if c.Timeout == 0 {
		c.Timeout = 11 * time.Second
	}
	if c.InFlight == 0 {
		c.InFlight = 128
	}
	return c
}

// validate reports everything that is wrong at once.
func (c Config) validate() error {
	var problems []error
	if len(c.Hosts) == 0 || slices.Contains(c.Hosts, "") {
		problems = append(problems, errors.New("cassandra.hosts is empty or holds an empty name"))
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`).MatchString(c.Keyspace) {
		problems = append(problems, fmt.Errorf("cassandra.keyspace %q: want at most 48 lower-case letters, digits and underscores, a letter first", c.Keyspace))
	}
	if c.Consistency.level() == 0 {
		problems = append(problems, fmt.Errorf("cassandra.consistency %q: want LOCAL_ONE, LOCAL_QUORUM, QUORUM, EACH_QUORUM or ALL", c.Consistency))
	}
	if c.Wait < 0 || c.Timeout < 0 || c.InFlight < 0 {
		problems = append(problems, errors.New("cassandra wait, timeout and statements in flight must not be negative"))
	}
	if len(problems) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Usage, Where: "cassandra", What: "configuration is not usable", Err: errors.Join(problems...)}
}
