package storetest

import (
	"context"
	"sync"

	"penstock/sink"
)

// Model is a store and a lookup in memory: the meaning of [sink.Store] in the
// fewest words. Its methods may be called concurrently.
type Model struct {
	mu sync.Mutex
	// Guarded by mu. A nil row or content is a tombstone.
	events   map[int64]versioned[*sink.Row]
	places   map[sink.Place]versioned[*sink.Row]
	contents map[sink.UUID]versioned[*sink.Content]
	cleared  map[sink.UUID]int64 // the highest version a history was cleared at
}

type versioned[T any] struct {
	value   T
	version int64
}

// NewModel returns an empty model.
func NewModel() *Model {
	return &Model{
		events:   make(map[int64]versioned[*sink.Row]),
		places:   make(map[sink.Place]versioned[*sink.Row]),
		contents: make(map[sink.UUID]versioned[*sink.Content]),
		cleared:  make(map[sink.UUID]int64),
	}
}

// Name is "model".
func (m *Model) Name() string { return "model" }

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
	switch w.Action {
	case sink.PutEvent:
		row := *w.Row
		set(m.events, row.ID, w.Version, &row)
		set(m.places, row.Place(), w.Version, &row)
	case sink.DeleteEvent:
		set(m.events, w.Place.Event, w.Version, nil)
	case sink.DeletePlace:
		set(m.places, w.Place, w.Version, nil)
	case sink.PutContent:
		content := *w.Content
		set(m.contents, content.ID, w.Version, &content)
	case sink.DeleteContent:
		set(m.contents, w.Content.ID, w.Version, nil)
	case sink.ClearHistory:
		m.cleared[w.Place.Content] = max(m.cleared[w.Place.Content], w.Version)
	}
}

func set[K comparable, T any](in map[K]versioned[*T], key K, version int64, value *T) {
	if have, found := in[key]; found && have.version >= version {
		return
	}
	in[key] = versioned[*T]{value: value, version: version}
}

// Event returns the row of one event by its id.
func (m *Model) Event(_ context.Context, id int64) (sink.Stored, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.events[id]
	if e.value == nil {
		return sink.Stored{}, false, nil
	}
	return sink.Stored{Row: *e.value, Version: e.version}, true, nil
}

// Contents is as [sink.Lookup] says.
func (m *Model) Contents(_ context.Context, ids []sink.UUID) ([]sink.Content, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]sink.Content, len(ids))
	for i, id := range ids {
		out[i].ID = id
		if c := m.contents[id]; c.value != nil {
			out[i] = *c.value
		}
	}
	return out, nil
}

// Events is as [sink.Lookup] says; its pages hold two rows, so that paging shows.
func (m *Model) Events(_ context.Context, content sink.UUID, visit func([]sink.Stored) error) error {
	rows := m.history(content)
	for len(rows) > 0 {
		n := min(2, len(rows))
		if err := visit(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (m *Model) history(content sink.UUID) []sink.Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []sink.Stored
	for place, p := range m.places {
		if place.Content == content && p.value != nil && p.version > m.cleared[content] {
			rows = append(rows, sink.Stored{Row: *p.value, Version: p.version})
		}
	}
	return rows
}

// ContentIDs is as [sink.Lookup] says.
func (m *Model) ContentIDs(_ context.Context, visit func([]sink.UUID) error) error {
	m.mu.Lock()
	seen := make(map[sink.UUID]bool)
	for place := range m.places {
		seen[place.Content] = true
	}
	for id, c := range m.contents {
		if c.value != nil {
			seen[id] = true
		}
	}
	m.mu.Unlock()
	ids := make([]sink.UUID, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	return visit(ids)
}

// Rows returns every event that is there, by id.
func (m *Model) Rows() map[int64]sink.Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := make(map[int64]sink.Stored)
	for id, e := range m.events {
		if e.value != nil {
			rows[id] = sink.Stored{Row: *e.value, Version: e.version}
		}
	}
	return rows
}

// History returns every place that holds an event, with its row.
func (m *Model) History() map[sink.Place]sink.Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := make(map[sink.Place]sink.Stored)
	for place, p := range m.places {
		if p.value != nil && p.version > m.cleared[place.Content] {
			rows[place] = sink.Stored{Row: *p.value, Version: p.version}
		}
	}
	return rows
}
