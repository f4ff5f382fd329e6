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
	v.publications()
	switch {
	case s.Slot == "":
		v.missing("source.slot", "the slot keeps the log until it is in Kafka", "slot: penstock")
	case !matches(`^[a-z0-9_]{1,63}$`, s.Slot):
		v.add("source.slot", fault.Error{What: fmt.Sprintf("%q is not a slot name", s.Slot), Why: "Postgres allows lower case letters, digits and _, at most 63"})
	}
	if len(s.Tables) == 0 && len(s.Matching) == 0 {
		v.missing("source.tables", "nothing would be captured", "tables: [public.content, public.engagement_events]")
	}
	for i, pattern := range s.Matching {
		if schemaName, name, ok := strings.Cut(pattern, "."); !ok || schemaName == "" || name == "" {
			v.add(fmt.Sprintf("source.matching[%d]", i), fault.Error{
				What: fmt.Sprintf("%q is not a pattern of schema.table", pattern), Fix: `"sales.*", or "public.order_*"`})
		}
	}
	seen := map[schema.TableName]bool{}
	for i, table := range s.Tables {
		if seen[table] {
			v.add(fmt.Sprintf("source.tables[%d]", i), fault.Error{What: fmt.Sprintf("table %s is named twice", table)})
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
			v.add(at, fault.Error{What: fmt.Sprintf("%q has %d bytes", name, len(name)), Why: "Postgres allows at most 63"})
		case slices.Contains(names[:i], name):
			v.add(at, fault.Error{What: fmt.Sprintf("publication %s is named twice", name)})
		}
	}
}

// topics checks the topic of every table: a valid name, and no two alike.
func (v *validator) topics() {
	owner := map[string]string{v.cfg.Kafka.PositionTopic: "kafka.position_topic"}
	v.topic("kafka.transaction_topic", v.cfg.Kafka.TransactionTopic, "kafka.transaction_topic", owner)
	v.topic("kafka.dead_letter_topic", v.cfg.Kafka.DeadLetterTopic, "kafka.dead_letter_topic", owner)
	v.topic("kafka.heartbeat_topic", v.cfg.Kafka.HeartbeatTopic, "kafka.heartbeat_topic", owner)
	if v.cfg.Kafka.MessageTopic != "" {
		v.topic("kafka.message_topic", v.cfg.Kafka.MessageTopic, "kafka.message_topic", owner)
	}
	for _, name := range slices.Sorted(maps.Keys(v.cfg.Pipelines)) {
		path := "pipelines." + name + ".topic"
		v.topic(path, v.cfg.Pipelines[name].Topic, path, owner)
	}
	for i, table := range v.cfg.Source.Tables {
		if table == (schema.TableName{}) || slices.Contains(v.cfg.Source.Tables[:i], table) {
			continue
		}
		path := "kafka.topic"
		if key := TableKey(FormatTable(table)); v.cfg.Kafka.Topics[key] != "" {
			path = "kafka.topics." + string(key)
		}
		v.topic(path, v.cfg.Topic(table), "table "+table.String(), owner)
	}
	for _, key := range slices.Sorted(maps.Keys(v.cfg.Kafka.Topics)) {
		listed := func(t schema.TableName) bool { return TableKey(FormatTable(t)) == key }
		if !v.cfg.Source.matchesKey(key) && !slices.ContainsFunc(v.cfg.Source.Tables, listed) {
			v.add("kafka.topics."+string(key), fault.Error{
				What: string(key) + " is not one of source.tables", Fix: "name it in source.tables",
			})
		}
	}
}

// topic checks one topic's name and that nobody else writes to it.
func (v *validator) topic(path, topic, user string, owner map[string]string) {
	if !matches(`^[a-zA-Z0-9._-]{1,249}$`, topic) || topic == "." || topic == ".." {
		v.add(path, fault.Error{
			What: fmt.Sprintf("%q, the topic of %s, is not a topic name", topic, user),
			Why:  "Kafka allows letters, digits, '.', '_' and '-', at most 249",
		})
		return
	}
	if other, ok := owner[topic]; ok {
		v.add(path, fault.Error{What: fmt.Sprintf("topic %s is used by both %s and %s", topic, other, user), Fix: "name one of them in kafka.topics"})
		return
	}
	owner[topic] = user
}

