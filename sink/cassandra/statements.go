package cassandra

import (
	"fmt"
	"strings"
	"time"

	"penstock/sink/plan"
)

// table is a table of the plan with its statements. In all writes the version comes
// last, as the timestamp of a delete first.
type table struct {
	*plan.Table
	name string // keyspace.table, quoted
	kept []int  // indexes of the columns that are read back

	put    string // of all columns and the version, which is the timestamp too
	remove string // of one row
	one    string // reads one row by its key: what is kept, then the version
	some   string // reads the rows of one partition
}

// statements are the CQL texts for one plan.
type statements struct {
	history, days, lookups table
	views                  []table

	clear                          string // one partition of the history
	bucketsOf                      string // the partitions of a join value
	joinsOfHistory, joinsOfLookups string

	totals *totalsTables // nil where nothing is counted
}

func newStatements(p *plan.Plan, keyspace string) statements {
	s := statements{
		history: newTable(&p.History, keyspace), days: newTable(&p.Days, keyspace), lookups: newTable(&p.Lookups, keyspace),
	}
	for i := range p.Views {
		s.views = append(s.views, newTable(&p.Views[i], keyspace))
	}
	h, d := &s.history, &s.days
	s.clear = "DELETE FROM " + h.name + " USING TIMESTAMP ? WHERE " + equal(h.Columns[:h.Partition])
	s.bucketsOf = "SELECT " + quoted(d.Columns[1].Name) + " FROM " + d.name + " WHERE " + equal(d.Columns[:1])
	s.joinsOfHistory = "SELECT DISTINCT " + quoted(d.Columns[0].Name) + " FROM " + d.name
	s.joinsOfLookups = "SELECT " + quoted(s.lookups.Columns[0].Name) + " FROM " + s.lookups.name
	s.totals = newTotalsTables(p, h, keyspace)
	return s
}

func newTable(t *plan.Table, keyspace string) table {
	out := table{Table: t, name: quoted(keyspaceOf(t, keyspace)) + "." + quoted(t.Name)}
	var names, kept []string
	for i, c := range t.Columns {
		names = append(names, quoted(c.Name))
		if c.Lossless() {
			out.kept = append(out.kept, i)
			kept = append(kept, quoted(c.Name))
		}
	}
	names, kept = append(names, plan.VersionColumn), append(kept, plan.VersionColumn)
	using := " USING TIMESTAMP ?"
	if t.TTL > 0 {
		using += fmt.Sprintf(" AND TTL %d", t.TTL/time.Second)
	}
	out.put = "INSERT INTO " + out.name + " (" + strings.Join(names, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(names)-1) + ")" + using
	key := t.Columns[:t.Partition+t.Clustering]
	out.remove = "DELETE FROM " + out.name + " USING TIMESTAMP ? WHERE " + equal(key)
	out.one = "SELECT " + strings.Join(kept, ", ") + " FROM " + out.name + " WHERE " + equal(key)
	out.some = "SELECT " + strings.Join(kept, ", ") + " FROM " + out.name + " WHERE " + equal(key[:t.Partition])
	return out
}

func keyspaceOf(t *plan.Table, usual string) string {
	if t.Keyspace != "" {
		return t.Keyspace
	}
	return usual
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// equal is the condition that all columns are given.
func equal(columns []plan.TableColumn) string {
	terms := make([]string, len(columns))
	for i, c := range columns {
		terms[i] = quoted(c.Name) + " = ?"
	}
	return strings.Join(terms, " AND ")
}

// create is the statement that creates the table.
func (t *table) create() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + t.name + " (")
	for _, c := range t.Columns {
		b.WriteString(quoted(c.Name) + " " + c.CQL() + ", ")
	}
	b.WriteString(plan.VersionColumn + " bigint, PRIMARY KEY ((")
	for i, c := range t.Columns[:t.Partition+t.Clustering] {
		switch {
		case i == t.Partition:
			b.WriteString("), ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(quoted(c.Name))
	}
	if t.Clustering == 0 {
		b.WriteString(")")
	}
	b.WriteString("))")
	for i, c := range t.clusteringColumns() {
		b.WriteString([]string{", ", " WITH CLUSTERING ORDER BY ("}[btoi(i == 0)] + quoted(c.Name) + " " + order(t.Descending[i]))
		if i == t.Clustering-1 {
			b.WriteString(")")
		}
	}
	return b.String()
}

func (t *table) clusteringColumns() []plan.TableColumn {
	return t.Columns[t.Partition : t.Partition+t.Clustering]
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func order(descending bool) string {
	if descending {
		return "desc"
	}
	return "asc"
}

// args appends the bound values of some columns of a row.
func args(dst []any, p *plan.Plan, columns []plan.TableColumn, row plan.Row) []any {
	for _, c := range columns {
		if c.Form == plan.Bucket {
			dst = append(dst, p.BucketOf(row))
			continue
		}
		dst = append(dst, arg(c.Form, row[c.Slot]))
	}
	return dst
}

// What stands for NULL in columns of the forms OrZero and Joined: a key has no NULL,
// and alone it may not be empty.
const (
	zeroUUID = "00000000-0000-0000-0000-000000000000"
	noJoin   = "-"
)

// arg is the bound value of a column: nil writes SQL NULL, which erases an older value.
func arg(form plan.Form, v plan.Value) any {
	switch {
	case form == plan.Joined && v.IsNull():
		return noJoin
	case form == plan.Joined:
		return "=" + v.String()
	case form == plan.OrZero && v.IsNull():
		return zeroUUID
	case v.IsNull():
		return nil
	case form == plan.Day:
		return time.Unix(plan.DayOf(v)*24*60*60, 0).UTC()
	}
	switch v.Type() {
	case plan.Bool:
		return v.Bool()
	case plan.Float:
		return v.Float()
	case plan.Text, plan.UUID:
		return v.Text()
	case plan.Time:
		if form == plan.Plain {
			return plan.Millis(v)
		}
	case plan.Int:
	}
	return v.Int()
}
