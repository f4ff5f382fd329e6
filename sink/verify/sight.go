package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock/internal/fault"
)

// sight is what was last seen of a suspect.
type sight struct {
	state    digest // of all that was seen of it
	again    int    // how often the same was seen again
	older    int    // likewise, while transactions ran that did when it was seen first
	xmax     uint64 // of the snapshot in which it was seen first
	findings []finding
}

// see notes what was seen of a suspect that differs, and how often that was so.
func (l *round) see(sights map[*suspect]*sight, s *suspect, findings []finding, seen *latest) *sight {
	var state strings.Builder
	if row := l.rows[s.side][s.key]; row != nil {
		state.WriteString(row.state)
	}
	note := func(e *entry) {
		d := l.run.hasher.digest(e)
		_, _ = fmt.Fprintf(&state, " %x %d %d", d, e.version, e.written)
	}
	for _, i := range slices.Sorted(maps.Keys(s.at)) {
		p := l.run.places[i]
		if p.store == nil {
			if e, _ := seen.row(s.side, s.key); e != nil {
				note(e)
			}
			continue
		}
		addresses := map[string]bool{}
		for _, e := range append(l.wanted(s, p), s.at[i]...) {
			if got := l.found[i][s.key+e.address(p)]; got != nil && !addresses[e.address(p)] {
				addresses[e.address(p)] = true
				note(got)
			}
		}
		state.WriteString("|")
	}
	now := l.run.hasher.text(state.String())
	last := sights[s]
	switch {
	case last == nil || last.state != now:
		last = &sight{state: now, xmax: l.shot.xmax}
		sights[s] = last
	case !l.shot.synchronous || l.shot.xmin >= last.xmax:
		last.again++
	default:
		last.older++
	}
	last.findings = findings
	return last
}

// undecided counts the suspects that stand still, but may only seem to differ: a commit that
// waits for a synchronous standby is in the stores before Postgres shows it.
func undecided(sights map[*suspect]*sight) (n int) {
	for _, s := range sights {
		if s.older >= confirmations {
			n++
		}
	}
	return n
}

func (r *run) olderRun(rows int) error {
	return &fault.Error{
		Kind: fault.Unreachable, Where: r.postgres.where,
		What: fmt.Sprintf("%d rows of pipeline %s differ, and transactions that ran when that was seen still do after %s", rows, r.cfg.Pipeline, r.cfg.Wait),
		Why:  "one of them may have committed, and wait for a synchronous standby: then the stores have what Postgres does not show yet",
		Fix:  "let them end (SELECT * FROM pg_stat_activity WHERE backend_xid IS NOT NULL), or give them longer with --timeout",
	}
}
