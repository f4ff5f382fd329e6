package backfill

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Snapshot is which transactions a query sees, as pg_current_snapshot() prints it:
// xmin:xmax:xip, by 64-bit transaction ids; see "Transaction ID and Snapshot
// Information Functions" in Postgres' documentation. Subtransactions are not in it.
type Snapshot struct {
	Xmin    uint64   // all below it have ended
	Xmax    uint64   // none from it on had ended
	Running []uint64 // those between that had not, sorted
}

// ParseSnapshot reads the text of a pg_snapshot.
func ParseSnapshot(text string) (Snapshot, error) {
	bad := fmt.Errorf("%.100q is not a snapshot", text)
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return Snapshot{}, bad
	}
	var s Snapshot
	var err error
	if s.Xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return Snapshot{}, bad
	}
	if s.Xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil || s.Xmax < s.Xmin {
		return Snapshot{}, bad
	}
	if parts[2] == "" {
		return s, nil
	}
	for one := range strings.SplitSeq(parts[2], ",") {
		xid, err := strconv.ParseUint(one, 10, 64)
		if err != nil || xid < s.Xmin || xid >= s.Xmax {
			return Snapshot{}, bad
		}
		s.Running = append(s.Running, xid)
	}
	slices.Sort(s.Running)
	return s, nil
}

// Sees reports whether the effects of a committed transaction are visible. xid is
// its id as the log has it, the lower 32 bits of one that is near Xmax: within 2^31
// of it, as are all that Postgres still tells apart.
func (s *Snapshot) Sees(xid uint32) bool {
	full := s.full(xid)
	switch {
	case full < s.Xmin:
		return true
	case full >= s.Xmax:
		return false
	}
	_, running := slices.BinarySearch(s.Running, full)
	return !running
}

// full is the 64-bit id nearest to Xmax that ends in xid.
func (s *Snapshot) full(xid uint32) uint64 {
	const epoch, half = 1 << 32, 1 << 31
	full := s.Xmax&^(epoch-1) | uint64(xid)
	switch {
	case full > s.Xmax && full-s.Xmax > half && full >= epoch:
		full -= epoch
	case full < s.Xmax && s.Xmax-full > half:
		full += epoch
	}
	return full
}
