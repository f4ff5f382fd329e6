package cdc

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
)

// ReadPosition returns the position that a capture has committed last, and whether
// it has one, for somebody who wants to look: only the holder of the slot may
// decide anything by it. It needs Name, Brokers and PositionTopic of the
// configuration, and does not wait for transactions that are open.
// Errors are faults, classed as those of [Capture.Run].
func ReadPosition(ctx context.Context, cfg Config) (position schema.Position, found bool, err error) {
	p := &positionTopic{cfg: &cfg, topic: cfg.PositionTopic, key: cfg.Name}
	cl, err := cfg.kafka(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {0: kgo.NewOffset().AtStart()}}),
	)
	if err != nil {
		return schema.Position{}, false, p.fault("open a reader", err)
	}
	defer cl.Close()
	start, _, stable, err := p.offsets(ctx, kadm.NewClient(cl))
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return schema.Position{}, false, nil // no capture has started yet
	}
	if err != nil {
		return schema.Position{}, false, p.fault("list offsets", err)
	}
	if start == stable {
		return schema.Position{}, false, nil
	}
	last, err := p.scan(ctx, cl, stable)
	return last.position, last.found, err
}
