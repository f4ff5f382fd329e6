package cdc

import (
	"strings"
	"testing"

	"penstock/internal/fault"
	"penstock/schema"
)

func TestResume(t *testing.T) {
	const forked = "1\t0/300\tno recovery target specified\n"
	server := identity{systemID: "7432", timeline: 1, database: "db"}
	kept := schema.Position{SystemID: "7432", Timeline: 1, Database: "db", Slot: "s", EndLSN: 0x200, Version: 50}
	half := kept
	half.Open = schema.OpenCommit{FinalLSN: 0x2F0, XID: 7, N: 3, Hash: "00"}
	promoted := func(p schema.Position) schema.Position { p.Timeline = 2; return p }
	fresh := func(end schema.LSN, version int64) schema.Position {
		return schema.Position{SystemID: "7432", Timeline: 1, Database: "db", Slot: "s", EndLSN: end, Version: version}
	}
	lost := func(e *evidence) { e.found, e.position = false, schema.Position{} }
	promote := func(e *evidence, end schema.LSN) {
		e.server.timeline, e.server.history, e.position.EndLSN = 2, forked, end
	}
	base := evidence{server: server, slot: "s", confirmed: 0x180, flushed: 0x900, position: kept, found: true, topicsUsed: true}
	const none, gap, diverged = fault.State(""), fault.GapDetected, fault.Diverged
	cases := []struct {
		name     string
		change   func(*evidence)
		want     schema.Position
		state    fault.State // of the refusal, or of the one that was overruled
		reason   string      // in the refusal
		overrule bool
	}{
		{"slot behind the position", func(*evidence) {}, kept, none, "", false},
		{"slot at the position", func(e *evidence) { e.confirmed = 0x200 }, kept, none, "", false},
		{"first start", func(e *evidence) { lost(e); e.topicsUsed = false }, fresh(0x180, 0), none, "", false},
		{"position lost", lost, schema.Position{}, gap, "there is no position", false},
		{"slot ahead by one byte", func(e *evidence) { e.confirmed = 0x201 }, schema.Position{}, gap, "from 0/200 to 0/201 (1 bytes", false},
		{"another cluster", func(e *evidence) { e.server.systemID = "9" }, schema.Position{}, diverged, "0/200 is of cluster 7432", false},
		{"another database", func(e *evidence) { e.server.database = "other" }, schema.Position{}, diverged, "database db", false},
		{"another slot", func(e *evidence) { e.slot = "t" }, schema.Position{}, diverged, "slot s", false},
		{"server restored to an earlier point", func(e *evidence) { e.flushed = 0x1FF }, schema.Position{}, diverged, "ends at 0/1FF, before the position 0/200", false},
		{"server restored into the open commit", func(e *evidence) { e.position, e.flushed = half, 0x280 }, schema.Position{}, diverged, "ends at 0/280, before the position 0/2F0", false},

		{"promoted behind the position", func(e *evidence) { promote(e, 0x301) }, schema.Position{}, diverged, "position 0/301 lies beyond 0/300", false},
		{"promoted at the position", func(e *evidence) { promote(e, 0x300) }, promoted(fresh(0x300, 50)), none, "", false},
		{"promoted with the open commit", func(e *evidence) { e.position = half; promote(e, 0x200) }, promoted(half), none, "", false},
		{"no history", func(e *evidence) { e.server.timeline = 2 }, schema.Position{}, diverged, "not in the history of the server's timeline 2", false},
		{"garbage for a history", func(e *evidence) { e.server.timeline, e.server.history = 2, "one" }, schema.Position{}, diverged, `"one" is not a timeline`, false},
		{"garbage for a history that is not needed", func(e *evidence) {
			e.server.timeline, e.server.history, e.position.Timeline = 2, "one", 2
		}, promoted(kept), none, "", false},
		{"old primary", func(e *evidence) { e.position.Timeline = 2 }, schema.Position{}, diverged, "0/200 is of timeline 2", false},

		{"gap accepted", func(e *evidence) { e.confirmed, e.accept = 0x300, Accept{gap, 0x300} }, fresh(0x300, 50), gap, "", true},
		{"divergence accepted", func(e *evidence) { e.flushed, e.accept = 0x190, Accept{diverged, 0x180} }, fresh(0x180, 50), diverged, "", true},
		{"nothing to accept", func(e *evidence) { e.accept = Accept{gap, 0x180} }, kept, none, "", false},
		{"lost position accepted", func(e *evidence) { lost(e); e.accept = Accept{gap, 0x180} }, fresh(0x180, 0), gap, "", true},
		{"another LSN accepted", func(e *evidence) { e.confirmed, e.accept = 0x300, Accept{gap, 0x2FF} }, schema.Position{}, gap, "from 0/200 to 0/300", false},
		{"another state accepted", func(e *evidence) { e.confirmed, e.accept = 0x300, Accept{diverged, 0x300} }, schema.Position{}, gap, "from 0/200 to 0/300", false},
		{"replay that differs accepted", func(e *evidence) { e.position, e.accept = half, Accept{diverged, 0x180} }, kept, diverged, "", true},
		{"no half commit to accept", func(e *evidence) { e.accept = Accept{diverged, 0x180} }, kept, none, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := base
			c.change(&e)
			got, overruled, err := resume(e)
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			switch {
			case c.reason != "":
				fix := "penstock run --accept " + Accept{c.state, e.confirmed}.String()
				if fault.StateOf(err) != c.state || fault.KindOf(err) != fault.PositionLost ||
					!strings.Contains(err.Error(), c.reason) || !strings.HasSuffix(err.Error(), fix+")") {
					t.Errorf("got %v, want %s with %q and %q", err, c.state, c.reason, fix)
				}
			case err != nil:
				t.Errorf("refused: %v", err)
			case c.overrule && (overruled == nil || overruled.State != c.state), !c.overrule && overruled != nil:
				t.Errorf("overruled %v, want state %q", overruled, c.state)
			}
		})
	}
}
