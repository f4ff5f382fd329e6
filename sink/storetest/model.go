package storetest

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"penstock/schema"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// Model is a store and a lookup in memory: the meaning of [sink.Store] in the
// fewest words. Its methods may be called concurrently.
type Model struct {
	plan *plan.Plan

	mu sync.Mutex
	// Guarded by mu. What is gone is a tombstone.
	places  []map[string]entry // of each place of the plan, by key
	lookups map[plan.Value]plan.LookupRow
	cleared map[plan.Value]int64 // the highest version a history was cleared at
	totals  map[totals.ID]totals.Value
	minutes map[totals.ID]map[int]minuteAt // as boards have them: written only where they are said to have changed
}

// minuteAt is a minute with the version that it was written at.
type minuteAt struct {
	totals.Minute

	version int64
}

// entry is what a place holds under one key: the row, or who left it.
type entry struct {
	row     plan.Row
	gone    bool
	version int64
}

// NewModel returns an empty model of the preset.
func NewModel() *Model {
	return NewModelOf(plan.Engagement(schema.TableName{Schema: "public", Name: "engagement_events"}, schema.TableName{Schema: "public", Name: "content"}, ""))
}

// NewModelOf returns an empty model of a plan.
func NewModelOf(p *plan.Plan) *Model {
	m := &Model{
		plan: p, lookups: make(map[plan.Value]plan.LookupRow), cleared: make(map[plan.Value]int64), totals: make(map[totals.ID]totals.Value),
		minutes: make(map[totals.ID]map[int]minuteAt),
	}
	for range p.Places {
		m.places = append(m.places, make(map[string]entry))
	}
	return m
}

// Name is "model".
func (m *Model) Name() string { return "model" }

// Kept is every slot.
func (m *Model) Kept() []int {
	slots := make([]int, len(m.plan.Slots))
	for i := range slots {
		slots[i] = i
	}
	return slots
}

// Apply never fails.
func (m *Model) Apply(_ context.Context, writes []sink.Write) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range writes {
		m.apply(&writes[i])
	}
	return nil
}

func (m *Model) apply(w *sink.Write) {
	for place := range m.places {
		if !w.Touches(m.plan, place) {
			continue
		}
		key := string(m.plan.AppendKey(nil, place, w.Row))
		if have, found := m.places[place][key]; !found || have.version < w.Version {
			m.places[place][key] = entry{row: slices.Clone(w.Row), gone: w.Action == sink.Delete, version: w.Version}
		}
	}
	switch w.Action {
	case sink.PutLookup, sink.DeleteLookup:
		if have, found := m.lookups[w.Lookup.Key]; !found || have.Version < w.Version {
			row := *w.Lookup
			row.Values, row.Exists, row.Version = slices.Clone(row.Values), w.Action == sink.PutLookup, w.Version
			m.lookups[row.Key] = row
		}
	case sink.ClearHistory:
		m.cleared[w.Join] = max(m.cleared[w.Join], w.Version)
	case sink.PutTotals:
		if have, found := m.totals[w.Totals.ID]; !found || have.Version < w.Version {
			v := *w.Totals
			v.ByKind, v.Sketch, v.Changed = maps.Clone(v.ByKind), slices.Clone(v.Sketch), 0
			m.totals[v.ID] = v
		}
		m.applyMinutes(w.Totals)
	}
}

func (m *Model) applyMinutes(v *totals.Value) {
	if m.minutes[v.ID] == nil {
		m.minutes[v.ID] = make(map[int]minuteAt)
	}
	for minute := range v.Minutes {
		if v.Changed&(1<<minute) != 0 && m.minutes[v.ID][minute].version < v.Version {
			m.minutes[v.ID][minute] = minuteAt{Minute: v.Minutes[minute], version: v.Version}
		}
	}
}

// Minutes returns the minutes of hours that have events, as boards have them.
func (m *Model) Minutes() map[totals.ID][60]totals.Minute {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[totals.ID][60]totals.Minute)
	for id, minutes := range m.minutes {
		var hour [60]totals.Minute
		for minute, at := range minutes {
			hour[minute] = at.Minute
		}
		if hour != [60]totals.Minute{} {
			all[id] = hour
		}
	}
	return all
}

