package stores

import (
	"fmt"

	"penstock/internal/chaos/ledger"
)

// The kinds of what can be wrong with the stores.
const (
	Differing ledger.Kind = "differing" // a field is not what SQL has
	Missing   ledger.Kind = "missing"   // a row of SQL's is not there
	Extra     ledger.Kind = "surplus"   // a row is there that SQL does not have, or twice
	WriteTime ledger.Kind = "writetime" // a cell was not written at its row's version
	Unknown   ledger.Kind = "unknown"   // a version that no record of the topic gave to the row or its content
	Stale     ledger.Kind = "stale"     // a version lower than that of the row's last change, or than it was before
	Disorder  ledger.Kind = "disorder"  // versions do not rise within a partition of the input topic
	Totals    ledger.Kind = "totals"    // a total is not what SQL has
	Boards    ledger.Kind = "boards"    // what a content has in a leaderboard is not what SQL has
	Offsets   ledger.Kind = "offsets"   // a committed offset went back
)

// Kinds lists them all.
func Kinds() []ledger.Kind {
	return []ledger.Kind{Differing, Missing, Extra, WriteTime, Unknown, Stale, Totals, Boards, Disorder, Offsets}
}

// shown is how many problems of each kind are described.
const shown = 5

// Verdict is what was found.
type Verdict struct {
	Rows, Lookups int64 // of the result and of the lookup table, by SQL
	Tombstones    int64 // in Redis
	Ranks         int64 // of the leaderboards that Redis must still have, by SQL: each content's four scores in each bucket
	Found         map[ledger.Kind]int64
	Problems      []string // the first few of each kind
}

// Differences is how many problems there are.
func (v *Verdict) Differences() int64 {
	var n int64
	for _, found := range v.Found {
		n += found
	}
	return n
}

// Rowwise is how many of them a comparison with SQL alone finds.
func (v *Verdict) Rowwise() int64 { return v.Found[Differing] + v.Found[Missing] + v.Found[Extra] }

func (v *Verdict) report(k ledger.Kind, format string, args ...any) {
	v.Found[k]++
	if v.Found[k] <= shown {
		v.Problems = append(v.Problems, string(k)+": "+fmt.Sprintf(format, args...))
	}
}
