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
	c.Place = cfg.Place
	var schemas *registry.Registry
	if cfg.NeedsRegistry() {
		at, err := registryConfig(cfg.Registry)
		if err != nil {
			return err
		}
		if schemas, err = registry.Open(at); err != nil {
			return err
		}
	}
	for _, name := range cfg.Source.Tables {
		table, err := tableConfig(cfg, name, schemas)
		if err != nil {
			return err
		}
		c.Tables = append(c.Tables, table)
	}
	styles := []config.RecordStyle{}
	if len(cfg.Source.Matching) > 0 {
		c.Match, c.Patterns = matcher(cfg, schemas), cfg.Source.Matching
		for key := range cfg.Records.Tables {
			name, err := config.ParseTable(string(key))
			if err != nil {
				return err
			}
			c.Ruled = append(c.Ruled, name)
		}
		styles = append(styles, cfg.Records.RecordStyle)
		for _, own := range cfg.Records.Tables {
			styles = append(styles, own.RecordStyle)
		}
	}
	for _, name := range cfg.Source.Tables {
		styles = append(styles, cfg.RecordsOf(name).RecordStyle)
	}
	for i := range styles {
		c.MarkCommits = c.MarkCommits || styles[i].Transactions
		if styles[i].Oversized == config.OversizedDeadLetter {
			c.DeadLetterTopic = cfg.Kafka.DeadLetterTopic
		}
	}
	usual, err := recordFormat(&cfg.Records.RecordStyle)
	if err != nil {
		return fmt.Errorf("records of messages: %w", err)
	}
	usual.Registry = schemas
	c.Messages = cdc.Messages{
		Topic: cfg.Kafka.MessageTopic, Format: usual, Outbox: cfg.Kafka.OutboxTopics, DeadLetters: cfg.Kafka.BadMessages == config.BadDeadLetter,
	}
	if c.Messages.DeadLetters {
		c.DeadLetterTopic = cfg.Kafka.DeadLetterTopic
	}
	c.MarkFormat = usual
	c.Beats = cdc.Beats{Topic: cfg.Kafka.HeartbeatTopic, Every: cfg.Kafka.Heartbeat, Format: usual}
	return nil
}

// matcher describes the tables that are captured by their names.
func matcher(cfg *config.Config, schemas *registry.Registry) func(schema.TableName) (cdc.Table, bool) {
	return func(name schema.TableName) (cdc.Table, bool) {
		if !cfg.Source.Matches(name) {
			return cdc.Table{}, false
		}
		table, err := tableConfig(cfg, name, schemas)
		return table, err == nil // the configuration was validated: there is no error
	}
}

// tableConfig is what the capture needs to know of one table.
func tableConfig(cfg *config.Config, name schema.TableName, schemas *registry.Registry) (cdc.Table, error) {
	r := cfg.RecordsOf(name)
	f, err := recordFormat(&r.RecordStyle)
	if err != nil {
		return cdc.Table{}, fmt.Errorf("records of table %s: %w", name, err)
	}
	f.Registry = schemas
	t := cdc.Table{
		Name: name, Topic: cfg.Topic(name), Format: f,
		Rules:        shape.Rules{Include: r.Include, Exclude: r.Exclude, Truncate: r.Truncate, Key: r.Key, Partition: r.Partition},
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
	return t, nil
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

func registryConfig(r config.Registry) (registry.Config, error) {
	secure, err := r.TLS.Load()
	return registry.Config{
		URLs: r.URLs, Username: r.Username, Password: r.Password.Reveal(), Token: r.Token.Reveal(), TLS: secure,
		SubjectNaming: registry.Naming(r.SubjectNaming), AutoRegister: r.AutoRegister, Normalize: r.Normalize, Timeout: r.Timeout,
	}, err
}
