package backfill

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"penstock/schema"
)

// Window is what the stream has changed lately in tables that are backfilled. It
// must have followed the stream since before the snapshots that it is asked about
// were taken. Not safe for concurrent use.
//
// One transaction for each key is enough, the last: it could change the row only
// once the one before had ended, so who sees it sees that one, too.
type Window struct {
	tables map[schema.TableName]*changes
	seed   maphash.Seed
}

// changes are those of one table.
type changes struct {
	last      map[string]change // by key
	truncated uint32            // the transaction of the last truncation; 0 for none
	held      bool              // nothing of it is forgotten
	first     map[string]uint64 // while it is held: the hash of the row that the first change of a key says there was; 0 for none
}

// change is the last one of a key.
type change struct {
	xid  uint32
	torn bool // it left out a value that it did not change, so that it does not say what the row is
}

// NewWindow follows no table yet.
func NewWindow() *Window {
	return &Window{tables: map[schema.TableName]*changes{}, seed: maphash.MakeSeed()}
}

// Follow begins to note the changes of a table, if it does not yet.
func (w *Window) Follow(table schema.TableName) {
	if w.tables[table] == nil {
		w.tables[table] = &changes{last: map[string]change{}}
	}
}

// Leave forgets a table.
func (w *Window) Leave(table schema.TableName) { delete(w.tables, table) }

// Hold keeps all that is noted of a table that is followed, until Release.
func (w *Window) Hold(table schema.TableName) {
	if t := w.tables[table]; t != nil {
		t.held, t.first = true, map[string]uint64{}
	}
}

// Release lets [Window.Forget] drop what it may.
func (w *Window) Release(table schema.TableName) {
	if t := w.tables[table]; t != nil {
		t.held, t.first = false, nil
	}
}

// Began reports whether the stream, which has said what became of a row since the table is held, began
// with the row as it is here: what it has made of it then comes after that.
func (w *Window) Began(table schema.TableName, key []byte, row schema.Tuple) bool {
	t := w.tables[table]
	return t != nil && (t.truncated != 0 || t.first[string(key)] == w.hash(row))
}

// Tear has a row, of which the stream has said something, be read once more where that is not visible yet.
func (w *Window) Tear(table schema.TableName, key []byte) {
	if t := w.tables[table]; t != nil {
		if c, changed := t.last[string(key)]; changed {
			c.torn = true
			t.last[string(key)] = c
		}
	}
}

// hash is never 0.
func (w *Window) hash(row schema.Tuple) uint64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	for _, v := range row {
		_ = h.WriteByte(byte(v.Kind))
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(v.Data))))
		_, _ = h.Write(v.Data)
	}
	return h.Sum64() | 1
}

// began notes the row that there was before the first change of a key; nil for none.
func (w *Window) began(t *changes, key string, row schema.Tuple) {
	if _, known := t.first[key]; known || !t.held {
		return
	}
	t.first[key] = 0
	if row != nil {
		t.first[key] = w.hash(row)
	}
}

// Said reports whether the stream has said what became of a row, since the table is held.
func (w *Window) Said(table schema.TableName, key []byte) bool {
	t := w.tables[table]
	if t == nil {
		return false
	}
	_, changed := t.last[string(key)]
	return changed || t.truncated != 0
}

// Follows reports whether changes of the table are noted.
func (w *Window) Follows(table schema.TableName) bool { return w.tables[table] != nil }

// Note takes note of an event of a table that is followed. torn are the keys of
// rows, now, that the event does not hold whole.
func (w *Window) Note(e *schema.Event) (torn []string) {
	t := w.tables[e.Relation.Table]
	if t == nil {
		return nil
	}
	switch e.Op {
	case schema.OpTruncate:
		t.truncated = e.Source.XID
		clear(t.last)
		return nil
	case schema.OpCreate, schema.OpUpdate, schema.OpDelete:
	default:
		return nil
	}
	var buffer [64]byte
	if e.Old != nil {
		key := string(AppendKey(buffer[:0], e.Old, e.Relation.Key))
		w.began(t, key, e.Old)
		t.last[key] = change{xid: e.Source.XID}
	}
	if e.New != nil {
		c := change{xid: e.Source.XID, torn: isTorn(e)}
		key := string(AppendKey(buffer[:0], e.New, e.Relation.Key))
		w.began(t, key, nil)
		if t.last[key] = c; c.torn {
			torn = append(torn, key)
		}
	}
	return torn
}

// TornKey is the key of the row that an event does not hold whole, nil for any other.
func TornKey(e *schema.Event) []string {
	if !isTorn(e) {
		return nil
	}
	return []string{string(AppendKey(nil, e.New, e.Relation.Key))}
}

func isTorn(e *schema.Event) bool {
	return slices.ContainsFunc(e.New, func(v schema.Value) bool { return v.Kind == schema.Unchanged })
}

// Verdict is what the stream has done to a row since a snapshot was taken.
type Verdict uint8

// The verdicts.
const (
	Fresh Verdict = iota // nothing that the snapshot does not see
	Stale                // the stream holds what it is now, or that it is gone
	Torn                 // it has changed, and the stream does not say what it is now
)

// Judge says whether a row that was read in a snapshot may still be delivered. The
// stream must have come to where all that the snapshot sees was committed before.
func (w *Window) Judge(table schema.TableName, key []byte, s *Snapshot) Verdict {
	t := w.tables[table]
	if t == nil {
		return Fresh
	}
	if c, changed := t.last[string(key)]; changed && !s.Sees(c.xid) {
		if c.torn {
			return Torn
		}
		return Stale
	}
	if t.truncated != 0 && !s.Sees(t.truncated) {
		return Stale
	}
	return Fresh
}

// Forget drops what a snapshot sees, which every later snapshot sees too. No
// earlier one may be asked about after it.
func (w *Window) Forget(s *Snapshot) {
	for _, t := range w.tables {
		if t.held {
			continue
		}
		for key, c := range t.last {
			if s.Sees(c.xid) {
				delete(t.last, key)
			}
		}
		if t.truncated != 0 && s.Sees(t.truncated) {
			t.truncated = 0
		}
	}
}

// Len is how many keys are remembered.
func (w *Window) Len() int {
	n := 0
	for _, t := range w.tables {
		n += len(t.last)
	}
	return n
}

// AppendKey appends a row's key: the text of its columns, each with its length.
func AppendKey(dst []byte, row schema.Tuple, columns []int) []byte {
	for _, c := range columns {
		dst = binary.AppendUvarint(dst, uint64(len(row[c].Data)))
		dst = append(dst, row[c].Data...)
	}
	return dst
}

// SplitKey takes a key apart into the texts of its columns.
func SplitKey(key string) (texts []string) {
	for b := []byte(key); len(b) > 0; {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return nil
		}
		texts = append(texts, string(b[used:used+int(n)]))
		b = b[used+int(n):]
	}
	return texts
}
