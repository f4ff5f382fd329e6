package parity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"penstock/internal/parity/golden"
)

// Kind is how a field differs.
type Kind string

// The kinds of differences.
const (
	Other    Kind = "value"    // another value, or another type of it
	Spelling Kind = "spelling" // the same number, written in another way
	Missing  Kind = "missing"  // Debezium has it, Penstock has not
	Extra    Kind = "extra"    // Penstock has it, Debezium has not
	Order    Kind = "order"    // the fields of a schema in another order
	Refused  Kind = "refused"  // Penstock did not read the pass to its end
)

// Difference is one field of one record that is not as Debezium's.
type Difference struct {
	Pass   string
	Table  string // its topic without the pass: schema.table
	Record int    // from 0, among Debezium's of the table, or among Penstock's when it is extra
	Path   string // value.after.a, headers.x; "record" for a whole one
	Kind   Kind
	Ours   string // Penstock's; empty when missing
	Theirs string // Debezium's; empty when extra
}

// String is the difference as one line.
func (d Difference) String() string {
	const most = 200
	cut := func(s string) string {
		if len(s) > most {
			return s[:most] + "..."
		}
		return s
	}
	if d.Kind == Refused {
		return fmt.Sprintf("%s %s: refused: %s", d.Pass, d.Table, d.Ours)
	}
	return fmt.Sprintf("%s %s record %d: %s %s: penstock %s, debezium %s", d.Pass, d.Table, d.Record, d.Kind, d.Path, cut(d.Ours), cut(d.Theirs))
}

// transactionTable is the table of the topic with begins and ends.
const transactionTable = "transaction"

// byNature are the fields whose values no two readers can have in common: only
// that they are there, and their type, is compared. The report says so.
func byNature(table string) []string {
	if table == transactionTable {
		return []string{"key.id", "value.id"} // an LSN is a part of it: Debezium's is another one at each event
	}
	return []string{
		"value.ts_ms", "value.ts_us", "value.ts_ns", // when the record was made
		"value.source.version",             // of the program
		"value.source.lsn",                 // Debezium's is the change's, Penstock's the commit's
		"value.source.sequence",            // the same, as text
		"value.transaction.id",             // the same, as a part of it
		"headers.__debezium.context.runId", // drawn at each start
	}
}

// Compare returns every difference of a pass between Penstock's records and Debezium's.
func Compare(p Pass, ours, theirs []golden.Record) []Difference {
	var all []Difference
	ourTables, theirTables := byTable(p, ours), byTable(p, theirs)
	for _, table := range tablesOf(ourTables, theirTables) {
		c := comparison{pass: p.Name, table: table}
		for _, pair := range align(ourTables[table], theirTables[table]) {
			c.pair(pair)
		}
		all = append(all, c.found...)
	}
	return all
}

func byTable(p Pass, records []golden.Record) map[string][]golden.Record {
	tables := map[string][]golden.Record{}
	for _, r := range records {
		table := strings.TrimPrefix(r.Topic, p.Name+".")
		tables[table] = append(tables[table], r)
	}
	return tables
}

func tablesOf(a, b map[string][]golden.Record) []string {
	var names []string
	for _, m := range []map[string][]golden.Record{a, b} {
		for name := range m {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// comparison gathers the differences of one table.
type comparison struct {
	pass, table string
	record      int
	found       []Difference
}

func (c *comparison) differs(kind Kind, path string, ours, theirs string) {
	c.found = append(c.found, Difference{c.pass, c.table, c.record, path, kind, ours, theirs})
}

func (c *comparison) pair(p pair) {
	c.record = p.at
	switch {
	case p.ours == nil:
		c.differs(Missing, "record", "", summary(p.theirs))
	case p.theirs == nil:
		c.differs(Extra, "record", summary(p.ours), "")
	default:
		c.json("key", p.ours.Key, p.theirs.Key)
		c.json("value", p.ours.Value, p.theirs.Value)
		c.schemas("keySchema", p.ours.KeySchema, p.theirs.KeySchema)
		c.schemas("valueSchema", p.ours.ValueSchema, p.theirs.ValueSchema)
		c.headers(p.ours.Headers, p.theirs.Headers)
	}
}

func summary(r *golden.Record) string { return string(r.Key) + " " + operation(r) }

// headers compares the values of each name, in their order.
func (c *comparison) headers(ours, theirs []golden.Header) {
	values := func(headers []golden.Header) map[string]any {
		m := map[string]any{}
		for _, h := range headers {
			list, _ := m[h.Key].([]any) // nil for the first
			m[h.Key] = append(list, h.Value)
		}
		for name, list := range m {
			if list, _ := list.([]any); len(list) == 1 {
				m[name] = list[0]
			}
		}
		return m
	}
	c.values("headers", values(ours), values(theirs))
}

func (c *comparison) json(path string, ours, theirs json.RawMessage) {
	a, errA := decode(ours)
	b, errB := decode(theirs)
	if errA != nil || errB != nil {
		c.differs(Other, path, fmt.Sprint(string(ours), errA), fmt.Sprint(string(theirs), errB))
		return
	}
	c.values(path, a, b)
}
