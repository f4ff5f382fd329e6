package storetest

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"penstock/sink"
)

// LookupSubject is a store that the join can read back.
type LookupSubject interface {
	Subject
	sink.Lookup
}

// ExerciseLookup runs the conformance suite of [sink.Lookup]. open is called as
// for [Exercise].
func ExerciseLookup(t *testing.T, open func(t *testing.T) LookupSubject) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, LookupSubject)
	}{
		{"contents come back in the order asked", contentsInOrder},
		{"the newest content wins and a deleted one does not exist", contentVersions},
		{"the history has each event once at its place", historyPlaces},
		{"events without content have a history", historyWithoutContent},
		{"the history keeps what is newer than a clearing", historyCleared},
		{"a history longer than a page is read whole", historyLong},
		{"every content with a row or events is listed", contentIDs},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func content(n byte, version int64) sink.Content {
	return sink.Content{
		ID: ContentID(n), Slug: sink.Some("slug"), Title: sink.Some("title"), Type: sink.Some("video"),
		LengthSeconds: sink.Some[int64](5400), PublishTime: sink.Some[int64](1_756_000_000_000_001),
		Exists: true, Version: version,
	}
}

func putContent(c sink.Content) sink.Write {
	return sink.Write{Action: sink.PutContent, Version: c.Version, Content: &c}
}

func deleteContent(n byte, version int64) sink.Write {
	return sink.Write{Action: sink.DeleteContent, Version: version, Content: &sink.Content{ID: ContentID(n), Version: version}}
}

func wantContents(t *testing.T, s LookupSubject, want ...sink.Content) {
	t.Helper()
	ids := make([]sink.UUID, len(want))
	for i := range want {
		ids[i] = want[i].ID
	}
	got, err := s.Contents(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

func contentsInOrder(t *testing.T, s LookupSubject) {
	bare := sink.Content{ID: ContentID(2), Exists: true, Version: 6}
	apply(t, s, []sink.Write{putContent(content(1, 5)), putContent(bare)})
	wantContents(t, s, bare, sink.Content{ID: ContentID(9)}, content(1, 5))
}

func contentVersions(t *testing.T, s LookupSubject) {
	apply(t, s, []sink.Write{putContent(content(1, 5)), putContent(content(2, 5)), deleteContent(3, 7)})
	older := sink.Content{ID: ContentID(1), Exists: true, Version: 4}
	apply(t, s, []sink.Write{putContent(older), deleteContent(1, 3), deleteContent(2, 6), putContent(content(3, 6))})
	wantContents(t, s, content(1, 5), sink.Content{ID: ContentID(2)}, sink.Content{ID: ContentID(3)})
}

func history(t *testing.T, s LookupSubject, id sink.UUID) []sink.Stored {
	t.Helper()
	var rows []sink.Stored
	err := s.Events(t.Context(), id, func(page []sink.Stored) error {
		rows = append(rows, page...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b sink.Stored) int { return cmp.Compare(a.ID, b.ID) })
	return rows
}

func wantHistory(t *testing.T, s LookupSubject, id sink.UUID, want ...sink.Stored) {
	t.Helper()
	if diff := gocmp.Diff(want, history(t, s, id)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func historyPlaces(t *testing.T, s LookupSubject) {
	stays, moves, leaves := fullRow(1), fullRow(51), fullRow(101) // one content
	moved := moves
	moved.Time += 25 * 60 * 60 * 1_000_000
	nudged := stays
	nudged.Time++ // within the same millisecond: the same place
	apply(t, s, []sink.Write{Put(10, stays), Put(11, moves), Put(12, leaves)})
	apply(t, s, Move(13, moves, moved))
	apply(t, s, Remove(14, leaves))
	apply(t, s, []sink.Write{Put(15, nudged)})
	apply(t, s, []sink.Write{Put(11, moves), Put(12, leaves)}) // replayed
	wantHistory(t, s, ContentID(1), sink.Stored{Row: nudged, Version: 15}, sink.Stored{Row: moved, Version: 13})
}

func historyWithoutContent(t *testing.T, s LookupSubject) {
	row := sparseRow(1)
	row.ContentID = sink.Null[sink.UUID]{}
	row.Time = -1 // before the epoch: another day
	apply(t, s, []sink.Write{Put(10, row)})
	wantHistory(t, s, sink.UUID{}, sink.Stored{Row: row, Version: 10})
	wantRow(t, s, sink.Stored{Row: row, Version: 10})
}

func historyCleared(t *testing.T, s LookupSubject) {
	older, newer, other := fullRow(1), fullRow(51), fullRow(2)
	apply(t, s, []sink.Write{Put(10, older), Put(20, newer), Put(10, other)})
	clearing := []sink.Write{{Action: sink.ClearHistory, Version: 15, Place: sink.Place{Content: ContentID(1)}}}
	apply(t, s, clearing)
	apply(t, s, clearing)
	apply(t, s, []sink.Write{Put(10, older)}) // replayed
	wantHistory(t, s, ContentID(1), sink.Stored{Row: newer, Version: 20})
	wantHistory(t, s, ContentID(2), sink.Stored{Row: other, Version: 10})
	wantRow(t, s, sink.Stored{Row: older, Version: 10}) // by id it is another write's
}

func historyLong(t *testing.T, s LookupSubject) {
	var writes []sink.Write
	var want []sink.Stored
	for id := int64(1); id <= 2500; id++ {
		row := fullRow(id)
		row.ContentID = sink.Some(ContentID(1))
		writes = append(writes, Put(id, row))
		want = append(want, sink.Stored{Row: row, Version: id})
	}
	apply(t, s, writes)
	wantHistory(t, s, ContentID(1), want...)
}

func contentIDs(t *testing.T, s LookupSubject) {
	none := sparseRow(7)
	none.ContentID = sink.Null[sink.UUID]{}
	apply(t, s, []sink.Write{putContent(content(1, 5)), Put(10, fullRow(2)), Put(10, none)})
	seen := make(map[sink.UUID]bool)
	err := s.ContentIDs(t.Context(), func(ids []sink.UUID) error {
		for _, id := range ids {
			seen[id] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []sink.UUID{ContentID(1), ContentID(2), {}} {
		if !seen[id] {
			t.Errorf("content %s is not listed", id)
		}
	}
}
