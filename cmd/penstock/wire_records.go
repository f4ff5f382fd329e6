package main

import (
	"fmt"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/config"
	"penstock/schema"
	"penstock/schema/shape"
)

// wireRecords tells the capture what the records of each table, and of messages,
// look like.
func wireRecords(c *cdc.Config, cfg *config.Config) error {
	var schemas *registry.Registry
	if cfg.NeedsRegistry() {
		var err error
		if schemas, err = registry.Open(registryConfig(cfg.Registry)); err != nil {
			return err
		}
	}
	for _, name := range cfg.Source.Tables {
		table, err := tableConfig(cfg, name)
		if err != nil {
			return fmt.Errorf("records of table %s: %w", name, err)
		}
		table.Format.Registry = schemas
		c.Tables = append(c.Tables, table)
		c.MarkCommits = c.MarkCommits || table.Transactions
		if table.Oversized == cdc.OversizedDeadLetter {
			c.DeadLetterTopic = cfg.Kafka.DeadLetterTopic
		}
	}
	usual, err := recordFormat(&cfg.Records.RecordStyle)
	if err != nil {
		return fmt.Errorf("records of messages: %w", err)
	}
	usual.Registry = schemas
	c.Messages = cdc.Messages{Topic: cfg.Kafka.MessageTopic, Format: usual}
	c.Beats = cdc.Beats{Topic: cfg.Kafka.HeartbeatTopic, Every: cfg.Kafka.Heartbeat, Format: usual}
	return nil
}

// tableConfig is what the capture needs to know of one table.
func tableConfig(cfg *config.Config, name schema.TableName) (cdc.Table, error) {
	r := cfg.RecordsOf(name)
	f, err := recordFormat(&r.RecordStyle)
	t := cdc.Table{
		Name: name, Topic: cfg.Topic(name), Format: f,
		Rules:        shape.Rules{Include: r.Include, Exclude: r.Exclude, Truncate: r.Truncate, Key: r.Key},
		NoTombstones: !r.Tombstones, Transactions: r.Transactions, Frozen: r.SchemaChange == config.SchemaStop,
		Oversized: oversized(r.Oversized),
	}
	if len(r.Mask) > 0 {
		t.Rules.Mask = make(map[string]shape.Mask, len(r.Mask))
	}
	for column, salt := range r.Mask {
		t.Rules.Mask[column] = shape.Mask{Salt: []byte(salt.Reveal())}
	}
	for _, op := range []schema.Op{schema.OpCreate, schema.OpUpdate, schema.OpDelete, schema.OpTruncate} {
		if r.Skips(op) {
			t.Skip = append(t.Skip, op)
		}
	}
	return t, err
}

func recordFormat(s *config.RecordStyle) (format.Format, error) {
	kind, err := format.Parse(s.Format)
	if err != nil {
		return format.Format{}, err
	}
	events, err := format.ParseEvents(s.CloudEvents)
	if err != nil {
		return format.Format{}, err
	}
	options, err := s.Options()
	return format.Format{Kind: kind, Options: options, Schemas: s.Schemas, Events: events}, err
}

func oversized(policy string) cdc.Oversized {
	switch policy {
	case config.OversizedTruncate:
		return cdc.OversizedTruncate
	case config.OversizedDeadLetter:
		return cdc.OversizedDeadLetter
	}
	return cdc.OversizedStop // loses nothing
}

func registryConfig(r config.Registry) registry.Config {
	return registry.Config{
		URLs: r.URLs, Username: r.Username, Password: r.Password.Reveal(), Token: r.Token.Reveal(),
		SubjectNaming: registry.Naming(r.SubjectNaming), AutoRegister: r.AutoRegister, Normalize: r.Normalize, Timeout: r.Timeout,
	}
}
