package cdc

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"penstock/schema"
)

// TestTheTopicOfLettersTakesTheLargest: whoever creates it, the sink writes letters of
// whole records there.
func TestTheTopicOfLettersTakesTheLargest(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cfg := Config{
		Brokers: cluster.ListenAddrs(), PositionTopic: "position", TransactionTopic: "transactions", DeadLetterTopic: "dead", Partitions: 3, ReplicationFactor: 1,
		Tables:    []Table{{Name: schema.TableName{Schema: "public", Name: "a"}, Topic: "a"}},
		Pipelines: []Pipeline{{Name: "p", Topic: "input"}},
	}
	opened, err := openTopics(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	limit := "5000000"
	if _, err := opened.admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": &limit}, "input"); err != nil {
		t.Fatal(err)
	}
	l, err := opened.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := l.maxBytes["dead"]; got != 5_000_000+64<<10 || !l.compacted["dead"] || l.partitions["dead"] != 1 || l.partitions["a"] != 3 {
		t.Errorf("it takes %d bytes, the input topic 5000000; %+v", got, l)
	}
}
