package cdc_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// TestTenantsHaveTheirPartition: all rows of one tenant are in one partition, in their
// order; a row that goes to another tenant leaves a tombstone behind, and no change is
// twice or lost over a restart.
func TestTenantsHaveTheirPartition(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, tenant text, n int); ALTER TABLE t REPLICA IDENTITY FULL", "t").plainly()
	s.cfg.Partitions = 4
	s.cfg.Tables[0].Rules.Partition = []string{"tenant"}
	c := s.startStreaming()
	s.exec("INSERT INTO t SELECT i, 'tenant ' || i % 8, 0 FROM generate_series(1, 80) i")
	s.exec("UPDATE t SET n = 1 WHERE id <= 40")
	s.read(s.cfg.Tables[0].Topic, 120)
	c.finish()
	c = s.startStreaming()
	s.exec("UPDATE t SET tenant = 'tenant 9' WHERE id = 1; DELETE FROM t WHERE id = 2")
	records := s.read(s.cfg.Tables[0].Topic, 123)
	c.finish()
	if len(records) != 123 {
		t.Errorf("%d records, want 123", len(records))
	}
	hash := kgo.StickyKeyPartitioner(nil).ForTopic(s.cfg.Tables[0].Topic)
	at := func(tenant int) int32 {
		return int32(hash.Partition(&kgo.Record{Key: fmt.Appendf(nil, `{"tenant":"tenant %d"}`, tenant)}, 4))
	}
	var first, second []string
	for _, r := range records {
		line := fmt.Sprintf("%d %s", r.Partition, r.Value)
		switch string(r.Key) {
		case `{"id":1}`:
			first = append(first, line)
		case `{"id":2}`:
			second = append(second, line)
		}
	}
	slices.Sort(first)
	want := []string{
		fmt.Sprintf("%d ", at(1)), fmt.Sprintf(`%d {"id":1,"tenant":"tenant 1","n":0}`, at(1)), fmt.Sprintf(`%d {"id":1,"tenant":"tenant 1","n":1}`, at(1)),
		fmt.Sprintf(`%d {"id":1,"tenant":"tenant 9","n":1}`, at(9)),
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("row 1 (-want +got):\n%s", diff)
	}
	want = []string{fmt.Sprintf(`%d {"id":2,"tenant":"tenant 2","n":0}`, at(2)), fmt.Sprintf(`%d {"id":2,"tenant":"tenant 2","n":1}`, at(2)), fmt.Sprintf("%d ", at(2))}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("row 2, in its order (-want +got):\n%s", diff)
	}
}

// TestPartitionOutsideTheIdentityIsRefused with the statement that mends it.
func TestPartitionOutsideTheIdentityIsRefused(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, tenant text)", "t")
	s.cfg.Tables[0].Rules.Partition = []string{"tenant"}
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'a')")
	err := c.wait()
	if err == nil {
		t.Fatal("the capture ended without an error")
	}
	expect(t, err, fault.Refused, "column tenant chooses the partition", `ALTER TABLE "public"."t" REPLICA IDENTITY FULL`)
}
