package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"penstock/internal/fault"
	"penstock/schema"
)

func (v *validator) source() {
	s := v.cfg.Source
	v.require("source.dsn", string(s.DSN), "the capture reads from this database", "dsn: postgres://user:password@host:5432/database")
	v.scheme("source.dsn", s.DSN)
	v.publications()
	switch {
	case s.Slot == "":
		v.missing("source.slot", "the slot keeps the log until it is in Kafka", "slot: penstock")
	case !matches(`^[a-z0-9_]{1,63}$`, s.Slot):
		v.add("source.slot", fault.Error{
			What: fmt.Sprintf("%q is not a slot name", s.Slot), Why: "Postgres allows lower case letters, digits and _, at most 63", Fix: "slot: " + slotLike(s.Slot),
		})
	}
	if len(s.Tables) == 0 && len(s.Matching) == 0 {
		v.missing("source.tables", "nothing would be captured", "tables: [public.content, public.engagement_events]")
	}
	for i, pattern := range s.Matching {
		v.matching(fmt.Sprintf("source.matching[%d]", i), pattern)
	}
	seen := map[schema.TableName]bool{}
	for i, table := range s.Tables {
		if seen[table] {
			v.add(fmt.Sprintf("source.tables[%d]", i), namedTwice("table "+table.String()))
		}
		seen[table] = true
	}
	if s.Heartbeat < 0 {
		v.add("source.heartbeat", fault.Error{What: fmt.Sprintf("%s is below 0", s.Heartbeat), Fix: "heartbeat: 0 for none, or 30s"})
	}
	if s.Streaming && s.Spool == "" {
		v.missing("source.spool", "streamed transactions are kept there until they commit", "spool: /var/lib/penstock/spool")
	}
	v.topics()
}

func (v *validator) publications() {
	names := v.cfg.Source.Publications
	if len(names) == 0 || len(names) == 1 && names[0] == "" {
		v.missing("source.publication", "it says which tables the slot's stream carries", "publication: penstock")
		return
	}
	for i, name := range names {
		at := fmt.Sprintf("source.publication[%d]", i)
		switch {
		case name == "":
			v.add(at, fault.Error{What: "is empty", Fix: "name a publication"})
		case len(name) > 63:
			v.add(at, fault.Error{What: fmt.Sprintf("%q has %d bytes", name, len(name)), Why: "Postgres allows at most 63", Fix: "name another publication"})
		case slices.Contains(names[:i], name):
			v.add(at, namedTwice("publication "+name))
		}
	}
}

func (v *validator) kafka() {
	k := v.cfg.Kafka
	if len(k.Brokers) == 0 {
		v.missing("kafka.brokers", "changes go to Kafka", "brokers: [localhost:9092]")
	}
	for i, broker := range k.Brokers {
		v.address(fmt.Sprintf("kafka.brokers[%d]", i), broker, "9092")
	}
	if k.Partitions < 1 {
		v.add("kafka.partitions", fault.Error{What: fmt.Sprintf("%d is below 1", k.Partitions), Fix: fmt.Sprintf("partitions: %d", Default().Kafka.Partitions)})
	}
	if k.ReplicationFactor < 1 && k.ReplicationFactor != -1 {
		v.add("kafka.replication_factor", fault.Error{
			What: fmt.Sprintf("%d is neither -1, the broker's default, nor above 0", k.ReplicationFactor), Fix: "replication_factor: 3, or -1",
		})
	}
	v.oneOf("kafka.bad_messages", k.BadMessages, BadStop, BadDeadLetter)
	if k.Heartbeat < 0 {
		v.add("kafka.heartbeat", fault.Error{What: fmt.Sprintf("%s is below 0", k.Heartbeat), Fix: "heartbeat: 0 for none, or 30s"})
	}
	v.require("kafka.position_topic", k.PositionTopic, "it holds how far the capture has come", "position_topic: penstock.position")
	v.transaction()
}

