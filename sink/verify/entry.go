package verify

import (
	"fmt"

	"penstock/sink/plan"
)

// entry is one row at one place, as Postgres says that it should be there or as it was
// found.
type entry struct {
	key    string // of the source row: its key's values, as [plan.AppendValue] has them
	values []plan.Value

	// What only a store says.
	version int64  // of the write; 0 for one without
	written int64  // the newest of all timestamps
	torn    string // what is wrong with them, in words; empty for nothing
	foreign bool   // it is nothing that a pipeline has written

	unreadable error // of a row of Postgres that the pipeline cannot take
}

// address is what the entry is found by in its place: as many values, from the first,
// as the place's key has.
func (e *entry) address(p *place) string {
	var key []byte
	for _, v := range e.values[:p.address] {
		key = plan.AppendValue(key, v)
	}
	return string(key)
}

// same reports whether a store has what it should have.
func (e *entry) same(found *entry) bool {
	if found.torn != "" || len(e.values) != len(found.values) {
		return false
	}
	for i := range e.values {
		if e.values[i] != found.values[i] {
			return false
		}
	}
	return true
}

// Field is a field in which two rows differ. A nil text is NULL, or an absent field.
type Field struct {
	Name     string  `json:"name"`
	Postgres *string `json:"postgres"`
	Store    *string `json:"store"`
}

// fields lists what differs between a row as it should be and as it was found. With no
// other row all fields are listed.
func fields(p *place, want, got *entry) []Field {
	var list []Field
	for i, name := range p.fields {
		f := Field{Name: name}
		if want != nil {
			f.Postgres = textOf(want.values[i])
		}
		if got != nil {
			f.Store = textOf(got.values[i])
		}
		if want == nil || got == nil || want.values[i] != got.values[i] {
			if f.Postgres != nil || f.Store != nil {
				list = append(list, f)
			}
		}
	}
	if want != nil && got != nil && got.torn != "" {
		f := Field{Name: "timestamp", Store: &got.torn}
		if got.version != 0 {
			version := fmt.Sprintf("%d, the version", got.version)
			f.Postgres = &version
		}
		list = append(list, f)
	}
	return list
}

func textOf(v plan.Value) *string {
	if v.IsNull() {
		return nil
	}
	text := v.String()
	return &text
}
