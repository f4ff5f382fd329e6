package cdc

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// positionTopic is the one compacted partition in which captures keep what they have
// to remember: their positions, one key a capture, and beside it one key for each of
// its tables. Only the holder of the slot may read it to decide anything, and only
// after fencing: before that, an older daemon could still commit.
type positionTopic struct {
	cfg   *Config
	topic string
	key   string
}

// memory is what a capture has committed for its next start.
type memory struct {
	position  schema.Position
	found     bool                                 // there is a position
	relations map[schema.TableName]record.Relation // that it delivered last of each table
	jobs      map[schema.TableName]*backfill.Job   // its backfills, the last of each table
	commands  map[string]Command                   // to it that it has not met yet, by id
	end       int64                                // the offset behind all of it
	entries   []slot.Entry                         // of its publications, when it began to stream last; nil if it never said
	others    map[string]schema.Position           // of other names
}

// read returns what the capture has committed last.
//
// It reads up to the high watermark, not to the last stable offset, which would
// stop silently in front of an open transaction; it therefore waits until the last
// stable offset has come that far. The end is known by offset, control records
// included, because they and aborted records take up offsets too.
func (p *positionTopic) read(ctx context.Context) (memory, error) {
	// Another capture that was killed may hold the partition for its timeout.
	limit := p.cfg.Wait + p.cfg.TransactionTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("read of topic %s took over %s", p.topic, limit))
	defer cancel()
	cl, err := p.cfg.kafka(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {0: kgo.NewOffset().AtStart()}}),
	)
	if err != nil {
		return memory{}, p.fault("open a reader", err)
	}
	defer cl.Close()
	end, err := p.stableEnd(ctx, kadm.NewClient(cl))
	if err != nil {
		return memory{}, err
	}
	return p.scan(ctx, cl, end)
}

// stableEnd returns the partition's high watermark once nothing below it is open
// any more, or 0 when the partition holds nothing. What other captures write
// meanwhile does not move the mark.
func (p *positionTopic) stableEnd(ctx context.Context, admin *kadm.Client) (int64, error) {
	const pause = 50 * time.Millisecond
	mark, open := int64(-1), int64(-1) // not known yet; where a transaction was seen to be open
	for {
		start, end, stable, err := p.offsets(ctx, admin)
		switch {
		case err != nil && open >= 0 && ctx.Err() != nil:
			return 0, p.blocked(ctx, admin, open, err)
		case err != nil:
			return 0, p.fault("list offsets", err)
		case start == end:
			return 0, nil
		case mark < 0:
			mark = end
		}
		if stable >= mark {
			return mark, nil
		}
		open = stable
		if err := sleep(ctx, pause); err != nil {
			return 0, p.blocked(ctx, admin, open, err)
		}
	}
}

// blocked explains whose open transaction kept the position from being read. It
// may ask the broker although ctx has ended.
func (p *positionTopic) blocked(ctx context.Context, admin *kadm.Client, stable int64, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	who, fix := "a foreign producer", "find the producer (kafka-transactions.sh find-hanging) and abort its transaction"
	if owner, found := p.holder(ctx, admin); found {
		who = fmt.Sprintf("producer %d, epoch %d, transactional id %q", owner.ProducerID, owner.ProducerEpoch, owner.transactionalID)
		fix = fmt.Sprintf("stop that producer, or kafka-transactions.sh abort --topic %s --partition 0 --start-offset %d",
			p.topic, owner.CurrentTxnStartOffset)
		if owner.transactionalID == p.cfg.TransactionalID {
			fix = "start again: what is left open of this capture's own is ended before it is fenced"
		}
	}
	return &fault.Error{
		Kind: fault.Refused, Where: "kafka.position_topic " + p.topic,
		What: fmt.Sprintf("%s has a transaction open from offset %d", who, stable),
		Why:  "the position may be about to change", Fix: fix, Err: err,
	}
}

// holder is a producer with a transaction open on the position topic.
type holder struct {
	kadm.DescribedProducer
	transactionalID string // empty if the broker does not say
}

