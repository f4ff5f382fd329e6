package main

import (
	"fmt"
	"net/url"
	"strings"

	"penstock/internal/config"
	"penstock/internal/stack"
)

// names is what the objects of one walk-through are called.
type names struct {
	Database string `json:"database"`
	Slot     string `json:"slot"`
	Events   string `json:"events_topic"`
	Content  string `json:"content_topic"`
	Pipeline string `json:"pipeline"`
	Position string `json:"position_topic"`
	Keyspace string `json:"keyspace"`
	Prefix   string `json:"redis_prefix"`
}

// namesFor returns the seed's names, or for n above 1 those with the number
// appended: the demo leaves alone what is on the servers already.
func namesFor(n int) names {
	suffix := ""
	if n > 1 {
		suffix = fmt.Sprintf("_%d", n)
	}
	return names{
		Database: "streaming_db" + suffix,
		Slot:     "engagement" + suffix,
		Events:   "engagement_events" + suffix,
		Content:  "content" + suffix,
		Pipeline: "engagement_metrics" + suffix,
		Position: "penstock.demo.position" + suffix,
		Keyspace: "content_analytics" + suffix,
		Prefix:   "engagement_events" + suffix,
	}
}

func (n names) input() string { return "penstock." + n.Pipeline + ".input" }
func (n names) group() string { return "penstock." + n.Pipeline }

// topics lists every topic of the walk-through.
func (n names) topics() []string { return []string{n.Events, n.Content, n.input(), n.Position} }

// The seed's login, created by setup.sql.
const (
	demoUser     = "analytics_user"
	demoPassword = "myStrongPassword123"
)

// demoConfig is what the demo's daemon runs with.
const demoConfig = `
source:
  dsn: ${DSN}
  slot: ${SLOT}
  publication: engagement
  tables: [public.content, public.engagement_events]
kafka:
  brokers: ${BROKERS}
  topics:
    public.engagement_events: ${EVENTS}
    public.content: ${CONTENT}
  partitions: 3
  position_topic: ${POSITION}
cassandra:
  hosts: ${HOSTS}
  username: ${USERNAME}
  password: ${PASSWORD}
  keyspace: ${KEYSPACE}
redis:
  address: ${REDIS}
  prefix: ${PREFIX}
`

// config reads demoConfig with the names and the servers filled in.
func (n names) config(servers stack.Servers) (*config.Config, error) {
	dsn, err := dsnFor(servers.Postgres.DSN, n.Database, demoUser, demoPassword)
	if err != nil {
		return nil, err
	}
	values := []string{
		"DSN=" + dsn, "SLOT=" + n.Slot,
		"BROKERS=" + strings.Join(servers.Kafka.Brokers, ","), "EVENTS=" + n.Events, "CONTENT=" + n.Content, "POSITION=" + n.Position,
		"HOSTS=" + strings.Join(servers.Cassandra.Hosts, ","), "KEYSPACE=" + n.Keyspace,
		"USERNAME=" + servers.Cassandra.Username, "PASSWORD=" + servers.Cassandra.Password,
		"REDIS=" + servers.Redis.Address, "PREFIX=" + n.Prefix,
	}
	pipeline := config.Override{Key: "pipelines." + n.Pipeline + ".preset", Value: config.PresetEngagement, Origin: "demo"}
	return config.Parse("the demo's configuration", []byte(demoConfig), values, []config.Override{pipeline})
}

// dsnFor is the DSN of another database, and of another user when one is named.
func dsnFor(dsn, database, user, password string) (string, error) {
	if !strings.Contains(dsn, "://") {
		dsn += " dbname=" + database
		if user != "" {
			dsn += " user=" + user + " password=" + password
		}
		return dsn, nil
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("read the DSN of Postgres: %w", err)
	}
	u.Path = "/" + database
	query := u.Query() // may hold what the rest of the URL says as well, and would win
	query.Del("dbname")
	if user != "" {
		query.Del("user")
		query.Del("password")
	}
	u.RawQuery = query.Encode()
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String(), nil
}
