package backfill

import (
	"testing"

	"penstock/schema"
)

func TestTheWindowJudgesRows(t *testing.T) {
	table := schema.TableName{Schema: "public", Name: "t"}
	rel := &schema.Relation{Table: table, Columns: make([]schema.Column, 2), Key: []int{0}}
	text := func(s string) schema.Value { return schema.Value{Kind: schema.Text, Data: []byte(s)} }
	row := func(id string) schema.Tuple { return schema.Tuple{text(id), text("x")} }
	event := func(xid uint32, op schema.Op, before, after schema.Tuple) *schema.Event {
		return &schema.Event{Op: op, Relation: rel, Old: before, New: after, Source: schema.Source{XID: xid}}
	}
	w := NewWindow()
	w.Note(event(9, schema.OpCreate, nil, row("early"))) // before it follows
	w.Follow(table)
	w.Note(event(10, schema.OpUpdate, nil, row("seen")))
	w.Note(event(12, schema.OpUpdate, nil, row("unseen")))
	w.Note(event(12, schema.OpDelete, row("gone"), nil))
	w.Note(event(12, schema.OpUpdate, row("from"), row("to")))
	if torn := w.Note(event(12, schema.OpUpdate, nil, schema.Tuple{text("torn"), {Kind: schema.Unchanged}})); len(torn) != 1 || SplitKey(torn[0])[0] != "torn" {
		t.Errorf("torn %q", torn)
	}
	s, err := ParseSnapshot("11:13:11,12")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want map[string]Verdict) {
		t.Helper()
		for id, verdict := range want {
			if got := w.Judge(table, AppendKey(nil, row(id), rel.Key), &s); got != verdict {
				t.Errorf("%s: verdict %d, want %d", id, got, verdict)
			}
		}
	}
	check(map[string]Verdict{"early": Fresh, "seen": Fresh, "unseen": Stale, "gone": Stale, "from": Stale, "to": Stale, "torn": Torn, "other": Fresh})

	// What the snapshot sees is forgotten, the rest is not.
	w.Forget(&s)
	if w.Len() != 5 {
		t.Errorf("%d keys are remembered, want 5", w.Len())
	}
	check(map[string]Verdict{"unseen": Stale, "seen": Fresh})

	// A truncation is about every row, also those that nobody has changed.
	w.Note(event(13, schema.OpTruncate, nil, nil))
	check(map[string]Verdict{"other": Stale, "torn": Stale})
	if s, err = ParseSnapshot("14:14:"); err != nil {
		t.Fatal(err)
	}
	check(map[string]Verdict{"other": Fresh})
	w.Leave(table)
	if w.Follows(table) || w.Len() != 0 {
		t.Error("the table is still followed")
	}
}

func TestKeysAreTakenApart(t *testing.T) {
	row := schema.Tuple{{Kind: schema.Text, Data: []byte("a")}, {Kind: schema.Text}, {Kind: schema.Text, Data: []byte("bc")}}
	key := AppendKey(nil, row, []int{2, 1, 0})
	if got := SplitKey(string(key)); len(got) != 3 || got[0] != "bc" || got[1] != "" || got[2] != "a" {
		t.Errorf("got %q", got)
	}
	for _, broken := range []string{"\x05a", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		if got := SplitKey(broken); got != nil {
			t.Errorf("%q: got %q", broken, got)
		}
	}
}

// TestWindowHolds: while a table is held nothing is forgotten of it, and the window knows what there was
// before the first change of a row.
func TestWindowHolds(t *testing.T) {
	rel := &schema.Relation{Table: schema.TableName{Schema: "s", Name: "t"}, Key: []int{0}}
	row := func(texts ...string) (row schema.Tuple) {
		for _, text := range texts {
			row = append(row, schema.Value{Kind: schema.Text, Data: []byte(text)})
		}
		return row
	}
	key := func(text string) []byte { return AppendKey(nil, row(text), rel.Key) }
	w := NewWindow()
	w.Follow(rel.Table)
	w.Hold(rel.Table)
	for i, e := range []schema.Event{
		{Op: schema.OpUpdate, Old: row("1", "a"), New: row("1", "b")},
		{Op: schema.OpUpdate, Old: row("1", "b"), New: row("1", "c")},
		{Op: schema.OpUpdate, Old: row("2", "a"), New: row("3", "a")},
		{Op: schema.OpCreate, New: row("4", "a")},
	} {
		e.Relation, e.Source.XID = rel, uint32(i+10)
		w.Note(&e)
	}
	all := Snapshot{Xmin: 100, Xmax: 100}
	w.Forget(&all)
	for text, began := range map[string]schema.Tuple{"1": row("1", "a"), "2": row("2", "a")} {
		if !w.Said(rel.Table, key(text)) || !w.Began(rel.Table, key(text), began) || w.Began(rel.Table, key(text), row(text, "b")) {
			t.Errorf("row %s: its beginning is not known", text)
		}
	}
	for _, text := range []string{"3", "4"} {
		if !w.Said(rel.Table, key(text)) || w.Began(rel.Table, key(text), row(text, "a")) {
			t.Errorf("row %s did not exist before", text)
		}
	}
	if w.Said(rel.Table, key("5")) {
		t.Error("nothing was said of row 5")
	}
	none := Snapshot{Xmin: 5, Xmax: 5}
	if w.Tear(rel.Table, key("1")); w.Judge(rel.Table, key("1"), &none) != Torn || w.Judge(rel.Table, key("2"), &none) != Stale {
		t.Error("row 1 is to be read once more, row 2 is not")
	}
	w.Note(&schema.Event{Op: schema.OpTruncate, Relation: rel, Source: schema.Source{XID: 20}})
	if !w.Said(rel.Table, key("5")) || !w.Began(rel.Table, key("5"), row("5", "a")) {
		t.Error("a truncation says that every row is gone")
	}
	w.Release(rel.Table)
	if w.Forget(&all); w.Said(rel.Table, key("1")) || w.Len() != 0 {
		t.Error("a table that is held no more is forgotten")
	}
}
