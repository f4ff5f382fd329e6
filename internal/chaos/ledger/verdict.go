package ledger

import (
	"fmt"
	"strings"
)

// Kind is one thing that can be wrong.
type Kind string

// The kinds, each with the check it is of (K, I and L: the invariants of the
// capture; O: the oracles).
const (
	Lost        Kind = "lost"        // K1: a committed row change has no record
	Extra       Kind = "extra"       // K1: a record has no committed row change
	Duplicate   Kind = "dup"         // K1: a row change has its record twice
	Reorder     Kind = "reorder"     // K1, I6: a record is behind a later one of its partition
	Mismatch    Kind = "mismatch"    // K1: a record does not say what the row change was
	Tombstone   Kind = "tombstone"   // K1: the tombstone after a delete is missing
	Gap         Kind = "gap"         // K1: a row skips a version, or changes without being there
	Version     Kind = "version"     // K1: penstock.version does not strictly increase in commit order
	Reread      Kind = "reread"      // K2: a consumer that read meanwhile has read something else
	Hanging     Kind = "open"        // K3: a Kafka transaction is still open
	Position    Kind = "position"    // K4: a position goes back, comes twice in a Kafka transaction or does not fit its records
	Early       Kind = "I1"          // K4: the slot was confirmed beyond the position
	Outside     Kind = "outside"     // I4: a record outside a Kafka transaction
	Torn        Kind = "torn"        // K5: a commit is there in part, or visible in parts without marks
	Mark        Kind = "mark"        // K5: begin and end of a split commit are wrong
	Money       Kind = "money"       // K5: the sum of the accounts is not constant at a commit
	Client      Kind = "client"      // O3: what a client knows is not so
	State       Kind = "state"       // O4: the topic does not add up to the table
	Oracle      Kind = "oracle"      // O1 and O2 disagree: the ledger itself cannot be trusted
	Unconfirmed Kind = "unconfirmed" // L1: the slot still holds a commit back
)

// Kinds lists them all.
func Kinds() []Kind {
	return []Kind{
		Lost, Extra, Duplicate, Reorder, Mismatch, Tombstone, Gap, Version, Reread, Hanging, Position, Early, Outside, Torn, Mark, Money,
		Client, State, Oracle, Unconfirmed,
	}
}

// shown is how many problems of each kind are described.
const shown = 5

// Verdict is what the ledger found.
type Verdict struct {
	Commits, Events, Records int64 // transactions and row changes by O1, data records by a read-committed scan
	Splits                   int64 // commits in more than one Kafka transaction
	Adjacent                 int64 // commit records directly behind one another
	AbortedTxns              int64 // Kafka transactions, by a read-uncommitted scan; each counts once however many partitions it had
	AbortedRecords           int64
	Positions, Samples       int64 // position records; looks at I1
	Unknown                  int64 // transactions of which the client does not know the outcome
	UnknownCommitted         int64 // those of them that were committed
	WALRetained              int64 // bytes of log that the slot holds back

	Found    map[Kind]int64 // how often each kind of problem was found
	Problems []string       // the first few of each kind, with their coordinates
}

func newVerdict() *Verdict { return &Verdict{Found: map[Kind]int64{}} }

// OK reports whether no problem was found. How much there was to look at is for
// the caller to demand, by the figures.
func (v *Verdict) OK() bool { return len(v.Found) == 0 }

// report counts a problem, and describes it if it is one of the first of its kind.
func (v *Verdict) report(k Kind, format string, args ...any) {
	v.Found[k]++
	if v.Found[k] <= shown {
		v.Problems = append(v.Problems, string(k)+": "+fmt.Sprintf(format, args...))
	}
}

// String is the verdict on one line. The rarer kinds are named only if found.
func (v *Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "commits=%d events=%d records=%d splits=%d adjacent=%d aborted_txns=%d aborted_records=%d unknown=%d",
		v.Commits, v.Events, v.Records, v.Splits, v.Adjacent, v.AbortedTxns, v.AbortedRecords, v.Unknown)
	for _, k := range []Kind{Lost, Duplicate, Reorder, Mismatch, Extra} {
		fmt.Fprintf(&b, " %s=%d", k, v.Found[k])
	}
	fmt.Fprintf(&b, " %s=%d/%d", Early, v.Found[Early], v.Samples)
	for _, k := range []Kind{Tombstone, Gap, Version, Reread, Hanging, Position, Outside, Torn, Mark, Money, Client, State, Oracle, Unconfirmed} {
		if n := v.Found[k]; n > 0 {
			fmt.Fprintf(&b, " %s=%d", k, n)
		}
	}
	fmt.Fprintf(&b, " wal_retained=%d", v.WALRetained)
	return b.String()
}
