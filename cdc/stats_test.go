package cdc

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/schema"
)

// TestAMeterCountsByTable, also across a relation that is announced again and one that gets another name.
func TestAMeterCountsByTable(t *testing.T) {
	a, b := schema.TableName{Schema: "s", Name: "a"}, schema.TableName{Schema: "s", Name: "b"}
	m := newMeter()
	counter := tableCounter{meter: m}
	count := func(rel *schema.Relation, ops ...schema.Op) {
		for _, op := range ops {
			counter.count(&schema.Event{Relation: rel, Op: op})
		}
	}
	count(&schema.Relation{OID: 1, Table: b}, schema.OpCreate, schema.OpCreate, schema.OpDelete)
	count(&schema.Relation{OID: 2, Table: a}, schema.OpUpdate)
	count(&schema.Relation{OID: 1, Table: b}, schema.OpCreate)
	count(&schema.Relation{OID: 1, Table: a}, schema.OpRead, schema.OpUpdate) // renamed
	counter.count(&schema.Event{Op: schema.OpMessage})                        // of no table
	m.OnProduceBatchWritten(kgo.BrokerMetadata{}, "t", 0, kgo.ProduceBatchMetrics{NumRecords: 3, UncompressedBytes: 30, CompressedBytes: 9})
	m.OnProduceBatchWritten(kgo.BrokerMetadata{}, "t", 1, kgo.ProduceBatchMetrics{NumRecords: 2, UncompressedBytes: 20, CompressedBytes: 9})
	m.tell(backfill.Progress{Table: b, Rows: 1}, backfill.Progress{Table: a, Rows: 2})
	m.tell(backfill.Progress{Table: b, Rows: 5})
	got := m.stats()
	want := []TableChanges{{a, schema.OpRead, 1}, {a, schema.OpUpdate, 2}, {b, schema.OpCreate, 3}, {b, schema.OpDelete, 1}}
	if diff := cmp.Diff(want, got.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]TopicVolume{{Topic: "t", Records: 5, Bytes: 50}}, got.Topics); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
	if len(got.Backfills) != 2 || got.Backfills[0].Rows != 2 || got.Backfills[1].Rows != 5 {
		t.Errorf("backfills %+v, want the last of each table, by table", got.Backfills)
	}
}

// TestAMeterKnowsWhereTheStreamIs, and has no times before anything has happened.
func TestAMeterKnowsWhereTheStreamIs(t *testing.T) {
	m := newMeter()
	if s := m.stats(); s.State != Starting || !s.Began.IsZero() || !s.Committed.IsZero() {
		t.Errorf("at first: %+v", s)
	}
	before := time.Now()
	m.enter(Streaming)
	m.begin(schema.Position{EndLSN: 5, Version: 50})
	m.receive(9)
	if s := m.stats(); s.State != Streaming || s.Delivered != 5 || s.Version != 50 || s.Received != 9 || s.Began.Before(before) || !s.Committed.IsZero() {
		t.Errorf("when it has begun: %+v", s)
	}
	m.deliver(schema.Position{EndLSN: 7, Version: 70})
	m.transaction()
	m.commit()
	m.commit()
	m.abort()
	if s := m.stats(); s.Delivered != 7 || s.Version != 70 || s.Committed.Before(before) || s.Transactions != 1 || s.Commits != 2 || s.Aborts != 1 {
		t.Errorf("later: %+v", s)
	}
}

// TestNoMeterCountsNothing: what is tried without a daemon has none.
func TestNoMeterCountsNothing(t *testing.T) {
	var m *meter
	m.enter(Streaming)
	m.receive(1)
	m.begin(schema.Position{})
	m.deliver(schema.Position{})
	m.transaction()
	m.commit()
	m.abort()
	m.tell(backfill.Progress{})
	m.OnProduceBatchWritten(kgo.BrokerMetadata{}, "t", 0, kgo.ProduceBatchMetrics{})
	counter := tableCounter{}
	if counter.count(&schema.Event{Relation: &schema.Relation{}, Op: schema.OpCreate}); counter.counts != nil {
		t.Error("it has counts")
	}
}
