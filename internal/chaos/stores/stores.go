// Package stores judges what the sink has made of the input topic: it holds every
// row in Cassandra and every hash in Redis against SQL on the final tables, field by
// field, and its version against those that the topic's records bear. It shares no code
// with the product.
//
// Read stores.go (where the stores are), fields.go (what a row is), engagement.go and
// orders.go (the pipelines), past.go (what the topic says), truth.go (what SQL says),
// cassandra.go and redis.go (what is there), check.go (the comparison), watch.go (what is seen while the sink works), verdict.go.
package stores

import (
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/redis/rueidis"
)

const (
	askTimeout = 30 * time.Second // for one question to a store
	pageRows   = 2_000            // of a scan
)

// Target is where the stores are.
type Target struct {
	DSN                          string // of the source
	Hosts                        []string
	Username, Password, Keyspace string            // of Cassandra
	Redis                        string            // host:port
	Prefixes                     map[string]string // what the keys of a pipeline's hashes begin with; the row's id follows
}

// Stores are clients of the judge's own. Methods may be called from several goroutines.
type Stores struct {
	target  Target
	session *gocql.Session
	redis   rueidis.Client
}

// Open connects to both stores, which must be up.
func Open(target Target) (*Stores, error) {
	cluster := gocql.NewCluster(target.Hosts...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: target.Username, Password: target.Password}
	cluster.Timeout, cluster.ConnectTimeout, cluster.PageSize = askTimeout, askTimeout, pageRows
	cluster.ReconnectInterval = time.Second
	cluster.Logger = silent{}
	session, err := cluster.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect to Cassandra: %w", err)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{target.Redis}, DisableCache: true, DisableRetry: true})
	if err != nil {
		session.Close()
		return nil, fmt.Errorf("connect to Redis: %w", err)
	}
	return &Stores{target: target, session: session, redis: client}, nil
}

// Close ends the connections.
func (s *Stores) Close() {
	s.redis.Close()
	s.session.Close()
}

// silent keeps the driver quiet while a node is away; errors come back by themselves.
type silent struct{}

func (silent) Error(string, ...gocql.LogField)   {}
func (silent) Warning(string, ...gocql.LogField) {}
func (silent) Info(string, ...gocql.LogField)    {}
func (silent) Debug(string, ...gocql.LogField)   {}
