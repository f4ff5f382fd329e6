package cdc

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/format"
)

// beats are the records of the heartbeat topic. Each is part of a Kafka transaction
// that says how far the capture has come, so a reader who sees one knows that the
// capture was alive and able to commit. One goroutine, the session's.
type beats struct {
	topic   string
	every   time.Duration
	encoder *format.HeartbeatEncoder
	last    time.Time   // when one was produced, or the session began
	timer   *time.Timer // fires when one is due and nothing else ends a Kafka transaction
}

// newBeats is nil when no heartbeats are asked for.
func newBeats(ctx context.Context, cfg *Config) (*beats, error) {
	b := &cfg.Beats
	if b.Every == 0 {
		return nil, nil //nolint:nilnil // nil beats never
	}
	encoder, err := b.Format.CompileHeartbeats(ctx, b.Topic, cfg.Name)
	if err != nil {
		return nil, err
	}
	return &beats{topic: b.Topic, every: b.Every, encoder: encoder, last: time.Now(), timer: time.NewTimer(b.Every)}, nil
}

func (b *beats) stop() {
	if b != nil {
		b.timer.Stop()
	}
}

// due receives when a heartbeat is; never from nil beats.
func (b *beats) due() <-chan time.Time {
	if b == nil {
		return nil
	}
	return b.timer.C
}

// take returns the heartbeat that is due, if one is, for the Kafka transaction that
// ends now. As Debezium's, it goes to partition 0.
func (b *beats) take(now time.Time) []*kgo.Record {
	if b == nil || now.Sub(b.last) < b.every {
		return nil
	}
	b.last = now
	b.timer.Reset(b.every)
	return []*kgo.Record{{Topic: b.topic, Key: b.encoder.AppendKey(nil), Value: b.encoder.AppendValue(nil, now.UnixMicro())}}
}

// beat writes a heartbeat while nothing else is to be committed; else the next Kafka
// transaction takes it along. A graceful stop does not depend on it: it holds nothing
// but itself and a position that the next start finds out.
func (s *session) beat(ctx context.Context) (stopped bool, err error) {
	if s.assembler.InTransaction() || s.held.records > 0 {
		s.beats.timer.Reset(s.beats.every)
		return false, nil
	}
	if s.mayEnd() {
		err = s.end(ctx)
	} else {
		err = s.commitAt(ctx, s.position)
	}
	if err != nil && ctx.Err() != nil {
		s.log.Warn("a heartbeat is in doubt", zap.Error(err))
		return true, nil //nolint:nilerr // the next start finds out
	}
	return false, err
}
