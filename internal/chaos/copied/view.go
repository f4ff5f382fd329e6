// Package copied holds what Kafka has of a table, which was read by backfills under a load, against SQL. It shares
// no code with the product. The table is the one of [Create], whose rows say by a number how new they are: the load
// raises n with every change of a row, and it is 0 in rows that nobody has changed.
package copied

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/ledger"
)

// The kinds of what can be wrong, beside those of the ledger.
const (
	// Overridden is a row that was read and delivered although the stream had said something newer, or that it is gone.
	Overridden ledger.Kind = "overridden"
	// Partial is a last record that does not hold the whole row, although rows were read after it.
	Partial ledger.Kind = "partial"
)

// Kinds lists those of this package.
func Kinds() []ledger.Kind { return []ledger.Kind{Overridden, Partial} }

// unavailable stands for a value that the log left out; the text is Debezium's.
const unavailable = "__debezium_unavailable_value"

// shown is how many problems of each kind are described.
const shown = 3

// View is what the records of a topic add up to, row by row. Take must see every partition in its order.
type View struct {
	Records, Read int64 // those with values, and those of them that a backfill has read
	Torn          int64 // those that do not hold the whole row
	Found         map[ledger.Kind]int64
	Problems      []string

	// Repeats says that the table was read by several backfills: a row may come unchanged again.
	Repeats bool

	seed     maphash.Seed
	rows     map[int64]*row
	lastRead int64 // version of the newest record that was read
}

// row is what Kafka says of one.
type row struct {
	n         int64 // the highest
	readAt    int64 // n of the last record that was read, -1 without any
	version   int64 // of the last record
	sum, wide uint64
	there     bool
	known     bool // wide is
	torn      bool // the last record is
	tornOnce  bool // one was: the row is read once more, also if it was read meanwhile
}

// NewView knows no record.
func NewView() *View {
	return &View{Found: map[ledger.Kind]int64{}, seed: maphash.MakeSeed(), rows: map[int64]*row{}}
}

func (v *View) wrong(kind ledger.Kind, format string, args ...any) {
	if v.Found[kind]++; v.Found[kind] <= shown {
		v.Problems = append(v.Problems, string(kind)+": "+fmt.Sprintf(format, args...))
	}
}

// Take notes the next record of its partition. One that cannot be read is an error.
func (v *View) Take(r *kgo.Record) error {
	var key struct{ ID *int64 }
	if err := json.Unmarshal(r.Key, &key); err != nil || key.ID == nil {
		return fmt.Errorf("key %.100q: %w", r.Key, errors.Join(err, errors.New("no id")))
	}
	if r.Value == nil {
		return nil // the tombstone behind a delete
	}
	var said struct {
		Op    string
		After *struct {
			N    int64
			Body string
			Wide *string
		}
	}
	if err := json.Unmarshal(r.Value, &said); err != nil {
		return err
	}
	version, err := versionOf(r)
	if err != nil {
		return err
	}
	v.Records++
	at := v.rows[*key.ID]
	if at == nil {
		at = &row{readAt: -1}
		v.rows[*key.ID] = at
	}
	if version <= at.version {
		v.wrong(ledger.Version, "row %d has version %d behind %d", *key.ID, version, at.version)
	}
	before := *at
	at.version = version
	if said.After == nil {
		at.there, at.known, at.torn = false, false, false
		return nil
	}
	at.there, at.n, at.sum = true, max(at.n, said.After.N), v.hash(said.After.N, said.After.Body)
	at.torn = said.After.Wide != nil && *said.After.Wide == unavailable
	if at.torn {
		v.Torn++
		at.tornOnce = true
	} else {
		at.known, at.wide = true, v.text(said.After.Wide)
	}
	if said.Op == "r" {
		v.read(*key.ID, &before, at, said.After.N)
	} else if said.After.N <= before.n {
		v.wrong(ledger.Reorder, "row %d is changed to n %d behind %d", *key.ID, said.After.N, before.n)
	}
	return nil
}

// read holds a row that a backfill has read against what Kafka said of it before.
func (v *View) read(id int64, before, at *row, n int64) {
	v.Read++
	v.lastRead = max(v.lastRead, at.version)
	gone := !before.there && before.version > 0
	switch {
	case n > before.n:
		v.wrong(ledger.Reorder, "row %d is read with n %d before the stream has said more than %d", id, n, before.n)
	case n < before.n:
		v.wrong(Overridden, "row %d is read with n %d, the stream had said %d", id, n, before.n)
	case gone && n == before.n:
		v.wrong(Overridden, "row %d is read with n %d, the stream had said that it is gone", id, n)
	case n == before.readAt && !before.tornOnce && !v.Repeats:
		v.wrong(ledger.Duplicate, "row %d is read twice with n %d", id, n)
	}
	at.readAt = n
}

// versionOf reads the header that says how new a record is.
func versionOf(r *kgo.Record) (int64, error) {
	for _, h := range r.Headers {
		if h.Key == "penstock.version" {
			return strconv.ParseInt(string(h.Value), 10, 64)
		}
	}
	return 0, errors.New("no version")
}

func (v *View) hash(n int64, body string) uint64 {
	return maphash.String(v.seed, strconv.FormatInt(n, 10)+"\t"+body)
}

func (v *View) text(s *string) uint64 {
	if s == nil {
		return 0
	}
	return maphash.String(v.seed, *s)
}