// Read returns the row of the result that has the key of another.
func (m *Model) Read(_ context.Context, key plan.Row) (plan.Stored, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place := m.plan.Views[0].Place
	e, found := m.places[place][string(m.plan.AppendKey(nil, place, key))]
	if !found || e.gone {
		return plan.Stored{}, false, nil
	}
	return plan.Stored{Row: slices.Clone(e.row), Version: e.version}, true, nil
}

// LookupRows is as [sink.Lookup] says.
func (m *Model) LookupRows(_ context.Context, joins []plan.Value) ([]plan.LookupRow, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]plan.LookupRow, len(joins))
	for i, join := range joins {
		out[i].Key = join
		if row := m.lookups[join]; row.Exists {
			row.Values = slices.Clone(row.Values)
			out[i] = row
		}
	}
	return out, nil
}

// Rows is as [sink.Lookup] says; its pages hold two rows, so that paging shows.
func (m *Model) Rows(_ context.Context, join plan.Value, after []byte, visit func([]plan.Stored, []byte) error) error {
	key := func(s plan.Stored) []byte { return m.plan.AppendKey(nil, m.plan.History.Place, s.Row) }
	m.mu.Lock()
	if _, known := m.places[m.plan.History.Place][string(after)]; !known {
		after = nil
	}
	m.mu.Unlock()
	rows := slices.DeleteFunc(m.At(m.plan.History.Place), func(s plan.Stored) bool {
		return s.Row[m.plan.Join] != join || bytes.Compare(key(s), after) <= 0
	})
	slices.SortFunc(rows, func(a, b plan.Stored) int { return bytes.Compare(key(a), key(b)) })
	for len(rows) > 0 {
		n := min(2, len(rows))
		if err := visit(rows[:n], key(rows[n-1])); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// Hour is as [sink.TotalsReader] says.
func (m *Model) Hour(ctx context.Context, join plan.Value, hour int64, visit func([]plan.Stored) error) error {
	return m.Rows(ctx, join, nil, func(rows []plan.Stored, _ []byte) error {
		return visit(slices.DeleteFunc(slices.Clone(rows), func(s plan.Stored) bool { return plan.HourOf(s.Row[m.plan.Totals.Time]) != hour }))
	})
}

// Totals is as [sink.TotalsReader] says.
func (m *Model) Totals(_ context.Context, join plan.Value, hours []int64, visit func(*totals.Value) error) error {
	for _, v := range m.counted() {
		if v.Join != join || hours != nil && v.Hour != totals.Whole && !slices.Contains(hours, v.Hour) {
			continue
		}
		if err := visit(&v); err != nil {
			return err
		}
	}
	return nil
}

// ReadTotal is as [TotalsSubject] says.
func (m *Model) ReadTotal(ctx context.Context, id totals.ID) (events, millis int64, found bool, err error) {
	return ReadTotal(ctx, m, id)
}

// Counted returns every total that has events.
func (m *Model) Counted() []totals.Value {
	return slices.DeleteFunc(m.counted(), func(v totals.Value) bool { return v.Events == 0 })
}

func (m *Model) counted() []totals.Value {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []totals.Value
	for _, v := range m.totals {
		v.ByKind, v.Sketch = maps.Clone(v.ByKind), slices.Clone(v.Sketch)
		all = append(all, v)
	}
	return all
}

// Joins is as [sink.Lookup] says.
func (m *Model) Joins(_ context.Context, visit func([]plan.Value) error) error {
	m.mu.Lock()
	seen := make(map[plan.Value]bool)
	for _, e := range m.places[m.plan.History.Place] {
		seen[e.row[m.plan.Join]] = true
	}
	for join, row := range m.lookups {
		if row.Exists {
			seen[join] = true
		}
	}
	m.mu.Unlock()
	joins := make([]plan.Value, 0, len(seen))
	for join := range seen {
		joins = append(joins, join)
	}
	return visit(joins)
}

// At returns every row that stands at a place of the plan.
func (m *Model) At(place int) []plan.Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []plan.Stored
	for _, e := range m.places[place] {
		if place == m.plan.History.Place && e.version <= m.cleared[e.row[m.plan.Join]] {
			continue
		}
		if !e.gone {
			rows = append(rows, plan.Stored{Row: slices.Clone(e.row), Version: e.version})
		}
	}
	return rows
}

// Result returns every row of the result: what the first view holds.
func (m *Model) Result() []plan.Stored { return m.At(m.plan.Views[0].Place) }
