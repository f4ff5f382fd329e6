package shape

import (
	"fmt"
	"strconv"
	"strings"

	"penstock/schema"
)

// Problem is an entry of the rules that the relation's columns do not allow.
type Problem struct {
	Rule  string // include, exclude, mask, truncate, key or partition
	Entry string // a column's name or a pattern; empty for the rule as a whole
	What  string // what is wrong, with the table's name
	Why   string // empty if What says it
	Fix   string
}

// Error is the problem on one line.
func (p *Problem) Error() string {
	text := p.Rule
	if p.Entry != "" {
		text += " " + strconv.Quote(p.Entry)
	}
	if text += ": " + p.What; p.Why != "" {
		text += ": " + p.Why
	}
	return text + " (fix: " + p.Fix + ")"
}

// problem is one of a column that is there.
func problem(rel *schema.Relation, rule, column, what, fix string) *Problem {
	return &Problem{Rule: rule, Entry: column, What: fmt.Sprintf("column %s of table %s %s", column, rel.Table, what), Fix: fix}
}

// unknown is the problem of a name or pattern that no column has.
func unknown(rel *schema.Relation, rule, entry string) *Problem {
	var names []string
	fix := "correct the name, or take it out"
	for i := range rel.Columns {
		name := rel.Columns[i].Name
		names = append(names, name)
		if strings.EqualFold(name, entry) {
			fix = "write " + name + ", in the case that the catalogue has"
		}
	}
	p := &Problem{
		Rule: rule, Entry: entry, What: fmt.Sprintf("table %s has no column %q", rel.Table, entry),
		Why: "its columns are " + strings.Join(names, ", "), Fix: fix,
	}
	if isPattern(entry) {
		p.What, p.Fix = fmt.Sprintf("no column of table %s matches %q", rel.Table, entry), "correct the pattern, or take it out"
	}
	return p
}
