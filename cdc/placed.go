package cdc

import (
	"fmt"
	"slices"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// checkPlaced refuses columns that choose the partition and that old rows do not hold: a
// row that leaves its partition could not be found there. A table whose updates and
// deletes make no records has no old rows.
func (rt *route) checkPlaced(e *schema.Event) error {
	if slices.Contains(rt.table.Skip, schema.OpUpdate) && slices.Contains(rt.table.Skip, schema.OpDelete) {
		return nil
	}
	for _, i := range rt.placedBy {
		if c := &rt.shaped.Columns[i]; !c.Identity {
			return &fault.Error{
				Kind: fault.Refused, Where: place(e),
				What: fmt.Sprintf("column %s chooses the partition, and is not of the REPLICA IDENTITY %s", c.Name, e.Relation.Identity),
				Why:  "an old row would not show which partition it leaves",
				Fix: fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY FULL, for what is written from then on; or take the column out of records.tables.%s.partition; "+
					"or skip the table's updates and deletes", quoteTable(e.Relation.Table), e.Relation.Table),
			}
		}
	}
	return nil
}

// partition is that of a row's record, by its key unless other columns choose it. Those
// lie where a record with them as its key, in JSON, would.
func (rt *route) partition(key []byte, row schema.Tuple) int32 {
	if len(rt.placedBy) == 0 {
		return rt.topic.partition(key)
	}
	rt.placing = record.AppendKey(rt.placing[:0], rt.shaped, row, rt.placedBy)
	return rt.topic.partition(rt.placing)
}