func (v *validator) kafka() {
	k := v.cfg.Kafka
	if len(k.Brokers) == 0 {
		v.missing("kafka.brokers", "changes go to Kafka", "brokers: [localhost:9092]")
	}
	for i, broker := range k.Brokers {
		v.address(fmt.Sprintf("kafka.brokers[%d]", i), broker)
	}
	if k.Partitions < 1 {
		v.add("kafka.partitions", fault.Error{What: fmt.Sprintf("%d is below 1", k.Partitions)})
	}
	if k.ReplicationFactor < 1 && k.ReplicationFactor != -1 {
		v.add("kafka.replication_factor", fault.Error{What: fmt.Sprintf("%d is neither -1, the broker's default, nor above 0", k.ReplicationFactor)})
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
	t := v.cfg.Kafka.Transaction
	for _, limit := range []struct {
		key   string
		value int
	}{{"records", t.Records}, {"bytes", t.Bytes}, {"split_records", t.SplitRecords}, {"split_bytes", t.SplitBytes}} {
		if limit.value < 1 {
			v.add("kafka.transaction."+limit.key, fault.Error{What: fmt.Sprintf("%d is below 1", limit.value)})
		}
	}
	for _, limit := range []struct {
		key   string
		value time.Duration
	}{{"age", t.Age}, {"idle", t.Idle}, {"split_age", t.SplitAge}, {"timeout", t.Timeout}} {
		if limit.value <= 0 {
			v.add("kafka.transaction."+limit.key, fault.Error{What: fmt.Sprintf("%s is not a positive duration", limit.value)})
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
			v.add(path, fault.Error{What: fmt.Sprintf("%q is not a pipeline name", name), Why: "letters, digits, '_' and '-' are allowed, at most 100"})
		}
		v.oneOf(path+".on_error", p.OnError, OnErrorStop, OnErrorDeadLetter)
		switch {
		case p.Preset == PresetEngagement:
		case p.Preset != "":
			v.oneOf(path+".preset", p.Preset, PresetEngagement)
			continue
		case p.Stream.Table == (schema.TableName{}) && p.Lookup.Table == (schema.TableName{}):
			v.missing(path+".preset", "the pipeline names neither a preset nor tables", "preset: engagement")
			continue
		}
		v.side(path+".stream", p.Stream, captured)
		v.side(path+".lookup", p.Lookup, captured)
	}
}

func (v *validator) side(path string, s Side, captured bool) {
	if s.Table == (schema.TableName{}) {
		v.missing(path+".table", "the join needs a table on both sides", "")
		return
	}
	v.require(path+".column", s.Column, "it is the join column of "+s.Table.String(), "")
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
			v.address(fmt.Sprintf("cassandra.hosts[%d]", i), host)
		}
	}
	if !matches(`^[a-z][a-z0-9_]{0,47}$`, c.Keyspace) {
		v.add("cassandra.keyspace", fault.Error{
			What: fmt.Sprintf("%q is not a keyspace name", c.Keyspace),
			Why:  "it is a lower case letter, then lower case letters, digits and _, at most 48",
		})
	}
	v.oneOf("cassandra.consistency", c.Consistency, "LOCAL_QUORUM", "QUORUM", "ALL")
	if r.Address == "" {
		v.missing("redis.address", "the sink writes every event there", "address: localhost:6379")
	} else {
		v.address("redis.address", r.Address)
	}
	v.require("redis.prefix", r.Prefix, "it keeps the events apart from other keys", "prefix: engagement_events")
	if r.Database < 0 {
		v.add("redis.database", fault.Error{What: fmt.Sprintf("%d is below 0", r.Database)})
	}
	if r.TombstoneTTL < time.Second {
		v.add("redis.tombstone_ttl", fault.Error{What: fmt.Sprintf("%s is below 1s", r.TombstoneTTL), Fix: "tombstone_ttl: 168h"})
	}
}

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
