package cdc

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/pgoutput"
	"penstock/schema"
	"penstock/schema/record"
	"penstock/schema/shape"
)

// mark produces the begin or the end mark of the commit under way.
func (s *session) mark(ctx context.Context, end bool) error {
	if s.marks == nil {
		var err error
		if s.marks, err = s.cfg.MarkFormat.CompileMarks(ctx, s.cfg.TransactionTopic); err != nil {
			return err
		}
	}
	s.marked = !end
	if s.held.records == 0 {
		s.began = time.Now()
	}
	s.held.records++
	m := s.assembler.Mark(end)
	return s.producer.Produce(ctx, []*kgo.Record{{
		Topic: s.cfg.TransactionTopic, Key: s.marks.AppendKey(nil, &m), Value: s.marks.AppendValue(nil, &m),
		Headers: []kgo.RecordHeader{
			{Key: record.HeaderLSN, Value: m.Source.CommitLSN.Append(nil)},
			{Key: record.HeaderXID, Value: strconv.AppendUint(nil, uint64(m.Source.XID), 10)},
		},
	}})
}

// describeWeighed has the catalogue describe the relation of an update that may be two
// records, before it is weighed: its key says whether it is.
func (s *session) describeWeighed(ctx context.Context, msg pgoutput.Message) error {
	update, ok := msg.(*pgoutput.Update)
	if !ok || update.Old == nil || s.assembler.weigh == nil || s.assembler.skipping {
		return nil
	}
	rel := s.undescribed[update.RelationOID]
	if rel == nil {
		return nil
	}
	return s.describeUsed(ctx, []schema.Event{{Relation: rel}})
}

// weigh counts as Debezium does: the records of the table's own topic, but for
// tombstones and for a truncate in more than one partition. So a change that is
// skipped counts nothing, and an update of the key, or of what chooses the partition, is two.
func (r *Router) weigh(op schema.Op, rel *schema.Relation, before, after schema.Tuple) uint64 {
	rt, known := r.tables[rel.Table]
	switch {
	case !known: // it is refused
		return 1
	case slices.Contains(rt.table.Skip, op):
		return 0
	case op != schema.OpUpdate || before == nil:
		return 1
	}
	if rt.weighed != rel {
		rt.weighed, rt.weighedKey = rel, recordKey(rel, rt.table.Rules)
	}
	if moved(&schema.Event{Old: before, New: after}, rt.weighedKey) {
		return 2
	}
	return 1
}

// recordKey is what the records of a relation are keyed and placed by, as indexes into it.
func recordKey(rel *schema.Relation, rules shape.Rules) []int {
	s, err := shape.Compile(rel, rules)
	if err != nil {
		return nil // the change is refused when it is routed
	}
	var key []int
	for _, i := range slices.Concat(s.KeyColumns(), s.PartitionColumns()) {
		key = append(key, rel.Index(s.Relation().Columns[i].Name))
	}
	return key
}
