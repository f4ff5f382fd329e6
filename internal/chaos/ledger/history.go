package ledger

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// event is one committed row change by O1, and what was found of it in Kafka.
type event struct {
	key, oldKey uint64 // oldKey unless zero: the update changed the key
	image, old  uint64
	big, oldBig uint64
	version     int64 // of its record
	table       uint8
	op          byte
	seen        uint8 // which of its records were found
}

// commit is one transaction of Postgres.
type commit struct {
	xid         uint32
	first, n    int32      // its events
	lsn         schema.LSN // start of its commit record, by the records
	end         schema.LSN // and its end, by O2
	starts      int32      // Kafka transaction of its first event
	ends        int32      // and of its last
	split       bool       // there is more than one
	delta       int64      // what it added to the sum of the accounts
	tag         uint64
	begun, done int32 // Kafka transactions of its marks
	marks       uint8
}

// truth is O1, in the order of the transactions' ids, and the order of their
// commits by O2.
type truth struct {
	events  []event
	commits []commit
	byXID   map[uint32]int32
	order   []int32
}

// place renders an event's coordinates.
func (t *truth) place(c *catalog, cm *commit, seq int32) string {
	e := &t.events[cm.first+seq]
	return fmt.Sprintf("%s %c, xid %d, commit %s, change %d of %d", c.tables[e.table].name, e.op, cm.xid, cm.lsn, seq, cm.n)
}

// readHistory reads O1. Values come in Postgres' binary form and are reduced to
// 64 bits each: a million events take about 100 MB.
func readHistory(ctx context.Context, db *pgx.Conn, c *catalog) (*truth, error) {
	t := &truth{byXID: map[uint32]int32{}}
	rows, err := db.Query(ctx, `SELECT xid, tbl, op, coalesce(key, ''), coalesce(old_key, ''), image, old, big, old_big, coalesce(tag, '')
		FROM history ORDER BY xid, seq`)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		v := rows.RawValues()
		xid := uint32(binary.BigEndian.Uint64(v[0]))
		index, captured := c.byName[string(v[1])]
		if !captured {
			return nil, fmt.Errorf("read the history: table %s has no topic", v[1])
		}
		e := event{table: index, op: v[2][0], image: half(v[5]), old: half(v[6]), big: half(v[7]), oldBig: half(v[8])}
		if len(v[3]) > 0 {
			e.key = sum(v[3])
		}
		if len(v[4]) > 0 {
			e.oldKey = sum(v[4])
		}
		at, known := t.byXID[xid]
		if !known {
			at = int32(len(t.commits))
			t.byXID[xid] = at
			t.commits = append(t.commits, commit{xid: xid, first: int32(len(t.events)), starts: -1, ends: -1, begun: -1, done: -1})
			t.commits[at].tag, err = parseTag(string(v[9]))
			if err != nil {
				return nil, fmt.Errorf("read the history: xid %d: %w", xid, err)
			}
		}
		t.commits[at].n++
		t.events = append(t.events, e)
	}
	return t, rows.Err()
}

// half is what sum would have made of it; zero for NULL.
func half(uuid []byte) uint64 {
	if uuid == nil {
		return 0
	}
	return binary.BigEndian.Uint64(uuid)
}

// tagOf joins a worker and the number of its transaction. Zero is no tag.
func tagOf(worker int32, n int64) uint64 { return uint64(worker+1)<<40 | uint64(n) }

// parseTag reads what the workload sets as chaos.op. Changes by somebody else
// have none.
func parseTag(text string) (uint64, error) {
	if text == "" {
		return 0, nil
	}
	worker, n, _ := strings.Cut(text, ":")
	w, err := strconv.ParseInt(worker, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("tag %q: %w", text, err)
	}
	number, err := strconv.ParseInt(n, 10, 40)
	if err != nil {
		return 0, fmt.Errorf("tag %q: %w", text, err)
	}
	return tagOf(int32(w), number), nil
}
