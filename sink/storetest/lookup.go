package storetest

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/plan"
)

// LookupSubject is a store that the join can read back.
type LookupSubject interface {
	Subject
	sink.Lookup
}

// recall is one case's subject with its rows.
type recall struct {
	exercise

	lookup sink.Lookup
}

// ExerciseLookup runs the conformance suite of [sink.Lookup]. open is called as
// for [Exercise].
func ExerciseLookup(t *testing.T, with Specimen, open func(t *testing.T) LookupSubject) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*recall)
	}{
		{"lookup rows come back in the order asked", (*recall).inOrder},
		{"the newest lookup row wins and a deleted one does not exist", (*recall).versions},
		{"the history has each row once at its place", (*recall).places},
		{"rows without a join value have a history", (*recall).alone},
		{"the history keeps what is newer than a clearing", (*recall).clearing},
		{"a history longer than a page is read whole, and from any page on", (*recall).long},
		{"a bookmark that cannot be read begins with the first page", (*recall).unreadable},
		{"a row that the filter leaves out is in the history", (*recall).leftOut},
		{"every join value with a lookup row or rows is listed", (*recall).joins},
	} {
		t.Run(with.Name+": "+c.name, func(t *testing.T) {
			subject := open(t)
			c.test(&recall{exercise: exercise{Specimen: with, T: t, Subject: subject}, lookup: subject})
		})
	}
}

func (r *recall) put(row plan.LookupRow) sink.Write {
	return sink.Write{Action: sink.PutLookup, Version: row.Version, Lookup: &row}
}

func (r *recall) remove(n byte, version int64) sink.Write {
	return sink.Write{Action: sink.DeleteLookup, Version: version, Lookup: &plan.LookupRow{Key: r.Join(n), Version: version}}
}

func (r *recall) wantLookups(want ...plan.LookupRow) {
	r.Helper()
	joins := make([]plan.Value, len(want))
	for i := range want {
		joins[i] = want[i].Key
	}
	got, err := r.lookup.LookupRows(r.Context(), joins)
	if err != nil {
		r.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		r.Errorf("lookup rows (-want +got):\n%s", diff)
	}
}

func (r *recall) inOrder() {
	r.Helper()
	bare := r.Bare(2, 6)
	r.apply([]sink.Write{r.put(r.Specimen.Lookup(1, 5)), r.put(bare)})
	r.wantLookups(bare, plan.LookupRow{Key: r.Join(9)}, r.Specimen.Lookup(1, 5))
}

func (r *recall) versions() {
	r.Helper()
	r.apply([]sink.Write{r.put(r.Specimen.Lookup(1, 5)), r.put(r.Specimen.Lookup(2, 5)), r.remove(3, 7)})
	r.apply([]sink.Write{r.put(r.Bare(1, 4)), r.remove(1, 3), r.remove(2, 6), r.put(r.Specimen.Lookup(3, 6))})
	r.wantLookups(r.Specimen.Lookup(1, 5), plan.LookupRow{Key: r.Join(2)}, plan.LookupRow{Key: r.Join(3)})
}

