package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
)

// fatal returns the fault of a poll that reading on cannot mend.
func (c *consumer) fatal(ctx context.Context, fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if err := c.fetchFault(ctx, e); fault.KindOf(err) != fault.Unreachable {
			return err
		}
	}
	return nil
}

// transient returns the first fault of a poll that may pass, other than the
// poll's own time running out.
func (c *consumer) transient(ctx context.Context, fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled) {
			continue
		}
		return c.fetchFault(ctx, e)
	}
	return nil
}

func (c *consumer) fetchFault(ctx context.Context, e kgo.FetchError) error {
	var lost *kgo.ErrDataLoss
	where := fmt.Sprintf("pipeline %s: topic %s partition %d", c.sink.cfg.Pipeline, e.Topic, e.Partition)
	switch {
	case errors.As(e.Err, &lost), errors.Is(e.Err, kerr.OffsetOutOfRange):
		return &fault.Error{
			Kind: fault.PositionLost, Where: where, Err: e.Err,
			What: "the topic no longer holds " + c.lost(ctx, e.Partition),
			Why:  "changes that it held before are missing from the stores",
			Fix: fmt.Sprintf("backfill the tables, then kafka-consumer-groups.sh --group %s --topic %s --reset-offsets --to-earliest --execute",
				c.sink.cfg.Group, e.Topic),
		}
	case errors.Is(e.Err, kerr.UnknownTopicOrPartition), errors.Is(e.Err, kerr.UnknownTopicID), errors.Is(e.Err, kerr.InconsistentTopicID):
		return &fault.Error{
			Kind: fault.PositionLost, Where: where, Err: e.Err,
			What: "the input topic was deleted",
			Fix:  "backfill the tables into the new topic and use a new group",
		}
	default:
		return c.sink.kafkaFault("poll", e.Err)
	}
}

// lost says which offset of a partition the group goes on from and which the
// topic holds, as far as Kafka answers.
func (c *consumer) lost(ctx context.Context, partition int32) string {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	admin, topic, group := kadm.NewClient(c.client), c.sink.cfg.Topic, c.sink.cfg.Group
	what := fmt.Sprintf("the offset that group %s goes on from", group)
	committed, err := admin.FetchOffsets(ctx, group)
	if err == nil || errors.Is(err, kerr.GroupIDNotFound) {
		what = fmt.Sprintf("offset 0, and group %s has committed none", group)
		if at, found := committed.Lookup(topic, partition); found && at.At >= 0 {
			what = fmt.Sprintf("offset %d, which group %s committed", at.At, group)
		}
	}
	starts, err := admin.ListStartOffsets(ctx, topic)
	if start, found := starts.Lookup(topic, partition); err == nil && found && start.Err == nil {
		what += fmt.Sprintf("; its first is offset %d", start.Offset)
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if end, found := ends.Lookup(topic, partition); err == nil && found && end.Err == nil {
		what += fmt.Sprintf(", the next to come %d", end.Offset)
	}
	return what
}
