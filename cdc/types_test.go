package cdc

import (
	"testing"

	"penstock/schema"
)

// moodRelation has an enum, an array of a domain over it, and a text.
func moodRelation(labels ...string) *schema.Relation {
	mood := &schema.Type{OID: 90000, Name: "mood", Kind: schema.TypeEnum, Labels: labels, Mod: -1}
	feeling := &schema.Type{OID: 90001, Name: "feeling", Kind: schema.TypeDomain, Elem: mood, Mod: -1}
	return &schema.Relation{OID: 5, Columns: []schema.Column{
		{Name: "note", TypeOID: 25}, {Name: "m", TypeOID: 90000, Type: mood},
		{Name: "ms", TypeOID: 90002, Type: &schema.Type{OID: 90002, Name: "_feeling", Kind: schema.TypeArray, Delimiter: ',', Elem: feeling}},
	}}
}

func TestGrownEnums(t *testing.T) {
	rel := moodRelation("sad", "ok")
	for _, c := range []struct {
		name  string
		event schema.Event
		want  bool
	}{
		{"known values", schema.Event{New: row("x", "sad", "{sad,ok,NULL}")}, false},
		{"no values", schema.Event{New: row("x", "null", "null")}, false},
		{"a new value", schema.Event{New: row("x", "fine", "null")}, true},
		{"a new value in an array", schema.Event{New: row("x", "sad", `{sad,"so so"}`)}, true},
		{"a new value in the old row", schema.Event{Old: row("x", "fine", "null"), New: row("x", "sad", "null")}, true},
		{"what is no array", schema.Event{New: row("x", "sad", "fine")}, false},
		{"an unchanged value", schema.Event{New: schema.Tuple{{}, {Kind: schema.Unchanged}, {}}}, false},
		{"a truncate", schema.Event{Op: schema.OpTruncate}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.event.Relation = rel
			if got := new(types).grown(&c.event); got != c.want {
				t.Errorf("got %t, want %t", got, c.want)
			}
		})
	}
	if new(types).grown(&schema.Event{Op: schema.OpMessage}) {
		t.Error("a message has grown an enum")
	}
}

// TestLabelsThatAreGone are asked for once each, not with every row: the catalogue
// will never list them.
func TestLabelsThatAreGone(t *testing.T) {
	var known types
	asked := 0
	rel := moodRelation("sad")
	for range 3 {
		for _, label := range []string{"sad", "old", "older"} {
			e := schema.Event{Relation: rel, New: row("x", label, "null")}
			if known.grown(&e) {
				asked++
				rel = moodRelation("sad")
				known.follow(&e, rel)
			}
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}

func TestKnownRowsOfEnumsAllocateNothing(t *testing.T) {
	var known types
	e := schema.Event{Relation: moodRelation("sad"), New: row("x", "sad", "null")}
	if n := testing.AllocsPerRun(100, func() { known.grown(&e) }); n != 0 {
		t.Errorf("got %g allocations, want none", n)
	}
}

// TestCompositesOfOtherAttributes are asked for when they come, and not again while they follow each other.
func TestCompositesOfOtherAttributes(t *testing.T) {
	pair := &schema.Type{OID: 90010, Kind: schema.TypeComposite, Fields: []schema.Attribute{{Name: "a"}, {Name: "b"}}}
	rel := &schema.Relation{OID: 5, Columns: []schema.Column{
		{Name: "c", Type: pair}, {Name: "cs", Type: &schema.Type{OID: 90011, Kind: schema.TypeArray, Delimiter: ',', Elem: pair}},
	}}
	var known types
	for _, c := range []struct {
		one, many string
		want      bool
	}{
		{"(1,2)", `{"(1,2)",NULL}`, false},
		{"(1,2,3)", "null", true},
		{"(1,2,4)", "null", false},
		{"(1,2)", "null", false},
		{"(1,2,4)", "null", true},
		{"(1,2,4)", `{"(1)","(2)"}`, true},
		{"(,,)", `{"(1)"}`, false},
		{"(1", "{(}", false}, // not a composite: for others to say
	} {
		if got := known.grown(&schema.Event{Relation: rel, New: row(c.one, c.many)}); got != c.want {
			t.Errorf("%s %s: got %t, want %t", c.one, c.many, got, c.want)
		}
	}
}
