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
	router := newRouter(&c.cfg, l.server.database, ready.keys, ready.topics.partitions)
	s := newSession(&c.cfg, l.stream, producer, router, from, c.log)
	if c.cfg.Streaming {
		if s.spool, err = spool.Open(c.cfg.Spool); err != nil {
			return false, err
		}
		defer func() { err = errors.Join(err, s.spool.Close()) }()
	}
	c.log.Info("streaming", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, from.EndLSN))
	begun := time.Now()
	err = c.withHeartbeat(ctx, s.run)
	c.position = s.position
	c.log.Info("streaming ended", zap.String(keySlot, c.cfg.Slot), zap.Stringer(keyLSN, s.position.EndLSN))
	idle := time.Since(begun) > statusInterval && !s.assembler.InTransaction()
	return s.position != from || idle, err
}
