package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// course knows how far the capture and the sink have come.
type course struct {
	cfg       *Config
	postgres  *postgres
	kafka     *kafka
	positions *topic
	input     *topic // the pipeline's

	position schema.Position // the last that was read
}

// The pauses between two looks, and between two words to the server.
const (
	lookEvery = 100 * time.Millisecond
	beatEvery = time.Second
)

func openCourse(ctx context.Context, cfg *Config, p *postgres, k *kafka) (*course, error) {
	c := &course{cfg: cfg, postgres: p, kafka: k}
	var err error
	if c.positions, err = k.open(ctx, cfg.PositionTopic); err != nil {
		return nil, err
	}
	if c.input, err = k.open(ctx, cfg.Topic); err != nil {
		c.positions.close()
		return nil, err
	}
	return c, nil
}

func (c *course) close() {
	c.positions.close()
	c.input.close()
}

// await returns when the stores have everything of what a snapshot shows: the capture's
// position is at its LSN or above, so the input topic holds it, and the group has
// committed every record that was there then. It visits what is new in the topic.
func (c *course) await(ctx context.Context, lsn schema.LSN, visit func(partition int32, records []*kgo.Record) error) error {
	if err := c.awaitPosition(ctx, lsn); err != nil {
		return err
	}
	// To the high watermark, not to the last stable offset: the position's transaction may
	// be decided, and not in every partition yet.
	ends, err := c.kafka.offsets(ctx, c.cfg.Topic, c.kafka.admin.ListEndOffsets)
	if err != nil {
		return err
	}
	if err := c.input.readTo(ctx, ends, visit); err != nil {
		return err
	}
	return c.awaitGroup(ctx)
}

// awaitPosition waits for the capture. An idle one is told, by way of the log, how far
// the server is; so the position moves also when nothing is written.
func (c *course) awaitPosition(ctx context.Context, lsn schema.LSN) error {
	var beaten time.Time
	since, last := time.Now(), c.position.EndLSN
	for {
		if err := c.look(ctx); err != nil {
			return err
		}
		switch now := time.Now(); {
		case c.position.EndLSN >= lsn:
			return nil
		case c.position.EndLSN > last:
			since, last = now, c.position.EndLSN
		case now.Sub(since) >= c.cfg.Wait:
			return c.captureBehind(lsn)
		case now.Sub(beaten) >= beatEvery:
			beaten = now
			if err := c.postgres.beat(ctx, c.cfg.Capture); err != nil {
				return err
			}
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// look reads the position as it is now.
func (c *course) look(ctx context.Context) error {
	ends, err := c.kafka.offsets(ctx, c.cfg.PositionTopic, c.kafka.admin.ListCommittedOffsets)
	if err != nil {
		return err
	}
	return c.positions.readTo(ctx, ends, func(_ int32, records []*kgo.Record) error {
		for _, r := range records {
			if string(r.Key) != c.cfg.Capture {
				continue
			}
			position, err := record.ParsePosition(r.Value)
			if err != nil {
				return fmt.Errorf("topic %s offset %d: %w", r.Topic, r.Offset, err)
			}
			c.position = position
		}
		return nil
	})
}

// clock is a version that every change to come is above: the last that the capture has
// given, or the time when the snapshot was taken, whichever is later.
func (c *course) clock(s *snapshot) int64 { return max(c.position.Version, s.micros) }

func (c *course) captureBehind(lsn schema.LSN) error {
	f := &fault.Error{
		Kind: fault.Unreachable, Where: fmt.Sprintf("capture %s", c.cfg.Capture),
		What: fmt.Sprintf("its position is %s, waited %s for it to come to %s", c.position.EndLSN, c.cfg.Wait, lsn),
		Why:  "what the source has cannot be in the stores before", Fix: "see that penstock run is running, and what it says; or give it longer with --timeout",
	}
	if c.position.EndLSN.IsZero() {
		f.What = fmt.Sprintf("it has no position in topic %s, waited %s for one", c.cfg.PositionTopic, c.cfg.Wait)
		f.Fix = "start penstock run, or correct source.name and kafka.position_topic"
	}
	return f
}

// awaitGroup waits until the group has committed every record of the input topic that
// was read. A partition that ends with what Kafka itself has written, or with what was
// aborted, is never committed to its end.
func (c *course) awaitGroup(ctx context.Context) error {
	since, last := time.Now(), int64(-1)
	for {
		committed, err := c.kafka.committed(ctx)
		if err != nil {
			return err
		}
		behind, sum := map[int32]int64{}, int64(0)
		for p, offset := range c.input.last {
			if committed[p] <= offset {
				behind[p] = offset + 1 - committed[p]
			}
			sum += committed[p]
		}
		if len(behind) == 0 {
			return nil
		}
		if sum > last {
			since, last = time.Now(), sum
		} else if time.Since(since) >= c.cfg.Wait {
			return c.sinkBehind(ctx, committed, behind)
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

func (c *course) sinkBehind(ctx context.Context, committed, behind map[int32]int64) error {
	var list []string
	for _, p := range slices.Sorted(maps.Keys(behind)) {
		list = append(list, fmt.Sprintf("partition %d at offset %d, %d behind", p, committed[p], behind[p]))
	}
	f := &fault.Error{
		Kind: fault.Unreachable, Where: fmt.Sprintf("pipeline %s: group %s of topic %s", c.cfg.Pipeline, c.cfg.Group, c.cfg.Topic),
		What: fmt.Sprintf("waited %s without progress: %s", c.cfg.Wait, strings.Join(list, "; ")),
		Why:  "the stores lack what lies between", Fix: "see what the sink says; or give it longer with --timeout",
	}
	if c.kafka.members(ctx) == 0 {
		f.Fix = "start the sink: penstock run, or penstock run --only sink"
	}
	return f
}

// beat writes a logical message that has the server tell the capture how far it is.
func (p *postgres) beat(ctx context.Context, capture string) error {
	query := "SELECT pg_logical_emit_message(false, $1, $2)"
	if p.flushes {
		query = "SELECT pg_logical_emit_message(false, $1, $2, true)"
	}
	if _, err := p.beside.Exec(ctx, query, schema.HeartbeatPrefix, capture); err != nil {
		return p.fault("write a heartbeat", err)
	}
	return nil
}

func pause(ctx context.Context, length time.Duration) error {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
