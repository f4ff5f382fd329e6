package simulation_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/schema"
	"penstock/schema/record"
)

// kafka is kfake and somebody who looks at it from outside.
type kafka struct {
	cluster  *kfake.Cluster
	listener *listener

	mu     sync.Mutex
	epochs map[int64]int16 // the newest of each producer id that InitProducerID has given

	positions *positionReader
}

func newKafka(ctx context.Context) (*kafka, error) {
	k := &kafka{listener: newListener(kafkaAddr), epochs: map[int64]int16{}}
	var err error
	k.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return k.listener, nil }))
	if err != nil {
		return nil, err
	}
	k.cluster.ControlKey(kmsg.InitProducerID.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		k.cluster.KeepControl()
		resp := k.refuseStaleEpoch(req.(*kmsg.InitProducerIDRequest))
		return resp, nil, resp != nil
	})
	if k.positions, err = k.openPositions(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// refuseStaleEpoch is what a broker does and kfake does not: a producer that was
// fenced cannot come back by initialising again. It returns nil for the others.
func (k *kafka) refuseStaleEpoch(req *kmsg.InitProducerIDRequest) kmsg.Response {
	k.mu.Lock()
	defer k.mu.Unlock()
	if req.ProducerID < 0 || req.ProducerEpoch >= k.epochs[req.ProducerID] {
		return nil
	}
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.Version = req.Version
	resp.ErrorCode = kerr.ProducerFenced.Code
	return resp
}

// learnEpoch reads a frame that goes to a client.
func (k *kafka) learnEpoch(key int16, frame []byte) {
	if key != kmsg.InitProducerID.Int16() {
		return
	}
	const flexibleHeader = 9
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.Version = 5
	if resp.ReadFrom(frame[flexibleHeader:]) != nil || resp.ErrorCode != 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.epochs[resp.ProducerID] = max(k.epochs[resp.ProducerID], resp.ProducerEpoch)
}

// dial connects without delay or accident.
func (k *kafka) dial(_ context.Context, _, _ string) (net.Conn, error) {
	client, server := newConn(kafkaAddr, noDelay)
	k.listener.conns <- server
	return client, nil
}

func (k *kafka) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(kafkaAddr), kgo.Dialer(k.dial), kgo.MetadataMinAge(metadataAge),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait), kgo.DisableClientMetrics(),
	}, opts...)...)
}

func (k *kafka) close() {
	k.positions.client.Close()
	k.cluster.Close()
}

// readAll returns what each partition of a topic holds for a read-committed
// reader, control records among it. It waits until no transaction is open.
func (k *kafka) readAll(ctx context.Context, topic string) (map[int32][]*kgo.Record, error) {
	client, err := k.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := stableEnds(ctx, kadm.NewClient(client), topic)
	if err != nil {
		return nil, err
	}
	records, left := map[int32][]*kgo.Record{}, 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left++
		}
	})
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			records[r.Partition] = append(records[r.Partition], r)
			if end, _ := ends.Lookup(topic, r.Partition); r.Offset == end.Offset-1 {
				left--
			}
		})
	}
	return records, nil
}

// stableEnds returns where the partitions end, once no transaction is open: what
// a dead producer has left ends with its timeout.
func stableEnds(ctx context.Context, admin *kadm.Client, topic string) (kadm.ListedOffsets, error) {
	const patience = 2 * time.Minute
	for began := time.Now(); ; {
		ends, err := admin.ListEndOffsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		stable, err := admin.ListCommittedOffsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		var open error
		ends.Each(func(o kadm.ListedOffset) {
			if s, _ := stable.Lookup(topic, o.Partition); s.Offset != o.Offset {
				open = fmt.Errorf("partition %d: a transaction is open at %d, below %d", o.Partition, s.Offset, o.Offset)
			}
		})
		if open == nil || time.Since(began) > patience {
			return ends, open
		}
		await(ctx.Done(), time.Second)
	}
}

// positionReader follows the position topic.
type positionReader struct {
	turn   chan struct{} // holds one token; who waits for a mutex would stop the bubble's clock
	client *kgo.Client
	read   int64 // the offset after what was read
	last   schema.Position
}

func (k *kafka) openPositions(ctx context.Context) (*positionReader, error) {
	client, err := k.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{positionTopic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	compact := "compact"
	created, err := kadm.NewClient(client).CreateTopics(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, positionTopic)
	if err == nil {
		err = created.Error()
	}
	reader := &positionReader{client: client, turn: make(chan struct{}, 1)}
	reader.turn <- struct{}{}
	return reader, err
}

// committed returns the last position that a read-committed reader sees now.
func (k *kafka) committed(ctx context.Context) (schema.Position, error) {
	p := k.positions
	<-p.turn
	defer func() { p.turn <- struct{}{} }()
	listed, err := kadm.NewClient(p.client).ListCommittedOffsets(ctx, positionTopic)
	if err != nil {
		return p.last, err
	}
	stable, found := listed.Lookup(positionTopic, 0)
	switch {
	case !found || errors.Is(stable.Err, kerr.UnknownTopicOrPartition):
		return p.last, nil // it has just been created
	case stable.Err != nil:
		return p.last, stable.Err
	}
	for p.read < stable.Offset {
		fetches := p.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return p.last, err
		}
		for _, r := range fetches.Records() {
			p.read = r.Offset + 1
			if r.Attrs.IsControl() || string(r.Key) != captureName {
				continue
			}
			if p.last, err = record.ParsePosition(r.Value); err != nil {
				return p.last, err
			}
		}
	}
	return p.last, nil
}
