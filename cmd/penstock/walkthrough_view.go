package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"penstock/internal/stack"
)

// render draws the story for people: the servers, a row for each event with
// every stage, and what the check found.
func (s *story) render(width int, p palette) string {
	var b strings.Builder
	b.WriteString(s.table(p).draw(width, p))
	b.WriteString("\n")
	if s.OK {
		_, _ = fmt.Fprintf(&b, "%s all %d events equal the join in Postgres, field by field, in Cassandra and in Redis\n", p.tick(), len(s.Events))
		_, _ = fmt.Fprintf(&b, "%s topics %s and %s hold each row exactly once\n", p.tick(), s.Names.Events, s.Names.Content)
		return b.String()
	}
	for _, d := range s.Differences {
		_, _ = fmt.Fprintf(&b, "%s %s\n", p.cross(), d)
	}
	return b.String()
}

func (s *story) table(p palette) *table {
	t := &table{header: []string{"EVENT", "POSTGRES", "KAFKA", "CASSANDRA", "REDIS", "COMMIT → REDIS"}}
	for _, e := range s.Events {
		duration, redisTime := "–", "–"
		if e.Postgres.DurationMS != nil {
			duration = fmt.Sprintf("%d ms", *e.Postgres.DurationMS)
		}
		if e.Redis != nil {
			redisTime = fmt.Sprintf("%.1f ms", float64(e.CommitToRedis)/float64(time.Millisecond))
		}
		t.add(
			fmt.Sprintf("%d %s", e.ID, e.Postgres.Type),
			stage(p, true, fmt.Sprintf("%s, %s", duration, e.Postgres.Device)),
			stage(p, e.Kafka != nil, e.Kafka.String()),
			stage(p, e.Cassandra != nil, e.Cassandra.String()),
			stage(p, e.Redis != nil, redisCell(e.Redis)),
			redisTime,
		)
	}
	return t
}

func stage(p palette, reached bool, text string) string {
	if !reached {
		return p.cross() + " not there"
	}
	return p.tick() + " " + text
}

// String is partition, offset and LSN, or nothing for a stage not reached.
func (k *kafkaStage) String() string {
	if k == nil {
		return ""
	}
	return fmt.Sprintf("partition %d offset %d, lsn %s", k.Partition, k.Offset, k.LSN)
}

// String is the two metrics, or nothing for a stage not reached.
func (c *cassandraStage) String() string {
	if c == nil {
		return ""
	}
	seconds, pct := "–", "–"
	if c.Seconds != nil {
		seconds = strconv.FormatFloat(*c.Seconds, 'f', -1, 64) + " s"
	}
	if c.Pct != nil {
		pct = strconv.FormatFloat(*c.Pct*100, 'f', 1, 64) + " %"
	}
	return seconds + ", " + pct
}

func redisCell(hash map[string]string) string {
	if seconds := hash["engagement_seconds_str"]; seconds != "" {
		return seconds + " s"
	}
	return "–"
}

// renderServers lists what the walk-through runs on and what its objects are called.
func renderServers(servers stack.Servers, n names, p palette) string {
	var b strings.Builder
	line := func(name string, about stack.About, at, holds string) {
		_, _ = fmt.Fprintf(&b, "  %s %-10s %-12s %s\n", p.bold(fmt.Sprintf("%-10s", name)), about.Version, about.Origin, at)
		_, _ = fmt.Fprintf(&b, "             %s\n", p.dim(holds))
	}
	line("Postgres", servers.Postgres.About, hostOf(servers.Postgres.DSN), "database "+n.Database+", slot "+n.Slot)
	line("Kafka", servers.Kafka.About, strings.Join(servers.Kafka.Brokers, ","), "topics "+n.Events+", "+n.Content+", "+n.input())
	line("Cassandra", servers.Cassandra.About, strings.Join(servers.Cassandra.Hosts, ","), "keyspace "+n.Keyspace)
	line("Redis", servers.Redis.About, servers.Redis.Address, "hashes "+n.Prefix+":event:<id>")
	return b.String()
}

// hostOf is the part of a DSN that may be shown.
func hostOf(dsn string) string {
	_, rest, ok := strings.Cut(dsn, "://")
	if !ok {
		return "as the DSN says"
	}
	rest, _, _ = strings.Cut(rest, "/")
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

// renderAddresses lists a command for each server that shows what the demo wrote.
func (s *story) renderAddresses(p palette) string {
	n, servers := s.Names, s.Servers
	dsn, err := dsnFor(servers.Postgres.DSN, n.Database, demoUser, demoPassword)
	if err != nil {
		dsn = err.Error()
	}
	host, port, _ := net.SplitHostPort(servers.Cassandra.Hosts[0])
	login := " -u " + servers.Cassandra.Username
	if servers.Cassandra.Origin != stack.FromEnvironment {
		login += " -p " + servers.Cassandra.Password
	}
	redisHost, redisPort, _ := net.SplitHostPort(servers.Redis.Address)
	lines := [][2]string{
		{"Postgres", "psql '" + dsn + "'"},
		{"Kafka", "kafka-console-consumer.sh --bootstrap-server " + servers.Kafka.Brokers[0] + " --topic " + n.Events +
			" --from-beginning --isolation-level read_committed"},
		{"Cassandra", "cqlsh " + host + " " + port + login + " -e 'SELECT * FROM " + n.Keyspace + ".engagement_metrics'"},
		{"Redis", "redis-cli -h " + redisHost + " -p " + redisPort + " HGETALL " + n.Prefix + ":event:1"},
	}
	var b strings.Builder
	for _, line := range lines {
		_, _ = fmt.Fprintf(&b, "  %s %s\n", p.bold(fmt.Sprintf("%-10s", line[0])), line[1])
	}
	return b.String()
}
