package cdc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"penstock/internal/fault"
)

// hanging finds and ends the capture's last transaction where a broker has left it
// open although it is decided.
//
// A coordinator that comes back from a crash reads that the transaction was about
// to commit, does not know yet who leads its partitions, takes them for deleted and
// writes down that the transaction is complete (Kafka 4.4,
// TransactionMarkerChannelManager.addTxnMarkersToBrokerQueue). The partitions never
// get their marker, so readers wait in front of the transaction for ever, and the
// next marker of the same producer would decide it, whatever that one is about.
//
// What was decided is known until the next InitProducerID: so this comes before the
// fence. An older daemon may still be alive; what it begins has another epoch, and
// a marker of ours for the old one is refused then.
type hanging struct {
	cfg   *Config
	log   *zap.Logger
	admin *kadm.Client
	all   []string // the capture's topics
}

// endHanging leaves nothing open that is decided. The capture holds the slot.
func (c *Capture) endHanging(ctx context.Context) error {
	topics, err := openTopics(&c.cfg)
	if err != nil {
		return err
	}
	defer topics.Close()
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	h := hanging{cfg: &c.cfg, log: c.log, admin: topics.admin, all: topics.all()}
	return h.end(ctx)
}

func (h *hanging) end(ctx context.Context) error {
	last, known, err := h.decided(ctx)
	if err != nil || !known {
		return err
	}
	open, err := h.open(ctx, last.ProducerID)
	if err != nil || len(open) == 0 {
		return err
	}
	// Nothing newer has begun meanwhile, so what is open is what was decided.
	again, known, err := h.decided(ctx)
	if err != nil || !known || again.ProducerEpoch != last.ProducerEpoch || again.State != last.State {
		return err
	}
	commit := last.State == completeCommit
	for _, p := range open {
		if last.ProducerEpoch-p.ProducerEpoch > 1 {
			return h.unknown(&p, "it is older than the last transaction of kafka.transactional_id")
		}
		if err := h.mark(ctx, &p, commit); err != nil {
			return err
		}
	}
	h.log.Warn("ended a transaction that the broker had left open", zap.Bool("commit", commit), zap.Int("partitions", len(open)))
	return nil
}

// The states of a transaction that the coordinator names, as far as they matter.
const (
	prepareCommit  = "PrepareCommit"
	prepareAbort   = "PrepareAbort"
	completeCommit = "CompleteCommit"
	completeAbort  = "CompleteAbort"
)

// decided returns the last transaction if it is complete, after its coordinator has
// come to that. One that is open is for the fence to abort.
func (h *hanging) decided(ctx context.Context) (kadm.DescribedTransaction, bool, error) {
	const pause = 50 * time.Millisecond
	for {
		all, err := h.admin.DescribeTransactions(ctx, h.cfg.TransactionalID)
		last := all[h.cfg.TransactionalID]
		if err == nil {
			err = last.Err
		}
		switch {
		case errors.Is(err, kerr.TransactionalIDNotFound):
			return last, false, nil
		case err != nil && !kerr.IsRetriable(err):
			return last, false, h.fault("describe transactions", err)
		case err == nil && last.State != prepareCommit && last.State != prepareAbort:
			return last, last.State == completeCommit || last.State == completeAbort, nil
		}
		if sleeping := sleep(ctx, pause); sleeping != nil {
			if err == nil {
				err = fmt.Errorf("transactional id %s stays in state %s: %w", h.cfg.TransactionalID, last.State, sleeping)
			}
			return last, false, h.fault("end the last transaction", err)
		}
	}
}

// open lists where the producer has a transaction open. Only partitions on which
// somebody has one are asked.
func (h *hanging) open(ctx context.Context, producer int64) ([]kadm.DescribedProducer, error) {
	ends, err := h.admin.ListEndOffsets(ctx, h.all...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, h.fault("list offsets", err)
	}
	stable, err := h.admin.ListCommittedOffsets(ctx, h.all...)
	if err == nil {
		err = stable.Error()
	}
	if err != nil {
		return nil, h.fault("list offsets", err)
	}
	held := kadm.TopicsSet{}
	ends.Each(func(o kadm.ListedOffset) {
		if s, found := stable.Lookup(o.Topic, o.Partition); found && s.Offset < o.Offset {
			held.Add(o.Topic, o.Partition)
		}
	})
	if len(held) == 0 {
		return nil, nil
	}
	described, err := h.admin.DescribeProducers(ctx, held)
	if err != nil {
		return nil, h.fault("describe producers", err)
	}
	var open []kadm.DescribedProducer
	for _, p := range described.SortedProducers() {
		if p.ProducerID == producer && p.CurrentTxnStartOffset >= 0 {
			open = append(open, p)
		}
	}
	return open, nil
}

// mark writes the marker that one partition lacks.
func (h *hanging) mark(ctx context.Context, p *kadm.DescribedProducer, commit bool) error {
	partition := kadm.TopicsSet{}
	partition.Add(p.Topic, p.Partition)
	written, err := h.admin.WriteTxnMarkers(ctx, kadm.TxnMarkers{
		ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, Commit: commit,
		CoordinatorEpoch: p.CoordinatorEpoch, Topics: partition,
	})
	if err == nil {
		written.EachPartition(func(r kadm.TxnMarkersPartitionResponse) { err = errors.Join(err, r.Err) })
	}
	if errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return h.unknown(p, "the role may not write its marker: it needs Alter on the cluster")
	}
	if err != nil {
		return h.fault("write a transaction's marker", err)
	}
	return nil
}

// unknown refuses to go on beside a transaction that only an operator can end.
func (h *hanging) unknown(p *kadm.DescribedProducer, why string) error {
	return &fault.Error{
		Kind: fault.Refused, Where: fmt.Sprintf("topic %s, partition %d, offset %d", p.Topic, p.Partition, p.CurrentTxnStartOffset),
		What: fmt.Sprintf("a transaction of producer %d, epoch %d, was left open by the broker", p.ProducerID, p.ProducerEpoch),
		Why:  why,
		Fix: "see in __transaction_state whether it was committed (kafka-dump-log.sh --transaction-log-decoder), and end it that way in all of " +
			strings.Join(h.all, ", "),
	}
}

func (h *hanging) fault(doing string, err error) error {
	return kafkaFault("kafka.transactional_id "+h.cfg.TransactionalID, doing, err)
}
