package main

import (
	"context"
	"maps"
	"slices"

	"go.uber.org/zap"

	"penstock/cdc"
	"penstock/internal/config"
	"penstock/sink"
	"penstock/sink/cassandra"
	"penstock/sink/plan"
	"penstock/sink/redis"
)

// captureConfig is what the capture needs of a configuration.
func captureConfig(cfg *config.Config, word operatorWord) (cdc.Config, error) {
	c := cdc.Config{
		Name: cfg.Source.Name, Version: readBuildInfo().Version,
		DSN: cfg.Source.DSN.Reveal(), Slot: cfg.Source.Slot, Publications: cfg.Source.Publications,
		Brokers: cfg.Kafka.Brokers, TransactionalID: cfg.Kafka.TransactionalID, PositionTopic: cfg.Kafka.PositionTopic,
		Partitions: cfg.Kafka.Partitions, ReplicationFactor: cfg.Kafka.ReplicationFactor,
		TransactionTopic: cfg.Kafka.TransactionTopic, TransactionTimeout: cfg.Kafka.Transaction.Timeout,
		Wait: cfg.Wait, Accept: word.accept, NoStandby: word.noStandby, Takeover: word.takeover,
		Failover: cfg.Source.Failover, Heartbeat: cfg.Source.Heartbeat, Streaming: cfg.Source.Streaming, Spool: cfg.Source.Spool,
		Backfill: cdc.Backfill{
			Initial: cfg.Backfill.Policy == config.BackfillInitial, Readers: cfg.Backfill.Readers, ChunkBlocks: uint32(cfg.Backfill.ChunkBlocks),
			Rate: cfg.Backfill.RowsPerSecond,
		},
		Limits: limits(cfg.Kafka.Transaction), Failpoint: failpoint[cdc.Failpoint](),
	}
	if err := wireRecords(&c, cfg); err != nil {
		return cdc.Config{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Pipelines)) {
		p := cfg.Pipelines[name]
		stream, lookup := cfg.Declared(name)
		if p.Lookup.Key = nil; len(lookup) > 0 {
			p.Lookup.Key = []string{p.Lookup.Column} // else several lookup rows would be joined
		}
		c.Pipelines = append(c.Pipelines, cdc.Pipeline{
			Name: name, Topic: p.Topic, Stream: joinSide(&p.Stream, stream), Lookup: joinSide(&p.Lookup, lookup),
		})
	}
	return c, nil
}

// joinSide is one side of a pipeline's join, with what the pipeline takes it for.
func joinSide(declared *config.Side, columns []plan.Column) cdc.JoinSide {
	side := cdc.JoinSide{Table: declared.Table, Column: declared.Column, Key: declared.Key}
	for _, c := range columns {
		types := catalogTypes(c.Type, c.Native)
		if c.Name == declared.Column && c.Type == plan.Text {
			types = []string{"text", "varchar"} // of which equal values have equal texts
		}
		side.Columns = append(side.Columns, cdc.JoinColumn{Name: c.Name, Types: types, NotNull: c.NotNull})
	}
	return side
}

// catalogTypes are the names that pg_type has for a type of a plan, none for text,
// which takes many.
func catalogTypes(t plan.Type, native plan.Native) []string {
	switch native {
	case plan.Real:
		return []string{"float4"}
	case plan.Local:
		return []string{"timestamp"}
	case plan.Usual:
	}
	switch t {
	case plan.Bool:
		return []string{"bool"}
	case plan.Int:
		return []string{"int2", "int4", "int8"}
	case plan.Float:
		return []string{"float8"}
	case plan.UUID:
		return []string{"uuid"}
	case plan.Time:
		return []string{"timestamptz"}
	default:
		return nil
	}
}

func limits(t config.Transaction) cdc.Limits {
	return cdc.Limits{
		Records: t.Records, Bytes: t.Bytes, Age: t.Age, Idle: t.Idle,
		SplitRecords: t.SplitRecords, SplitBytes: t.SplitBytes, SplitAge: t.SplitAge,
	}
}

// sinkConfig is what the sink of one pipeline needs of a configuration.
func sinkConfig(cfg *config.Config, name string) sink.Config {
	p := cfg.Pipelines[name]
	policy := sink.Stop
	if p.OnError == config.OnErrorDeadLetter {
		policy = sink.DeadLetter
	}
	return sink.Config{
		OnError: policy, DeadLetterTopic: cfg.Kafka.DeadLetterTopic, ReplicationFactor: cfg.Kafka.ReplicationFactor, Failpoint: failpoint[sink.Failpoint](),
		Pipeline: name, Brokers: cfg.Kafka.Brokers, Topic: p.Topic, Group: p.Group,
		Plan: planOf(cfg, name), Wait: cfg.Wait, RejoinRate: p.RejoinRowsPerSecond,
	}
}

// progressConfig is what reading a pipeline's progress needs of a configuration.
func progressConfig(cfg *config.Config, name string) sink.Config {
	p := cfg.Pipelines[name]
	return sink.Config{Pipeline: name, Brokers: cfg.Kafka.Brokers, Topic: p.Topic, Group: p.Group}
}

// planOf is the plan of one pipeline; nil when it has problems, which the role of the
// sink does not start with.
func planOf(cfg *config.Config, name string) *plan.Plan {
	p, _ := cfg.Plan(name)
	return p
}

// stores are the two that a pipeline writes to.
type stores struct {
	cassandra *cassandra.Store
	redis     *redis.Store
}

func cassandraConfig(cfg *config.Config, p *plan.Plan) cassandra.Config {
	return cassandra.Config{
		Plan: p, Hosts: cfg.Cassandra.Hosts, Username: cfg.Cassandra.Username, Password: cfg.Cassandra.Password.Reveal(),
		Keyspace: cfg.Cassandra.Keyspace, Consistency: cassandra.Consistency(cfg.Cassandra.Consistency), Wait: cfg.Wait,
	}
}

// openStores connects to both, waiting for a server that is still coming up.
func openStores(ctx context.Context, cfg *config.Config, p *plan.Plan, log *zap.Logger) (*stores, error) {
	return openStoresAs(ctx, cfg, cassandraConfig(cfg, p), log)
}

func openStoresAs(ctx context.Context, cfg *config.Config, c cassandra.Config, log *zap.Logger) (*stores, error) {
	history, err := cassandra.Open(ctx, c, log)
	if err != nil {
		return nil, err
	}
	latest, err := redis.Open(ctx, redis.Config{
		Plan: c.Plan, Address: cfg.Redis.Address, Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		Database: cfg.Redis.Database, TombstoneLife: cfg.Redis.TombstoneTTL, Wait: cfg.Wait,
	}, log)
	if err != nil {
		history.Close()
		return nil, err
	}
	return &stores{cassandra: history, redis: latest}, nil
}

func (s *stores) close() {
	s.redis.Close()
	s.cassandra.Close()
}
