package proxy_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/proxy"
	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

const topic = "t"

// producer is a transactional client whose traffic goes through p. It gives up on a lost connection.
func producer(t *testing.T, p *proxy.Proxy, id string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts,
		kgo.SeedBrokers(p.Addr()), kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic),
		kgo.RequestRetries(0), kgo.TransactionTimeout(20*time.Second),
	)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// commit writes one record in a transaction and returns what the client was told of its end.
func commit(t *testing.T, client *kgo.Client, value string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

// committed returns the values that a read-committed consumer sees on a direct connection, once n or more are there.
func committed(t *testing.T, broker string, n int) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%q committed, waited for %d: %v", values, n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// endOffsets returns the last stable offset and the end of the topic's only partition.
func endOffsets(t *testing.T, broker string) (stable, end int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	at := func(list func(context.Context, ...string) (kadm.ListedOffsets, error)) int64 {
		offsets, err := list(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := offsets.Lookup(topic, 0)
		return o.Offset
	}
	return at(admin.ListCommittedOffsets), at(admin.ListEndOffsets)
}

// endTxn shows what becomes of a transaction whose end meets each act. A client is told of an error every time; only the
// broker knows.
func endTxn(t *testing.T, p *proxy.Proxy, broker string, opts ...kgo.Opt) {
	t.Helper()
	whole := producer(t, p, "whole", opts...)
	if err := commit(t, whole, "first"); err != nil {
		t.Fatal(err)
	}
	a := p.Arm(proxy.Rule{Key: proxy.EndTxn, Times: 1, Act: proxy.DropReply})
	if err := commit(t, producer(t, p, "reply lost", opts...), "reply lost"); err == nil {
		t.Error("the client was told that the transaction has ended though the answer was lost")
	}
	await(t, p, a, proxy.DropReply, proxy.EndTxn, 1)
	if got := committed(t, broker, 2); fmt.Sprint(got) != "[first reply lost]" {
		t.Errorf("committed is %q", got)
	}

	a = p.Arm(proxy.Rule{Key: proxy.EndTxn, Times: 1, Act: proxy.DropRequest})
	if err := commit(t, producer(t, p, "request lost", opts...), "request lost"); err == nil {
		t.Error("the client was told that the transaction has ended though the broker was not")
	}
	await(t, p, a, proxy.DropRequest, proxy.EndTxn, 1)
	if stable, end := endOffsets(t, broker); stable >= end {
		t.Errorf("the last stable offset is %d of %d: the transaction whose end was lost is not open", stable, end)
	}
	if got := p.Stats().Requests; got[proxy.EndTxn] != 3 || got[proxy.Produce] != 3 || got[proxy.InitProducerID] < 3 {
		t.Errorf("got %v requests by kind, want 3 ends of transactions among them", got)
	}
}

func TestEndTxnOfKfake(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	broker := cluster.ListenAddrs()[0]
	p := listen(t, proxy.Options{Protocol: proxy.Kafka, Target: broker})
	// kfake advertises itself.
	endTxn(t, p, broker, kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, p.Addr())
	}))
}

// TestEndTxnOfKafka has a broker that advertises the proxy, as a daemon under test needs it.
func TestEndTxnOfKafka(t *testing.T) {
	stacktest.NeedServers(t)
	p := listen(t, proxy.Options{Protocol: proxy.Kafka})
	broker, err := stack.StartKafka(t.Context(), stack.Options{}, map[string]string{
		"listeners":                      "CHAOS://" + stack.SpareAddress,
		"advertised.listeners":           "CHAOS://" + p.Addr(),
		"listener.security.protocol.map": "CHAOS:PLAINTEXT",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	p.SetTarget(broker.Spare())
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Address()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	if got := p.Stats().Accepted; got != 0 {
		t.Errorf("%d connections went through the proxy before a client of it came: the broker's own", got)
	}
	endTxn(t, p, broker.Address())
}
