package ledger

import "testing"

// TestSettleTakesTheMarker has a transaction end between the two questions: the
// end is before its marker, the stable offset behind it.
func TestSettleTakesTheMarker(t *testing.T) {
	p := partition{"t", 0}
	for _, c := range []struct {
		name     string
		is       span
		end      int64
		wantOpen bool
	}{
		{"at rest", span{stable: 7, end: 7}, 7, false},
		{"a marker in between", span{stable: 8, end: 7}, 8, false},
		{"open", span{stable: 3, end: 7}, 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			of := map[partition]span{p: c.is}
			if open := settle(of); (open != "") != c.wantOpen || of[p].end != c.end {
				t.Errorf("open %q, the end is %d; want open: %t, %d", open, of[p].end, c.wantOpen, c.end)
			}
		})
	}
}
