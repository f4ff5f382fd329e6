package cdc

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"penstock/cdc/spool"
	"penstock/schema"
)

// deliver delivers from a position. It reports whether anything was, or the stream
// was idle and well for a while.
func (c *Capture) deliver(ctx context.Context, l *lease, producer *Producer, ready preparation, from schema.Position) (healthy bool, err error) {
	router := newRouter(&c.cfg, l.server.database, ready.topics, func(ctx context.Context, topic string) (topicInfo, error) {
		info, err := c.openTopic(ctx, topic)
		producer.Learn(topic, info.maxBytes)
		return info, err
	})
	router.seen = &c.seen
	router.octets = l.server.octets
	router.last, router.accepted, router.log = c.relations, c.accepted, c.log
	s := newSession(&c.cfg, l.stream, producer, router, from, c.log)
	defer s.close(ctx)
	s.copies = newCopies(&c.cfg, &c.kept, c.log)
	s.copies.since = from.Version
	if s.beats, err = newBeats(ctx, &c.cfg); err != nil {
		return false, err
	}
	if c.cfg.Streaming {
		if s.spool, err = spool.Open(c.cfg.Spool); err != nil {
			return false, err
		}
		defer func() { err = errors.Join(err, s.spool.Close()) }()
	}
	c.log.Info("streaming", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, from.EndLSN))
	c.cfg.meter.enter(Streaming)
	begun := time.Now()
	err = beside(ctx, s.run, c.beat, c.watch, s.copies.run, s.copies.hear)
	c.position = s.position
	c.log.Info("streaming ended", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, s.position.EndLSN))
	idle := time.Since(begun) > statusInterval && !s.assembler.InTransaction()
	return s.position != from || idle, err
}

// openTopic creates a topic unless it is there, and describes it.
func (c *Capture) openTopic(ctx context.Context, name string) (topicInfo, error) {
	topics, err := openTopics(&c.cfg)
	if err != nil {
		return topicInfo{}, err
	}
	defer topics.Close()
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	return topics.ensureOne(ctx, name)
}
