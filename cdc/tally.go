package cdc

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"penstock/schema"
	"penstock/schema/debezium"
)

// tally is what is known of a transaction beside its changes: how many messages
// it took, what they hash to, and how much is counted for which table. A transaction
// is sent again byte for byte, so the first two tell how much of it Kafka has.
type tally struct {
	messages uint64
	hash     xxhash.Digest

	counted uint64                      // in all
	changes map[schema.TableName]uint64 // less what run holds
	run     struct {                    // of changes of one table, which are mostly adjacent
		relation *schema.Relation
		before   uint64 // the table's count without the run
		length   uint64
	}
	logical uint64 // messages of pg_logical_emit_message that became events
}

func (t *tally) reset() {
	t.messages, t.counted, t.logical = 0, 0, 0
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

// change counts a change of a table as n, and returns the ordinals of its first: among
// all, and among those of its table, from 0.
func (t *tally) change(rel *schema.Relation, n uint64) (total, ofTable uint64) {
	if rel != t.run.relation {
		t.endRun()
		t.run.relation, t.run.before = rel, t.changes[rel.Table]
	}
	total, ofTable = t.counted, t.run.before+t.run.length
	t.counted += n
	t.run.length += n
	return total, ofTable
}

// emitted counts a message that became an event, and returns its ordinals.
func (t *tally) emitted() (total, ofMessages uint64) {
	total, ofMessages = t.counted, t.logical
	t.counted++
	t.logical++
	return total, ofMessages
}

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

// counts lists what was counted, by name.
func (t *tally) counts() []debezium.Count {
	t.endRun()
	var list []debezium.Count
	for table, n := range t.changes {
		list = append(list, debezium.Count{Collection: table.String(), Events: n})
	}
	if t.logical > 0 {
		list = append(list, debezium.Count{Collection: debezium.MessageCollection, Events: t.logical})
	}
	slices.SortFunc(list, func(a, b debezium.Count) int { return cmp.Compare(a.Collection, b.Collection) })
	return list
}
