package plan

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of Cassandra, and of ours.
const (
	maxColumns = 64 // of a side
	maxTTL     = 20 * 365 * 24 * time.Hour
	// reserved begins the names of the tables that a pipeline keeps for itself.
	reserved = "penstock_"
)

var (
	storeName    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,47}$`)
	pipelineName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,29}$`)
)

// Compile checks a declaration and makes a plan of it. It reports everything that
// is wrong at once.
func Compile(d *Declaration) (*Plan, []*Problem) {
	b := newBuilder(d)
	if !pipelineName.MatchString(d.Name) {
		b.problem("", fmt.Sprintf("%q names no pipeline with tables of its own", d.Name), "it is a part of the names of tables in Cassandra",
			"take a lower case letter, then lower case letters, digits and _, at most 30")
	}
	b.sides()
	if len(b.problems) == 0 {
		b.outputs()
		b.filter()
	}
	if len(b.problems) == 0 {
		b.cassandra()
		b.redis()
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	b.keys()
	return b.plan, nil
}

// keys notes which computed slots are part of a place.
func (b *builder) keys() {
	for _, c := range b.plan.early {
		if slices.ContainsFunc(b.plan.Places, func(place Place) bool {
			return slices.ContainsFunc(place, func(part Part) bool { return part.Slot == c.slot })
		}) {
			b.plan.keys = append(b.plan.keys, c)
		}
	}
}

// builder makes a plan of a declaration.
type builder struct {
	declared *Declaration
	plan     *Plan
	columns  map[string]output // of the result, by name
	problems []*Problem
}

// output is a column of the result.
type output struct {
	slot            int
	notNull, lookup bool
}

func newBuilder(d *Declaration) *builder {
	return &builder{
		declared: d, columns: make(map[string]output, len(d.Columns)),
		plan: &Plan{Name: d.Name, Stream: d.Stream.Table, Lookup: d.Lookup.Table, streams: len(d.Stream.Columns), lookups: len(d.Lookup.Columns)},
	}
}

func (b *builder) problem(path, what, why, fix string) {
	b.problems = append(b.problems, &Problem{Path: path, What: what, Why: why, Fix: fix})
}

// The names by which expressions call the two tables.
const (
	streamSide = "stream"
	lookupSide = "lookup"
)

func cutSide(name string) (side, column string, found bool) { return strings.Cut(name, ".") }

// sides makes the slots of the two tables and finds the join and the key.
func (b *builder) sides() {
	p, d := b.plan, b.declared
	if d.Stream.Table == d.Lookup.Table && d.Stream.Table.Name != "" {
		b.problem("lookup.table", "it is the stream table, too", "a change would be of both sides", "join another table")
	}
	for _, side := range []struct {
		name string
		Side
	}{{streamSide, d.Stream}, {lookupSide, d.Lookup}} {
		if len(side.Columns) > maxColumns {
			b.problem(side.name+".columns", fmt.Sprintf("%d columns are more than a pipeline takes of one table, %d", len(side.Columns), maxColumns), "",
				"name those that the pipeline uses")
			return
		}
		for _, c := range side.Columns {
			if p.Slot(side.name+"."+c.Name) >= 0 {
				b.problem(side.name+".columns."+c.Name, "is there twice", "", "take one of the two out")
			}
			p.Slots = append(p.Slots, Slot{Name: side.name + "." + c.Name, Type: c.Type, NotNull: c.NotNull, Native: c.Native})
		}
	}
	p.Join, p.lookupJoin = b.named(streamSide, d.Stream.Join, streamSide+".column"), b.named(lookupSide, d.Lookup.Join, lookupSide+".column")
	if len(d.Key) == 0 {
		b.problem("stream.key", "is required", "it tells the rows of the stream table apart", "key: [id], the primary key of "+d.Stream.Table.String())
	}
	for i, name := range d.Key {
		slot := b.named(streamSide, name, fmt.Sprintf("stream.key[%d]", i))
		if slot < 0 {
			continue
		}
		p.Slots[slot].NotNull = true
		if t := p.Slots[slot].Type; t == Time || t == Float {
			b.problem(fmt.Sprintf("stream.key[%d]", i), fmt.Sprintf("column %s is %s", name, t), "the stores could not tell two of its values apart",
				"use a table whose primary key has no such column")
		}
		if slices.Contains(p.Key, slot) {
			b.problem(fmt.Sprintf("stream.key[%d]", i), fmt.Sprintf("column %s is named twice", name), "", "take one of the two out")
		}
		p.Key = append(p.Key, slot)
	}
	if p.Join < 0 || p.lookupJoin < 0 {
		return
	}
	p.Slots[p.lookupJoin].NotNull = true
	left, right := p.Slots[p.Join].Type, p.Slots[p.lookupJoin].Type
	switch {
	case left != right:
		b.problem("lookup.column", fmt.Sprintf("%s is %s, and %s is %s", p.Slots[p.Join].Name, left, p.Slots[p.lookupJoin].Name, right),
			"the two join columns need one type", "join by columns of the same type")
	case left != Int && left != Text && left != UUID:
		b.problem("stream.column", fmt.Sprintf("%s is %s", p.Slots[p.Join].Name, left), "its text has to be the same wherever it is printed",
			"join by an integer, a text or a uuid")
	}
}

// named is the slot of a side's column, -1 with a problem at path for none.
func (b *builder) named(side, name, path string) int {
	if name == "" {
		b.problem(path, "is required", "", "name a column of "+side+".columns")
		return -1
	}
	if slot := b.plan.Slot(side + "." + name); slot >= 0 {
		return slot
	}
	b.problem(path, fmt.Sprintf("unknown column %q", name), "", "write one of "+strings.Join(b.namesOf(side), ", ")+", or declare it in "+side+".columns")
	return -1
}

func (b *builder) namesOf(side string) []string {
	var names []string
	for _, s := range b.plan.Slots {
		if have, name, _ := cutSide(s.Name); have == side {
			names = append(names, name)
		}
	}
	return names
}

// column is the [scope] of expressions.
func (b *builder) column(side, name string) (slot int, typ Type, notNull, lookup bool, err *ExprError) {
	if side != streamSide && side != lookupSide {
		return 0, 0, false, false, &ExprError{What: fmt.Sprintf("unknown table %q", side), Fix: "write stream." + name + " or lookup." + name}
	}
	slot = -1
	for i := range b.plan.streams + b.plan.lookups {
		if b.plan.Slots[i].Name == side+"."+name {
			slot = i
		}
	}
	if slot < 0 {
		return 0, 0, false, false, &ExprError{
			What: fmt.Sprintf("unknown column %s.%s", side, name),
			Fix:  fmt.Sprintf("write one of %s, or declare it in %s.columns", strings.Join(b.namesOf(side), ", "), side),
		}
	}
	lookup = side == lookupSide // and NULL where there is no lookup row
	return slot, b.plan.Slots[slot].Type, b.plan.Slots[slot].NotNull && !lookup, lookup, nil
}

// outputs compiles the columns of the result.
func (b *builder) outputs() {
	p := b.plan
	if len(b.declared.Columns) == 0 {
		b.problem("columns", "is required", "the pipeline would keep nothing", "columns: { id: stream.id }")
	}
	for _, out := range b.declared.Columns {
		path := "columns." + out.Name
		if !storeName.MatchString(out.Name) || out.Name == VersionColumn {
			b.problem(path, fmt.Sprintf("%q cannot be the name of a column", out.Name),
				"it is a lower case letter, then lower case letters, digits and _, at most 48, and not version", "take another name")
			continue
		}
		if _, twice := b.columns[out.Name]; twice {
			b.problem(path, "is there twice", "", "take one of the two out")
			continue
		}
		e := b.compile(path, out.Expr)
		if e == nil {
			continue
		}
		b.uses(e)
		slot, whole := -1, false
		if side, name, found := cutSide(strings.TrimSpace(out.Expr)); found {
			slot = p.Slot(side + "." + name)
			whole = slot >= 0 && len(e.slots) == 1 && e.slots[0] == slot
		}
		if !whole {
			slot = len(p.Slots)
			p.Slots = append(p.Slots, Slot{Name: out.Name, Type: e.Type, NotNull: e.NotNull})
			if e.Lookup {
				p.late = append(p.late, computed{slot: slot, expr: e})
			} else {
				p.early = append(p.early, computed{slot: slot, expr: e})
			}
		}
		b.columns[out.Name] = output{slot: slot, notNull: e.NotNull, lookup: e.Lookup}
	}
}

func (b *builder) compile(path, text string) *Expr {
	e, err := compileExpr(text, b)
	if err != nil {
		b.problems = append(b.problems, &Problem{Path: path, Offset: err.Offset, What: err.What, Fix: err.Fix})
		return nil
	}
	return e
}

// uses notes which lookup columns the result depends on.
func (b *builder) uses(e *Expr) {
	for _, slot := range e.slots {
		if slot >= b.plan.streams && slot < b.plan.streams+b.plan.lookups && !slices.Contains(b.plan.used, slot) {
			b.plan.used = append(b.plan.used, slot)
		}
	}
}

func (b *builder) filter() {
	if b.declared.Filter == "" {
		return
	}
	e := b.compile("filter", b.declared.Filter)
	if e == nil {
		return
	}
	if e.Type != Bool {
		b.problem("filter", fmt.Sprintf("it is %s, not boolean", e.Type), "", `compare it with something, such as stream.status != "draft"`)
		return
	}
	b.uses(e)
	b.plan.filter = e
}

// keyColumn is a column of the result that may be part of a key of a store.
func (b *builder) keyColumn(path, name string) (output, bool) {
	out, ok := b.columns[name]
	switch {
	case !ok:
		names := make([]string, len(b.declared.Columns))
		for i, c := range b.declared.Columns {
			names[i] = c.Name
		}
		b.problem(path, fmt.Sprintf("unknown column %q", name), "", "write one of "+strings.Join(names, ", ")+", or declare it in columns")
	case out.lookup:
		b.problem(path, fmt.Sprintf("column %s depends on the lookup table", name), "a row would have to be found under a key that is no longer known",
			"make the key of columns of the stream table")
		return out, false
	case !out.notNull:
		b.problem(path, fmt.Sprintf("column %s may be NULL", name), "a key may not", "declare it not null where the source has it so, or write coalesce(…)")
		return out, false
	}
	return out, ok
}

// hasKey checks that rows of different keys are kept apart.
func (b *builder) hasKey(path string, slots []int) {
	for _, slot := range b.plan.Key {
		if !slices.Contains(slots, slot) {
			_, name, _ := cutSide(b.plan.Slots[slot].Name)
			b.problem(path, fmt.Sprintf("it lacks %s, which is part of the stream table's key", b.plan.Slots[slot].Name), "two rows would replace each other",
				fmt.Sprintf("add a column that is stream.%s", name))
		}
	}
}
