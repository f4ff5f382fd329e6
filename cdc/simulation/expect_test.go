package simulation_test

import (
	"encoding/json"
	"fmt"

	"penstock/schema"
)

// fact is what one record says happened, in the words of the script.
type fact struct {
	op    string // Debezium's code, or "tombstone"
	key   string // of the record
	v     string // of the row, where the record shows it
	early bool   // the leaving half of an update, which is one version earlier
}

// deed is a change's place in the stream, and what its records must say.
type deed struct {
	commit, seq int // ordinals
	change      *change
	topics      map[string][]fact // in the order of the records
}

// place is a change's coordinates, as a record's headers have them.
type place struct {
	lsn schema.LSN
	seq int
}

// expected returns every change from the slot's first position on.
func (w *world) expected() map[place]*deed {
	deeds := map[place]*deed{}
	from := w.postgres.begun()
	for i, e := range w.wal.commits() {
		if e.start < from {
			continue
		}
		for seq := range e.commit.changes {
			c := &e.commit.changes[seq]
			topics := map[string][]fact{topicOf(c.table): tableFacts(c)}
			if c.table != tableNote {
				topics[pipelineTopic] = joinFacts(c)
			}
			deeds[place{e.start, seq}] = &deed{commit: i, seq: seq, change: c, topics: topics}
		}
	}
	return deeds
}

// tableFacts are the records of a change in its table's topic.
func tableFacts(c *change) []fact {
	key := func(r row) string { return fmt.Sprintf(`{"id":%q}`, r.id) }
	oldV := c.old.v
	if !whole(c.table) {
		oldV = ""
	}
	switch {
	case c.op == schema.OpTruncate:
		return []fact{{op: "t"}}
	case c.op == schema.OpCreate:
		return []fact{{op: "c", key: key(c.new), v: c.new.v}}
	case c.op == schema.OpDelete:
		return []fact{{op: "d", key: key(c.old), v: oldV}, {op: "tombstone", key: key(c.old)}}
	case c.old.id != c.new.id:
		return []fact{
			{op: "d", key: key(c.old), v: oldV, early: true}, {op: "tombstone", key: key(c.old), early: true},
			{op: "c", key: key(c.new), v: c.new.v},
		}
	}
	return []fact{{op: "u", key: key(c.new), v: c.new.v}}
}

// joinFacts are the records of a change in the pipeline's topic.
func joinFacts(c *change) []fact {
	key := func(r row) string {
		if c.table == tableEvent {
			return r.ref
		}
		return r.id
	}
	switch {
	case c.op == schema.OpTruncate:
		return []fact{{op: "t"}}
	case c.op == schema.OpCreate:
		return []fact{{op: "c", key: key(c.new), v: c.new.v}}
	case c.op == schema.OpDelete:
		return []fact{{op: "d", key: key(c.old), v: c.old.v}}
	case c.old.id != c.new.id || key(c.old) != key(c.new):
		return []fact{{op: "d", key: key(c.old), v: c.old.v, early: true}, {op: "c", key: key(c.new), v: c.new.v}}
	}
	return []fact{{op: "u", key: key(c.new), v: c.new.v}}
}

// told reads a record's fact, apart from its version.
func told(key, value []byte) (fact, error) {
	if value == nil {
		return fact{op: "tombstone", key: string(key)}, nil
	}
	var envelope struct {
		Op     string            `json:"op"`
		Before map[string]string `json:"before"`
		After  map[string]string `json:"after"`
	}
	if err := json.Unmarshal(value, &envelope); err != nil {
		return fact{}, fmt.Errorf("value %s: %w", value, err)
	}
	f := fact{op: envelope.Op, key: string(key), v: envelope.After["v"]}
	if f.op == "d" {
		f.v = envelope.Before["v"]
	}
	return f, nil
}