// transaction checks the limits of a Kafka transaction.
func (v *validator) transaction() {
	t, usual := v.cfg.Kafka.Transaction, Default().Kafka.Transaction
	for _, limit := range []struct {
		key          string
		value, usual int
	}{
		{"records", t.Records, usual.Records}, {"bytes", t.Bytes, usual.Bytes},
		{"split_records", t.SplitRecords, usual.SplitRecords}, {"split_bytes", t.SplitBytes, usual.SplitBytes},
	} {
		if limit.value < 1 {
			v.add("kafka.transaction."+limit.key, fault.Error{What: fmt.Sprintf("%d is below 1", limit.value), Fix: fmt.Sprintf("%s: %d", limit.key, limit.usual)})
		}
	}
	for _, limit := range []struct {
		key          string
		value, usual time.Duration
	}{{"age", t.Age, usual.Age}, {"idle", t.Idle, usual.Idle}, {"split_age", t.SplitAge, usual.SplitAge}, {"timeout", t.Timeout, usual.Timeout}} {
		if limit.value <= 0 {
			v.add("kafka.transaction."+limit.key, fault.Error{
				What: fmt.Sprintf("%s is not a positive duration", limit.value), Fix: fmt.Sprintf("%s: %s", limit.key, limit.usual),
			})
		}
	}
	if 2*t.SplitAge > t.Timeout {
		v.add("kafka.transaction.split_age", fault.Error{
			What: fmt.Sprintf("%s is more than half of timeout, %s", t.SplitAge, t.Timeout),
			Why:  "Kafka could abort a large commit before it is split", Fix: "split_age: " + (t.Timeout / 4).String(),
		})
	}
}

// pipelines checks each pipeline; captured asks for its tables to be captured here.
func (v *validator) pipelines(captured bool) {
	for _, name := range slices.Sorted(maps.Keys(v.cfg.Pipelines)) {
		path, p := "pipelines."+name, v.cfg.Pipelines[name]
		if !matches(`^[a-zA-Z0-9_-]{1,100}$`, name) {
			v.add(path, fault.Error{
				What: fmt.Sprintf("%q is not a pipeline name", name), Why: "letters, digits, '_' and '-' are allowed, at most 100", Fix: likeName(name, 100),
			})
		}
		v.oneOf(path+".on_error", p.OnError, OnErrorStop, OnErrorDeadLetter)
		switch {
		case p.Preset == PresetEngagement:
		case p.Preset != "":
			v.oneOf(path+".preset", p.Preset, PresetEngagement)
			continue
		case !p.hasTables():
			v.missing(path+".preset", "the pipeline names neither a preset nor tables", "preset: engagement")
			continue
		}
		v.side(path+".stream", p.Stream, captured)
		v.side(path+".lookup", p.Lookup, captured)
	}
}

func (v *validator) side(path string, s Side, captured bool) {
	if s.Table == (schema.TableName{}) {
		v.missing(path+".table", "the join needs a table on both sides", lastOf(path)+": { table: public.content, column: id }")
		return
	}
	v.require(path+".column", s.Column, "it is the join column of "+s.Table.String(), "column: content_id")
	if captured && len(v.cfg.Source.Tables) > 0 && !slices.Contains(v.cfg.Source.Tables, s.Table) {
		v.add(path+".table", fault.Error{
			What: fmt.Sprintf("table %s is not captured", s.Table), Why: "the pipeline would never see its rows",
			Fix: fmt.Sprintf("add %s to source.tables", s.Table),
		})
	}
}

func (v *validator) stores() {
	c, r := v.cfg.Cassandra, v.cfg.Redis
	if len(c.Hosts) == 0 {
		v.missing("cassandra.hosts", "the sink writes every event there", "hosts: [localhost]")
	}
	for i, host := range c.Hosts {
		if strings.Contains(host, ":") {
			v.address(fmt.Sprintf("cassandra.hosts[%d]", i), host, "9042")
		}
	}
	if !matches(`^[a-z][a-z0-9_]{0,47}$`, c.Keyspace) {
		v.add("cassandra.keyspace", fault.Error{
			What: fmt.Sprintf("%q is not a keyspace name", c.Keyspace),
			Why:  "it is a lower case letter, then lower case letters, digits and _, at most 48",
			Fix:  "keyspace: " + Default().Cassandra.Keyspace,
		})
	}
	v.oneOf("cassandra.consistency", c.Consistency, "LOCAL_QUORUM", "QUORUM", "ALL")
	if r.Address == "" {
		v.missing("redis.address", "the sink writes every event there", "address: localhost:6379")
	} else {
		v.address("redis.address", r.Address, "6379")
	}
	v.require("redis.prefix", r.Prefix, "it keeps the events apart from other keys", "prefix: engagement_events")
	if r.Database < 0 {
		v.add("redis.database", fault.Error{What: fmt.Sprintf("%d is below 0", r.Database), Fix: "database: 0"})
	}
	if r.TombstoneTTL < time.Second {
		v.add("redis.tombstone_ttl", fault.Error{What: fmt.Sprintf("%s is below 1s", r.TombstoneTTL), Fix: "tombstone_ttl: 168h"})
	}
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
