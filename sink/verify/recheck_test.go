package verify

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock/sink/plan"
)

// kept is a store that has a few entries.
type kept struct{ entries []*entry }

func (k kept) scan(context.Context, func(*entry) error) error { return nil }
func (k kept) remove(context.Context, []*entry, int64) error  { return nil }
func (k kept) read(_ context.Context, at []*entry) (list []*entry, err error) {
	for range at {
		list = append(list, k.entries...)
	}
	return list, nil
}

// aRound is a look at row 7 of small, which Postgres has, at its view.
func aRound(t *testing.T, source *sourceRow, view int, got ...*entry) (*round, *suspect) {
	t.Helper()
	p := small(t)
	r := &run{cfg: &Config{Plan: p}, places: places(p, nil, nil), hasher: newHasher()}
	s := &suspect{side: stream, key: string(plan.AppendValue(nil, plan.IntOf(7))), at: map[int][]*entry{view: got}}
	l := &round{run: r, shot: &snapshot{micros: 2_000_000}, found: make([]map[string]*entry, len(r.places)), clock: 1000}
	l.rows[stream] = map[string]*sourceRow{}
	if source != nil {
		l.rows[stream][s.key] = source
	}
	l.found[view] = map[string]*entry{}
	for _, e := range got {
		l.found[view][s.key+e.address(r.places[view])] = e
	}
	return l, s
}

// TestJudge holds one row of Postgres against what a table may have of it.
func TestJudge(t *testing.T) {
	const view = 4 // kafka stream and lookup, history, lookup, view, redis
	p := small(t)
	source := sourceOf(t, p, row{id: 7, j: 1, v: "v"}, "name")
	hidden := sourceOf(t, p, row{id: 7, j: 1, v: "hidden"}, "name")
	place := places(p, nil, nil)[view]
	right := func(change func(*entry)) *entry {
		e := place.entry(source)
		e.values, e.version, e.written = slices.Clone(e.values), 10, 10
		change(e)
		return e
	}
	as := func(*entry) {}
	elsewhere := right(func(e *entry) { e.values[1] = plan.TimeOf(0) })
	for _, c := range []struct {
		name   string
		source *sourceRow
		got    []*entry
		want   []Kind
		fields []string // of the first
	}{
		{"it is there", source, []*entry{right(as)}, nil, nil},
		{"it is not there", source, nil, []Kind{Missing}, []string{"id", "at", "v", "name"}},
		{"another value", source, []*entry{right(func(e *entry) { e.values[2] = plan.TextOf("w") })}, []Kind{Different}, []string{"v"}},
		{"NULL", source, []*entry{right(func(e *entry) { e.values[3] = plan.Value{} })}, []Kind{Different}, []string{"name"}},
		{"a cell of another write", source, []*entry{right(func(e *entry) { e.torn = "1 to 2" })}, []Kind{Different}, []string{"timestamp"}},
		{"a version that none has given", source, []*entry{right(func(e *entry) { e.written = 1001 })}, []Kind{Different}, []string{"version"}},
		{"it is elsewhere", source, []*entry{elsewhere}, []Kind{Missing, Extra}, []string{"id", "at", "v", "name"}},
		{"it is elsewhere, too", source, []*entry{right(as), elsewhere}, []Kind{Extra}, []string{"id", "at", "v", "name"}},
		{"Postgres has no such row", nil, []*entry{right(as)}, []Kind{Extra}, []string{"id", "at", "v", "name"}},
		{"nobody has it", nil, nil, nil, nil},
		{"the filter leaves it out", hidden, []*entry{right(as)}, []Kind{Extra}, []string{"id", "at", "v", "name"}},
		{"the filter leaves it out, and it is out", hidden, nil, nil, nil},
		{"it cannot be taken", &sourceRow{key: source.key, err: errNoChange}, nil, []Kind{Unreadable}, nil},
	} {
		l, s := aRound(t, c.source, view, c.got...)
		findings, err := l.judge(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []Kind
		var names []string
		for i, f := range findings {
			kinds = append(kinds, f.kind)
			for _, field := range f.fields {
				if i == 0 {
					names = append(names, field.Name)
				}
			}
		}
		if !slices.Equal(kinds, c.want) || !slices.Equal(names, c.fields) {
			t.Errorf("%s: %v in %q, want %v in %q", c.name, kinds, names, c.want, c.fields)
		}
	}
}

// TestARowThatHasOutlivedItsTableIsNotMissing: its time to live counts from the version
// that the history has.
func TestARowThatHasOutlivedItsTableIsNotMissing(t *testing.T) {
	const history, view = 2, 4
	p := small(t)
	source := sourceOf(t, p, row{id: 7, j: 1, v: "v"}, "name")
	for version, missing := range map[int64]int{999_999: 0, 1_000_001: 1} { // now is 2 s
		l, s := aRound(t, source, view)
		at := l.run.places[history].entry(source)
		at.version = version
		l.run.places[view].ttl = time.Second
		l.run.places[history].store = kept{[]*entry{at}}
		findings, err := l.judge(t.Context(), s, nil)
		if err != nil || len(findings) != missing {
			t.Errorf("version %d: %v, error %v", version, findings, err)
		}
	}
}

// TestADifferenceHasToStandStill: neither what Postgres has of the row nor what the
// store has may change between two looks.
func TestADifferenceHasToStandStill(t *testing.T) {
	const view = 4
	p := small(t)
	sights := map[*suspect]*sight{}
	source := sourceOf(t, p, row{id: 7, j: 1, v: "v"}, "name")
	l, s := aRound(t, source, view)
	look := func(want int, change func()) {
		t.Helper()
		change()
		if got := l.see(sights, s, []finding{{suspect: s}}, nil).again; got != want {
			t.Errorf("it was seen again %d times, want %d", got, want)
		}
	}
	look(0, func() {})
	look(1, func() {})
	look(0, func() { source.state = "updated" })
	look(1, func() {})
	look(2, func() {})
	e := l.run.places[view].entry(source)
	look(0, func() { l.found[view][s.key+e.address(l.run.places[view])] = e })
	look(1, func() {})
	look(0, func() { e.version++ })
	// A commit that waits for a synchronous standby may be in the stores already.
	look(0, func() { l.shot.synchronous, l.shot.xmin = true, 5; sights[s].xmax = 6 })
	if undecided(sights) != 0 {
		t.Error("it has been seen twice, and is held for one that stands still")
	}
	if look(0, func() {}); undecided(sights) != 1 {
		t.Error("it stands still while an older transaction runs, and is held for one that changes")
	}
	look(1, func() { l.shot.xmin = 6 })
}

// TestByHand: what no repair mends says so before one is begun.
func TestByHand(t *testing.T) {
	p := small(t)
	r := &run{cfg: &Config{Plan: p}, places: places(p, nil, nil)}
	for _, c := range []struct {
		name string
		f    finding
		want string
	}{
		{"a row that is missing", finding{kind: Missing, place: historyPlace}, ""},
		{"one that changes", finding{kind: Changing, waiting: "abcd"}, ""},
		{"one behind a letter", finding{kind: Missing, place: historyPlace, waiting: "abcd"}, "penstock dlq show abcd"},
		{"one that cannot be taken", finding{kind: Unreadable, why: "no number"}, "mended in the source: no number"},
		{"a key of another type", finding{kind: Extra, place: len(r.places) - 1, got: &entry{foreign: true}}, "delete it, or rename it"},
	} {
		if got := r.byHand(&c.f); got != c.want && (c.want == "" || !strings.HasSuffix(got, c.want)) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
