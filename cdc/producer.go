package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

const (
	// bufferedBytes is how much may wait for the broker before Produce blocks.
	bufferedBytes = 32 << 20
	// metadataMinAge is how old a client's picture of the cluster may be: after a
	// lost connection it asks no sooner where to send next, and it does not see a
	// new topic. The default of 5 s would be the length of the shortest outage.
	metadataMinAge = 250 * time.Millisecond
	// minBatchBytes is a batch for a topic that does not say what it takes.
	minBatchBytes = 1_000_012
	// brokerPatience is how long one request but EndTxn is repeated; the client's own default.
	brokerPatience = 30 * time.Second
	// linger is how long a batch that is not full waits for more records. The end of a Kafka
	// transaction sends all, so it delays none.
	linger = 20 * time.Millisecond
	// bufferedRecords must not be what blocks: that wait could not be bounded.
	bufferedRecords = 1 << 20
)

// Producer owns the transactional client. Its Kafka transactions hold whole
// Postgres transactions and end with the position after them. Any error leaves
// the outcome unknown and the Producer unusable: close it, and ask the position
// topic. Not safe for concurrent use.
type Producer struct {
	cfg      *Config
	client   *kgo.Client
	gate     *gate
	open     bool
	since    time.Time // when the open transaction was opened
	limits   *batchLimits
	outcomes outcomes
}

// batchLimits are what topics take in one batch.
type batchLimits struct {
	mu    sync.Mutex
	bytes map[string]int32 // guarded by mu: the client's goroutines ask
}

func (l *batchLimits) of(topic string) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.bytes[topic], minBatchBytes)
}

// Learn tells what a topic takes that was not known when the producer was opened, before
// anything is produced to it.
func (p *Producer) Learn(topic string, maxBytes int32) {
	p.limits.mu.Lock()
	defer p.limits.mu.Unlock()
	p.limits.bytes[topic] = maxBytes
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
	if o.first != nil {
		return
	}
	if o.first = unkeyedRefused(r, err); o.first == nil {
		o.first = fmt.Errorf("topic %s, partition %d, key %.100q, %s: %w", r.Topic, r.Partition, r.Key, coordinates(r), err)
	}
}

func (o *outcomes) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.first
}

// coordinates renders a record's headers: where in the source it comes from.
func coordinates(r *kgo.Record) string {
	var b strings.Builder
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s %s ", h.Key, h.Value)
	}
	return strings.TrimSuffix(b.String(), " ")
}

// openProducer fences: once it returns, no older producer of the transactional
// id can commit, and what it left open is aborted. Only the holder of the slot
// may call it. maxBytes are what each topic takes in one batch.
func openProducer(ctx context.Context, cfg *Config, maxBytes map[string]int32) (*Producer, error) {
	g := newGate(cfg)
	limits := &batchLimits{bytes: maps.Clone(maxBytes)}
	client, err := cfg.kafka(
		kgo.Dialer(g.connect),
		kgo.WithHooks(endTxnSent{cfg}, cfg.meter),
		kgo.TransactionalID(cfg.TransactionalID),
		kgo.RetryTimeoutFn(retryTimeout),
		kgo.TransactionTimeout(cfg.TransactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(bufferedRecords),
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchMaxBytesFn(limits.of),
	)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: "kafka", What: "the settings are not usable", Err: err}
	}
	ctx, cancel := cfg.bounded(ctx)
	defer cancel()
	ctx, release := g.until(ctx)
	defer release()
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, kafkaFault("kafka.transactional_id "+cfg.TransactionalID, "initialise the producer", causeOf(ctx, err))
	}
	return &Producer{cfg: cfg, client: client, gate: g, limits: limits}, nil
}

// retryTimeout is how long the client asks again by itself. An EndTxn without an
// answer is not asked again: what became of it is in the position topic, and
// there is one way to recover.
func retryTimeout(key int16) time.Duration {
	if key == int16(kmsg.EndTxn) {
		return time.Nanosecond // 0 would be for ever
	}
	return brokerPatience
}

