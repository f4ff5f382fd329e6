package cdc

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/schema"
)

// ReadPosition returns the position that a capture has committed last, and whether
// it has one, for somebody who wants to look: only the holder of the slot may
// decide anything by it. It needs Name, Brokers and PositionTopic of the
// configuration, and does not wait for transactions that are open.
// Errors are faults, classed as those of [Capture.Run].
func ReadPosition(ctx context.Context, cfg Config) (position schema.Position, found bool, err error) {
	last, err := (&positionTopic{cfg: &cfg, topic: cfg.PositionTopic, key: cfg.Name}).peek(ctx)
	return last.position, last.found, err
}

// Jobs returns the last backfill of each table of a capture, and the commands by their ids that
// it has not met, both of one moment, as [ReadPosition] does its position.
func Jobs(ctx context.Context, cfg Config) (jobs map[schema.TableName]*backfill.Job, waiting map[string]Command, err error) {
	last, err := (&positionTopic{cfg: &cfg, topic: cfg.PositionTopic, key: cfg.Name}).peek(ctx)
	return last.jobs, last.commands, err
}

// peek reads what is committed now.
func (p *positionTopic) peek(ctx context.Context) (memory, error) {
	cl, err := p.cfg.kafka(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {0: kgo.NewOffset().AtStart()}}),
	)
	if err != nil {
		return memory{}, p.fault("open a reader", err)
	}
	defer cl.Close()
	start, _, stable, err := p.offsets(ctx, kadm.NewClient(cl))
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return memory{}, nil // no capture has started yet
	}
	if err != nil {
		return memory{}, p.fault("list offsets", err)
	}
	if start == stable {
		return memory{}, nil
	}
	return p.scan(ctx, cl, stable)
}
