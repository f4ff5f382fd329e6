package parity

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// envelope is the subject of what belongs to no column: the envelope itself, its source block, the headers.
const envelope = "envelope"

// Report is what a run has found, subject by subject: a column of the table of
// types, a shape of change, or the envelope.
type Report struct {
	justifications []Justification
	used           []bool // of each justification: it has justified something
	subjects       []*subject
	byName         map[string]*subject
	passes         int
	complete       bool // every pass was compared: what is unused is stale
}

// subject is one line of the report.
type subject struct {
	kind, name string
	compared   int // records
	reasons    []string
	unmeant    []Difference
}

// NewReport begins an empty report.
func NewReport(justifications []Justification) *Report {
	return &Report{justifications: justifications, used: make([]bool, len(justifications)), byName: map[string]*subject{}}
}

// Expect makes the report have a line for the subject, also when nothing is found
// out of it: which is an error then.
func (r *Report) Expect(kind, name string) { r.subject(kind, name) }

func (r *Report) subject(kind, name string) *subject {
	key := kind + " " + name
	if r.byName[key] == nil {
		r.byName[key] = &subject{kind: kind, name: name}
		r.subjects = append(r.subjects, r.byName[key])
	}
	return r.byName[key]
}

// Add takes the differences of a pass; compared counts the records behind each subject of it.
func (r *Report) Add(p Pass, compared map[string]int, differences []Difference) {
	r.passes++
	for key, n := range compared {
		kind, name, _ := strings.Cut(key, " ")
		r.subject(kind, name).compared += n
	}
	for _, d := range differences {
		kind, name := subjectOf(p, d)
		s := r.subject(kind, name)
		i := slices.IndexFunc(r.justifications, func(j Justification) bool { return j.Justifies(d) })
		if i < 0 {
			s.unmeant = append(s.unmeant, d)
			continue
		}
		r.used[i] = true
		if why := r.justifications[i].Why; !slices.Contains(s.reasons, why) {
			s.reasons = append(s.reasons, why)
		}
	}
}

// Refuse notes that Penstock did not read the tables of a pass, in one of which the reason lies.
func (r *Report) Refuse(p Pass, tables []string, err error) {
	var differences []Difference
	for _, table := range tables {
		differences = append(differences, Difference{Pass: p.Name, Table: table, Path: "pass", Kind: Refused, Ours: err.Error()})
	}
	r.Add(p, nil, differences)
}

// Complete says that every pass was tried: a justification that nothing needed is stale from now on.
func (r *Report) Complete() { r.complete = true }

// subjectOf tells whose line the difference belongs to. The programs' own headers
// are on every record, and so on none of the columns' and shapes' lines.
func subjectOf(p Pass, d Difference) (kind, name string) {
	if strings.HasPrefix(d.Path, "headers.penstock.") || strings.HasPrefix(d.Path, "headers.__debezium.context.") {
		return envelope, "headers"
	}
	if p.Content != Types || d.Table != typesTable {
		return "shape", shapeOf(d.Table)
	}
	for _, image := range []string{"value.before.", "value.after.", "valueSchema.before.", "valueSchema.after."} {
		if rest, ok := strings.CutPrefix(d.Path, image); ok && !strings.HasPrefix(rest, "#") {
			column, _, _ := strings.Cut(rest, ".")
			return "column", column
		}
	}
	return envelope, "types"
}

// shapeOf is the shape that a table belongs to: its schema. Messages and transactions have topics without one.
func shapeOf(table string) string {
	shape, _, _ := strings.Cut(table, ".")
	return shape
}

// Failed tells whether something is not as it is meant.
func (r *Report) Failed() bool {
	return len(r.stale()) > 0 || slices.ContainsFunc(r.subjects, func(s *subject) bool { return s.failed() })
}

func (s *subject) failed() bool { return len(s.unmeant) > 0 || s.compared == 0 && len(s.reasons) == 0 }

func (r *Report) stale() []Justification {
	var stale []Justification
	for i, used := range r.used {
		if !used && r.complete {
			stale = append(stale, r.justifications[i])
		}
	}
	return stale
}

// Write prints a line for each subject and a summary.
func (r *Report) Write(w io.Writer) {
	count := map[string]int{}
	fmt.Fprintf(w, "not compared but for presence and type: %s; in the topic of transactions %s\n",
		strings.Join(byNature(""), ", "), strings.Join(byNature(transactionTable), ", "))
	for _, s := range r.subjects {
		state := s.write(w)
		count[s.kind]++
		count[state]++
	}
	r.writeFields(w)
	for _, j := range r.stale() {
		fmt.Fprintf(w, "STALE: line %d of the justified differences fits none: %s\n", j.Line, &j)
	}
	fmt.Fprintf(w, "total passes=%d columns=%d shapes=%d equal=%d justified=%d unjustified=%d uncompared=%d stale=%d\n",
		r.passes, count["column"], count["shape"], count["equal"], count["justified"], count["unjustified"], count["uncompared"],
		len(r.stale()))
}

// writeFields prints which fields differ most often without a justification, whatever their table.
func (r *Report) writeFields(w io.Writer) {
	const most = 30
	count := map[string]int{}
	for _, s := range r.subjects {
		for _, d := range s.unmeant {
			count[string(d.Kind)+" "+d.Path]++
		}
	}
	byCount := func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) }
	fields := slices.SortedFunc(maps.Keys(count), byCount)
	for _, field := range fields[:min(most, len(fields))] {
		fmt.Fprintf(w, "%6d times %s\n", count[field], field)
	}
}

// write prints the subject and returns the word for its state.
func (s *subject) write(w io.Writer) string {
	const most = 8 // fields shown of one subject
	line := fmt.Sprintf("%-8s %-28s", s.kind, s.name)
	switch {
	case len(s.unmeant) > 0:
		fmt.Fprintf(w, "%s DIFFERS in %d fields, unjustified\n", line, len(s.unmeant))
		shown := map[string]bool{} // fields, each by its first difference
		for _, d := range s.unmeant {
			if len(shown) < most && !shown[string(d.Kind)+d.Path] {
				shown[string(d.Kind)+d.Path] = true
				fmt.Fprintf(w, "    %s\n", d)
			}
		}
		return "unjustified"
	case len(s.reasons) > 0:
		fmt.Fprintf(w, "%s differs: %s\n", line, strings.Join(s.reasons, "; "))
		return "justified"
	case s.compared == 0:
		fmt.Fprintf(w, "%s NOTHING was compared\n", line)
		return "uncompared"
	}
	fmt.Fprintf(w, "%s equal (%d records)\n", line, s.compared)
	return "equal"
}
