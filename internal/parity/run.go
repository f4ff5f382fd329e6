package parity

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"penstock/internal/parity/golden"
)

// Select returns the passes of those names, all of none, and the names that are none.
func Select(names []string) (selected []Pass, unknown []string) {
	all := Passes()
	if len(names) == 0 {
		return all, nil
	}
	for _, name := range names {
		found := false
		for _, p := range all {
			if p.Name == name {
				selected, found = append(selected, p), true
			}
		}
		if !found {
			unknown = append(unknown, name)
		}
	}
	return selected, unknown
}

// Record lets the real connector read every pass and keeps what it wrote in the
// folder dir, with what the server says of the same rows.
func Record(ctx context.Context, r *Rig, passes []Pass, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := r.fill(ctx); err != nil {
		return fmt.Errorf("make the changes: %w", err)
	}
	in, err := r.input(ctx, typesTable, "id")
	if err != nil {
		return err
	}
	if err := golden.WriteInput(dir, "types", in); err != nil {
		return err
	}
	for _, p := range passes {
		if p.Unkept {
			continue
		}
		records, err := r.runDebezium(ctx, p)
		if err != nil {
			return fmt.Errorf("pass %s: %w", p.Name, err)
		}
		r.say("pass %s: %d records", p.Name, len(records))
		if err := golden.Write(dir, p.Name, records); err != nil {
			return err
		}
	}
	return nil
}

// Judge lets the connector and the daemon at the path binary read every pass and
// returns what differs. An error is the rig's own; a reader that fails is in the report.
func Judge(ctx context.Context, r *Rig, passes []Pass, binary string) (*Report, error) {
	justifications, err := LoadJustifications()
	if err != nil {
		return nil, fmt.Errorf("justified.txt: %w", err)
	}
	report := NewReport(justifications)
	if err := r.fill(ctx); err != nil {
		return nil, fmt.Errorf("make the changes: %w", err)
	}
	for _, p := range passes {
		r.expect(report, p)
		theirs, err := r.runDebezium(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("debezium, pass %s: %w", p.Name, err)
		}
		ours, err := r.runPenstock(ctx, p, binary)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			r.say("pass %s: %v", p.Name, err)
			report.Refuse(p, r.subjectTables(p), err)
			continue
		}
		differences := Compare(p, ours, theirs)
		r.say("pass %s: %d records, %d differences", p.Name, len(theirs), len(differences))
		report.Add(p, r.compared(p, ours, theirs), differences)
	}
	if len(passes) == len(Passes()) {
		report.Complete()
	}
	return report, nil
}

// expect names the subjects that the pass has to be heard of.
func (r *Rig) expect(report *Report, p Pass) {
	if p.Content == Types {
		report.Expect(envelope, "types")
		for _, c := range r.types.Columns() {
			report.Expect("column", c.Name)
		}
	}
	for _, s := range r.shapes {
		if slices.Contains(s.In, p.Content) {
			report.Expect("shape", s.Name)
		}
	}
}

// subjectTables has a name for each table or shape of the pass, as those of its differences.
func (r *Rig) subjectTables(p Pass) []string {
	if p.Content == Types {
		return []string{typesTable}
	}
	var tables []string
	for _, s := range r.shapes {
		if slices.Contains(s.In, p.Content) {
			tables = append(tables, s.Name+".*")
		}
	}
	return tables
}

// compared counts the records behind each subject.
func (r *Rig) compared(p Pass, ours, theirs []golden.Record) map[string]int {
	counts := map[string]int{}
	ourTables, theirTables := byTable(p, ours), byTable(p, theirs)
	for _, table := range tablesOf(ourTables, theirTables) {
		n := max(len(ourTables[table]), len(theirTables[table]))
		if p.Content != Types || table != typesTable {
			counts["shape "+shapeOf(table)] += n
			continue
		}
		counts[envelope+" types"] += n
		for _, c := range r.types.Columns() {
			counts["column "+c.Name] += n
		}
	}
	return counts
}

// String lists the settings of the pass.
func (p Pass) String() string {
	text := []string{fmt.Sprintf("%-24s %-15s schemas=%-5t", p.Name, p.Content, p.Schemas)}
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		text = append(text, name+"="+p.Settings[name])
	}
	return strings.Join(text, " ")
}
