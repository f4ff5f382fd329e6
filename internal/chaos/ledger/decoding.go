package ledger

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"penstock/schema"
)

// chunk is how many changes of the oracle slot are asked for at once. Postgres
// spills them to its disk, and they are looked at one by one.
const chunk = 500_000

// decoding is O2 being read: the second slot, decoded by Postgres' own plugin.
type decoding struct {
	catalog *catalog
	truth   *truth
	verdict *Verdict

	at    *commit // the transaction under way; nil for one of which the history knows nothing
	index int32
	xid   uint32
	n     int32 // captured changes of it so far
}

// readDecoding drains the oracle slot and holds the history against it: which
// transactions, in which order, with which changes. Triggers had no part in it.
func readDecoding(ctx context.Context, db *pgx.Conn, slot string, d *decoding) error {
	for {
		n := 0
		rows, err := db.Query(ctx, `SELECT lsn::text, left(data, 300) FROM pg_logical_slot_get_changes($1, NULL, $2,
			'include-xids', 'on', 'skip-empty-xacts', 'on')`, slot, chunk)
		if err != nil {
			return fmt.Errorf("read slot %s: %w", slot, err)
		}
		for rows.Next() {
			v := rows.RawValues()
			n++
			if err := d.take(v[0], v[1]); err != nil {
				rows.Close()
				return fmt.Errorf("read slot %s at %s: %w", slot, v[0], err)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("read slot %s: %w", slot, err)
		}
		if n == 0 {
			break
		}
	}
	if missing := len(d.truth.commits) - len(d.truth.order); missing > 0 {
		d.verdict.report(Oracle, "%d transactions of the history are not in the log", missing)
	}
	return nil
}

func (d *decoding) take(lsn, data []byte) error {
	word, rest, _ := bytes.Cut(data, []byte(" "))
	switch string(word) {
	case "BEGIN":
		xid, err := strconv.ParseUint(string(rest), 10, 32)
		if err != nil {
			return err
		}
		d.xid, d.n, d.at = uint32(xid), 0, nil
		if at, known := d.truth.byXID[d.xid]; known {
			d.at, d.index = &d.truth.commits[at], at
		}
	case "COMMIT":
		return d.commit(lsn)
	case "table":
		d.change(rest)
	}
	return nil
}

// change takes "public.evt: UPDATE: ...".
func (d *decoding) change(data []byte) {
	name, rest, _ := bytes.Cut(data, []byte(": "))
	table, captured := d.catalog.byName[string(name)]
	if !captured {
		return
	}
	seq := d.n
	d.n++
	var op byte
	switch verb, _, _ := bytes.Cut(rest, []byte(":")); string(verb) {
	case "INSERT":
		op = 'c'
	case "UPDATE":
		op = 'u'
	case "DELETE":
		op = 'd'
	case "TRUNCATE":
		op = 't'
	}
	if d.at == nil || seq >= d.at.n {
		return // counted at the commit
	}
	if e := &d.truth.events[d.at.first+seq]; e.table != table || e.op != op {
		d.verdict.report(Oracle, "%s, but the log has %c of %s there", d.truth.place(d.catalog, d.at, seq), op, name)
	}
}

func (d *decoding) commit(lsn []byte) error {
	end, err := schema.ParseLSN(string(lsn))
	if err != nil {
		return err
	}
	if d.at == nil {
		if d.n > 0 {
			d.verdict.report(Oracle, "xid %d has %d changes in the log and none in the history", d.xid, d.n)
		}
		return nil
	}
	if !d.at.end.IsZero() {
		return nil // sent once more, after the server broke down
	}
	if d.n != d.at.n {
		d.verdict.report(Oracle, "xid %d has %d changes in the log and %d in the history", d.xid, d.n, d.at.n)
	}
	d.at.end = end
	d.truth.order = append(d.truth.order, d.index)
	return nil
}