// endTxnSent is the failpoint that only the client can reach.
type endTxnSent struct{ cfg *Config }

// OnBrokerWrite is called when a request has been written.
func (h endTxnSent) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err == nil && key == int16(kmsg.EndTxn) {
		h.cfg.reach(FailEndTxnSent)
	}
}

// causeOf is err, or why ctx ended if that is all that err says.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// Lost is closed when a connection to Kafka was lost: the Producer is of no use any more.
func (p *Producer) Lost() <-chan struct{} { return p.gate.lost }

// lostFault says which; it may be called once Lost is closed.
func (p *Producer) lostFault() error {
	return kafkaFault("kafka.brokers", "stay connected", p.gate.err)
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
// returns nil, both are durable and visible to read-committed consumers. It goes
// on for a while when ctx ends, which would leave the outcome in doubt for nothing,
// and gives up after Config.Wait, when the outcome is in doubt.
func (p *Producer) Commit(ctx context.Context, position schema.Position) error {
	value, err := record.AppendPosition(nil, position)
	if err != nil {
		return err
	}
	last := &kgo.Record{Topic: p.cfg.PositionTopic, Key: []byte(p.cfg.Name), Value: value}
	if err := p.Produce(ctx, []*kgo.Record{last}); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	p.cfg.reach(FailFlushed)
	ctx, cancel := p.gate.answer(ctx, p.cfg.Wait)
	defer cancel()
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return p.fault("confirm the commit at "+position.EndLSN.String(), causeOf(ctx, err))
	}
	p.open = false
	p.cfg.meter.commit()
	return nil
}

func (p *Producer) begin() error {
	if p.open {
		return nil
	}
	p.cfg.reach(FailBegin)
	if err := p.client.BeginTransaction(); err != nil {
		return kafkaFault("kafka.brokers", "begin a transaction", err)
	}
	p.open, p.since = true, time.Now()
	return nil
}

// flush waits until every produced record has its answer, and returns the first
// bad one. It goes on when ctx ends: a graceful stop commits what it has.
func (p *Producer) flush(ctx context.Context) error {
	ctx, cancel := p.gate.answer(ctx, p.cfg.Wait)
	defer cancel()
	if err := p.client.Flush(ctx); err != nil {
		return p.fault("acknowledge records", context.Cause(ctx))
	}
	if err := p.outcomes.err(); err != nil {
		return p.fault("take every record", err)
	}
	return nil
}

// fault classes what went wrong with the open transaction. One that was open for
// longer than Kafka waits has been aborted by it, which is not the work of another
// daemon. Starting again may help: Kafka may have been slow for a while.
func (p *Producer) fault(doing string, err error) error {
	f := kafkaFault("kafka.brokers", doing, err)
	if open := time.Since(p.since); p.open && open > p.cfg.TransactionTimeout && errors.Is(err, kerr.InvalidProducerEpoch) {
		return &fault.Error{
			Kind: fault.Unreachable, Where: "kafka.brokers", Err: f,
			What: fmt.Sprintf("a kafka transaction was open for %s, Kafka aborts it after %s", open.Round(time.Second), p.cfg.TransactionTimeout),
			Why:  "Kafka takes longer to write what it holds",
			Fix:  "lower the limits of kafka.transaction, raise its timeout, or make Kafka faster",
		}
	}
	return f
}

// Abort gives the open transaction up, so that readers need not wait for its
// timeout. It is a courtesy: whatever it returns, nothing was committed.
func (p *Producer) Abort(ctx context.Context) error {
	if !p.open {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := p.client.AbortBufferedRecords(ctx); err != nil {
		return p.fault("abort", err)
	}
	if err := p.client.EndTransaction(ctx, kgo.TryAbort); err != nil {
		return p.fault("abort", err)
	}
	p.cfg.meter.abort()
	return nil
}
