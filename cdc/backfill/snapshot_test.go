package backfill

import (
	"math"
	"slices"
	"testing"
)

func TestSnapshotsAreRead(t *testing.T) {
	for _, c := range []struct {
		text    string
		sees    []uint32
		misses  []uint32
		refused bool
	}{
		{text: "10:20:10,14,15", sees: []uint32{3, 9, 11, 13, 16, 19}, misses: []uint32{10, 14, 15, 20, 21, 1 << 30}},
		{text: "10:10:", sees: []uint32{3, 9}, misses: []uint32{10, 11}},
		// Behind 2^32: the log has the lower half only.
		{text: "4294967290:4294967310:4294967295,4294967300", sees: []uint32{math.MaxUint32 - 6, 5, 13, 3}, misses: []uint32{math.MaxUint32, 4, 14, 100}},
		{text: "12884901888:12884901890:", sees: []uint32{math.MaxUint32, 1}, misses: []uint32{2, 1 << 31}},
		{text: "", refused: true}, {text: "1:2", refused: true}, {text: "2:1:", refused: true}, {text: "1:5:7", refused: true}, {text: "1:5:x", refused: true},
		{text: "1:5:2,", refused: true}, {text: "-1:5:", refused: true}, {text: "1:99999999999999999999:", refused: true},
	} {
		s, err := ParseSnapshot(c.text)
		if (err != nil) != c.refused {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		for _, xid := range slices.Concat(c.sees, c.misses) {
			if got, want := s.Sees(xid), slices.Contains(c.sees, xid); err == nil && got != want {
				t.Errorf("%q sees %d: %v, want %v", c.text, xid, got, want)
			}
		}
	}
}