func (p *positionTopic) holder(ctx context.Context, admin *kadm.Client) (h holder, found bool) {
	set := kadm.TopicsSet{}
	set.Add(p.topic, 0)
	described, err := admin.DescribeProducers(ctx, set)
	if err != nil {
		return h, false // the error at hand says enough without it
	}
	described.EachProducer(func(producer kadm.DescribedProducer) {
		if producer.CurrentTxnStartOffset >= 0 {
			h.DescribedProducer, found = producer, true
		}
	})
	if !found {
		return h, false
	}
	if listed, err := admin.ListTransactions(ctx, []int64{h.ProducerID}, nil); err == nil {
		for _, transaction := range listed.Sorted() {
			h.transactionalID = transaction.TxnID
		}
	}
	return h, true
}

func (p *positionTopic) offsets(ctx context.Context, admin *kadm.Client) (start, end, stable int64, err error) {
	for _, list := range []struct {
		into *int64
		ask  func(context.Context, ...string) (kadm.ListedOffsets, error)
	}{{&start, admin.ListStartOffsets}, {&stable, admin.ListCommittedOffsets}, {&end, admin.ListEndOffsets}} {
		listed, err := list.ask(ctx, p.topic)
		if err != nil {
			return 0, 0, 0, err
		}
		offset, found := listed.Lookup(p.topic, 0)
		if !found {
			return 0, 0, 0, kerr.UnknownTopicOrPartition
		}
		if offset.Err != nil {
			return 0, 0, 0, offset.Err
		}
		*list.into = offset.Offset
	}
	return start, end, stable, nil
}

// scan reads the partition to its end and keeps the last value of each key. What it says of its end is behind
// all that it has taken: a command that came meanwhile must not be heard once more.
func (p *positionTopic) scan(ctx context.Context, cl *kgo.Client, end int64) (memory, error) {
	last := memory{
		relations: map[schema.TableName]record.Relation{}, jobs: map[schema.TableName]*backfill.Job{}, commands: map[string]Command{},
		others: map[string]schema.Position{},
	}
	for last.end < end {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return last, p.fault("read", err)
		}
		for _, r := range fetches.Records() {
			last.end = r.Offset + 1
			if r.Attrs.IsControl() {
				continue
			}
			if err := last.take(p.key, r); err != nil {
				return last, p.corrupt(r.Offset, err)
			}
		}
	}
	return last, nil
}

// take remembers a record, if it is the capture's.
func (m *memory) take(capture string, r *kgo.Record) (err error) {
	if string(r.Key) == capture {
		m.found = true
		m.position, err = record.ParsePosition(r.Value)
		return err
	}
	if table, ok := record.ParseRelationKey(r.Key, capture); ok {
		m.relations[table], err = record.ParseRelation(table, r.Value)
		return err
	}
	if word, ok := parseCommand(capture, r); ok {
		m.hear(word, r.Value == nil)
		return nil
	}
	if table, ok := backfill.ParseKey(r.Key, capture); ok {
		m.jobs[table], err = backfill.Parse(table, r.Value)
		return err
	}
	if record.IsPublicationsKey(r.Key, capture) {
		m.entries, err = parseEntries(r.Value)
		return err
	}
	if other, bad := record.ParsePosition(r.Value); bad == nil { // what others keep is theirs to read
		m.others[string(r.Key)] = other
	}
	return nil
}

// hear takes a command, or that it was met.
func (m *memory) hear(word Command, met bool) {
	if m.commands[word.ID] = word; met {
		delete(m.commands, word.ID)
	}
}

func (p *positionTopic) corrupt(offset int64, err error) error {
	return &fault.Error{
		Kind:  fault.PositionLost,
		Where: fmt.Sprintf("topic %s, partition 0, offset %d", p.topic, offset),
		What:  "what the capture remembers cannot be read",
		Why:   "without it the capture cannot tell what is in Kafka already",
		Fix:   "run the version that wrote it",
		Err:   err,
	}
}

func (p *positionTopic) fault(doing string, err error) error {
	return kafkaFault("kafka.position_topic "+p.topic, doing, err)
}
