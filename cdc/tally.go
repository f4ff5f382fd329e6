package cdc

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"penstock/schema"
	"penstock/schema/record"
)

// tally is what is known of a transaction beside its changes: how many messages
// it took, what they hash to, and which tables changed how often. A transaction
// is sent again byte for byte, so the first two tell how much of it Kafka has.
type tally struct {
	messages uint64
	hash     xxhash.Digest

	changes map[schema.TableName]uint64 // less what run holds
	run     struct {                    // of changes of one table, which are mostly adjacent
		relation *schema.Relation
		before   uint64 // the table's changes that are not in the run
		length   uint64
	}
	logical uint64 // messages of pg_logical_emit_message that became events
}

func (t *tally) reset() {
	t.messages, t.logical = 0, 0
	t.hash.Reset()
	clear(t.changes)
	t.run.relation, t.run.length = nil, 0
}

// message counts a change message.
func (t *tally) message(data []byte) {
	t.messages++
	_, _ = t.hash.Write(data) // never fails
}

// sum is the hash of the messages so far.
func (t *tally) sum() string { return fmt.Sprintf("%016x", t.hash.Sum64()) }

// change counts a change of a table.
func (t *tally) change(rel *schema.Relation) {
	if rel != t.run.relation {
		t.endRun()
		t.run.relation, t.run.before = rel, t.changes[rel.Table]
	}
	t.run.length++
}

// ordinal is that of the last change among those of its table, from 0.
func (t *tally) ordinal() uint64 { return t.run.before + t.run.length - 1 }

func (t *tally) endRun() {
	if t.run.length == 0 {
		return
	}
	if t.changes == nil {
		t.changes = map[schema.TableName]uint64{}
	}
	t.changes[t.run.relation.Table] += t.run.length
	t.run.length = 0
}

// tables lists the changed tables by name.
func (t *tally) tables() []record.ChangedTable {
	t.endRun()
	var list []record.ChangedTable
	for table, n := range t.changes {
		list = append(list, record.ChangedTable{Table: table, Changes: n})
	}
	if t.logical > 0 {
		list = append(list, record.ChangedTable{Messages: true, Changes: t.logical})
	}
	slices.SortFunc(list, func(a, b record.ChangedTable) int { return cmp.Compare(a.Name(), b.Name()) })
	return list
}
