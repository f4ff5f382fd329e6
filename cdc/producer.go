package cdc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

const (
	// transactionTimeout is how long Kafka waits for the end of a transaction
	// before it aborts it. A single Postgres transaction that takes longer to
	// write cannot be delivered.
	transactionTimeout = time.Minute
	// bufferedBytes is how much may wait for the broker before Produce blocks.
	bufferedBytes = 32 << 20
	// bufferedRecords must not be what blocks: that wait could not be bounded.
	bufferedRecords = 1 << 20
)

// Producer owns the transactional client. Its Kafka transactions hold whole
// Postgres transactions and end with the position after them. Any error leaves
// the outcome unknown and the Producer unusable: close it, and ask the position
// topic. Not safe for concurrent use.
type Producer struct {
	client   *kgo.Client
	topic    string // of the positions
	key      []byte
	wait     time.Duration // bounds every wait for the broker
	open     bool
	outcomes outcomes
}

// outcomes gathers what became of the produced records: each promise is checked,
// because the client would otherwise commit what succeeded beside what failed.
type outcomes struct {
	mu    sync.Mutex
	first error // guarded by mu: the client's goroutines write it
}

func (o *outcomes) add(r *kgo.Record, err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first == nil {
		o.first = fmt.Errorf("topic %s, partition %d: %w", r.Topic, r.Partition, err)
	}
}

func (o *outcomes) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.first
}

// openProducer fences: once it returns, no older producer of the transactional
// id can commit, and what it left open is aborted. Only the holder of the slot
// may call it.
func openProducer(ctx context.Context, cfg *Config) (*Producer, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.TransactionalID(cfg.TransactionalID),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(bufferedRecords),
		kgo.ProducerLinger(0),
	)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka", What: "the settings are not usable", Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Wait)
	defer cancel()
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, kafkaFault("kafka.transactional_id "+cfg.TransactionalID, "initialise the producer", err)
	}
	return &Producer{client: client, topic: cfg.PositionTopic, key: []byte(cfg.Name), wait: cfg.Wait}, nil
}

// Close drops the connection. An open transaction is aborted by the next fence
// or by its timeout.
func (p *Producer) Close() { p.client.Close() }

// Produce adds records to the open transaction, and opens one if none is. It
// returns before they are written; Commit learns what became of them.
func (p *Producer) Produce(ctx context.Context, records []*kgo.Record) error {
	if err := p.begin(); err != nil {
		return err
	}
	if p.client.BufferedProduceBytes() > bufferedBytes {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	// A record once handed over is not taken back when ctx ends: a graceful stop
	// commits it.
	ctx = context.WithoutCancel(ctx)
	for _, r := range records {
		p.client.Produce(ctx, r, p.outcomes.add)
	}
	return nil
}

// Commit ends the transaction with the position as its last record. When it
// returns nil, both are durable and visible to read-committed consumers, all at
// once. It does not heed ctx's end once it has begun: that would leave the
// outcome in doubt for nothing.
func (p *Producer) Commit(ctx context.Context, position schema.Position) error {
	ctx = context.WithoutCancel(ctx)
	value, err := record.AppendPosition(nil, position)
	if err != nil {
		return err
	}
	if err := p.begin(); err != nil {
		return err
	}
	p.client.Produce(ctx, &kgo.Record{Topic: p.topic, Partition: 0, Key: p.key, Value: value}, p.outcomes.add)
	if err := p.flush(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return kafkaFault("kafka.brokers", "confirm the commit before "+position.EndLSN.String(), err)
	}
	p.open = false
	return nil
}

func (p *Producer) begin() error {
	if p.open {
		return nil
	}
	if err := p.client.BeginTransaction(); err != nil {
		return kafkaFault("kafka.brokers", "begin a transaction", err)
	}
	p.open = true
	return nil
}

// flush waits until every produced record has its answer, and returns the first
// bad one. It goes on when ctx ends: a graceful stop commits what it has.
func (p *Producer) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), p.wait, fmt.Errorf("no answer within %s", p.wait))
	defer cancel()
	if err := p.client.Flush(ctx); err != nil {
		return kafkaFault("kafka.brokers", "acknowledge records", context.Cause(ctx))
	}
	if err := p.outcomes.err(); err != nil {
		return kafkaFault("kafka.brokers", "take every record", err)
	}
	return nil
}