// wantHistory compares what the history has of a join value, as far as it keeps it.
func (r *recall) wantHistory(join plan.Value, want ...plan.Stored) {
	r.Helper()
	byKey := func(rows []plan.Stored) map[string]map[string]string {
		out := make(map[string]map[string]string)
		for _, s := range rows {
			key := string(r.Plan.AppendRowKey(nil, s.Row))
			if _, twice := out[key]; twice {
				r.Errorf("row %v is there twice", s.Row)
			}
			out[key] = r.masked(s, r.Plan.History.Kept())
		}
		return out
	}
	var got []plan.Stored
	err := r.lookup.Rows(r.Context(), join, nil, func(page []plan.Stored, _ []byte) error {
		got = append(got, slices.Clone(page)...)
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	if diff := gocmp.Diff(byKey(want), byKey(got)); diff != "" {
		r.Errorf("history (-want +got):\n%s", diff)
	}
}

func (r *recall) places() {
	r.Helper()
	stays, moves, leaves := r.Full(1), r.Full(51), r.Full(101) // one join value
	moved, counted := r.Moved(moves), r.Counted(stays, 7)
	r.apply([]sink.Write{Put(10, stays), Put(11, moves), Put(12, leaves)})
	r.apply(Move(r.Plan, 13, moves, moved))
	r.apply(Remove(r.Plan, 14, leaves))
	r.apply([]sink.Write{Put(15, counted)})
	r.apply([]sink.Write{Put(11, moves), Put(12, leaves)}) // replayed
	r.wantHistory(r.Join(1), plan.Stored{Row: counted, Version: 15}, plan.Stored{Row: moved, Version: 13})
}

func (r *recall) alone() {
	r.Helper()
	row := r.Alone(1)
	r.apply([]sink.Write{Put(10, row)})
	r.wantHistory(plan.Value{}, plan.Stored{Row: row, Version: 10})
	r.wantRow(plan.Stored{Row: row, Version: 10})
}

func (r *recall) clearing() {
	r.Helper()
	older, newer, other := r.Full(1), r.Full(51), r.Full(2)
	r.apply([]sink.Write{Put(10, older), Put(20, newer), Put(10, other)})
	clearing := []sink.Write{{Action: sink.ClearHistory, Version: 15, Join: r.Join(1)}}
	r.apply(clearing)
	r.apply(clearing)
	r.apply([]sink.Write{Put(10, older)}) // replayed
	r.wantHistory(r.Join(1), plan.Stored{Row: newer, Version: 20})
	r.wantHistory(r.Join(2), plan.Stored{Row: other, Version: 10})
	r.wantRow(plan.Stored{Row: older, Version: 10}) // in the result it is another write's
}

// pages are the keys of the rows that come behind a bookmark, by page, and each page's bookmark.
func (r *recall) pages(join plan.Value, after []byte) (pages [][]string, bookmarks [][]byte) {
	r.Helper()
	err := r.lookup.Rows(r.Context(), join, after, func(page []plan.Stored, bookmark []byte) error {
		var keys []string
		for _, s := range page {
			keys = append(keys, string(r.Plan.AppendRowKey(nil, s.Row)))
		}
		pages, bookmarks = append(pages, keys), append(bookmarks, slices.Clone(bookmark))
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return pages, bookmarks
}

// fill writes so many rows of the first join value that they need several pages.
func (r *recall) fill() (rows []plan.Stored) {
	r.Helper()
	var writes []sink.Write
	for n := int64(1); n <= 2500; n++ {
		row := r.Full(n)
		row[r.Plan.Join] = r.Join(1)
		writes = append(writes, Put(n, row))
		rows = append(rows, plan.Stored{Row: row, Version: n})
	}
	r.apply(writes)
	return rows
}

func (r *recall) long() {
	r.Helper()
	r.wantHistory(r.Join(1), r.fill()...)
	// From each bookmark on come the rows that came behind its page, once each.
	pages, bookmarks := r.pages(r.Join(1), nil)
	if len(pages) < 2 {
		r.Fatalf("%d pages show nothing", len(pages))
	}
	for i := 0; i < len(pages); i += max(1, len(pages)/5) {
		rest, _ := r.pages(r.Join(1), bookmarks[i])
		if diff := gocmp.Diff(slices.Concat(pages[i+1:]...), slices.Concat(rest...)); diff != "" {
			r.Errorf("behind page %d of %d (-want +got):\n%s", i, len(pages), diff)
		}
	}
}

func (r *recall) unreadable() {
	r.Helper()
	r.fill()
	pages, bookmarks := r.pages(r.Join(1), nil)
	mark := slices.MaxFunc(bookmarks, func(a, b []byte) int { return cmp.Compare(len(a), len(b)) })
	for name, after := range map[string][]byte{
		"foreign": []byte("\xff\xfe no bookmark"), "cut": mark[:max(0, len(mark)-3)], "longer": append(slices.Clone(mark), "\xff\xff\xff"...),
	} {
		got, _ := r.pages(r.Join(1), after)
		if diff := gocmp.Diff(slices.Concat(pages...), slices.Concat(got...)); diff != "" {
			r.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func (r *recall) leftOut() {
	r.Helper()
	row := r.Full(1)
	r.apply([]sink.Write{{Action: sink.Put, Version: 10, Row: row, Hidden: true}})
	r.wantHistory(r.Join(1), plan.Stored{Row: row, Version: 10})
	r.wantAbsent(row)
}

func (r *recall) joins() {
	r.Helper()
	r.apply([]sink.Write{r.put(r.Specimen.Lookup(1, 5)), Put(10, r.Full(2)), Put(10, r.Alone(7))})
	seen := make(map[plan.Value]bool)
	err := r.lookup.Joins(r.Context(), func(joins []plan.Value) error {
		for _, join := range joins {
			seen[join] = true
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	for _, join := range []plan.Value{r.Join(1), r.Join(2), {}} {
		if !seen[join] {
			r.Errorf("join value %q is not listed", join)
		}
	}
}
