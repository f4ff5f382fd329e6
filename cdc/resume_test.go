package cdc

import (
	"strings"
	"testing"

	"penstock/internal/fault"
	"penstock/schema"
)

func TestResume(t *testing.T) {
	server := identity{systemID: "7432", timeline: 1, database: "db"}
	kept := schema.Position{SystemID: "7432", Timeline: 1, Database: "db", Slot: "s", EndLSN: 0x200, Version: 50}
	fresh := func(end schema.LSN, version int64) schema.Position {
		return schema.Position{SystemID: "7432", Timeline: 1, Database: "db", Slot: "s", EndLSN: end, Version: version}
	}
	base := evidence{server: server, slot: "s", confirmed: 0x180, flushed: 0x900, position: kept, found: true, topicsUsed: true}
	cases := []struct {
		name   string
		change func(*evidence)
		want   schema.Position
		kind   fault.Kind
		reason string // empty when it must succeed
	}{
		{"slot behind the position", func(*evidence) {}, kept, 0, ""},
		{"slot at the position", func(e *evidence) { e.confirmed = 0x200 }, kept, 0, ""},
		{"first start", func(e *evidence) { e.found, e.topicsUsed, e.position = false, false, schema.Position{} }, fresh(0x180, 0), 0, ""},
		{"position lost", func(e *evidence) { e.found, e.position = false, schema.Position{} }, schema.Position{}, fault.PositionLost, "there is no position"},
		{"slot ahead by one byte", func(e *evidence) { e.confirmed = 0x201 }, schema.Position{}, fault.PositionLost, "from 0/200 to 0/201 (1 bytes"},
		{"another cluster", func(e *evidence) { e.server.systemID = "9" }, schema.Position{}, fault.PositionLost, "cluster 7432"},
		{"another timeline", func(e *evidence) { e.server.timeline = 2 }, schema.Position{}, fault.PositionLost, "timeline 1"},
		{"another database", func(e *evidence) { e.server.database = "other" }, schema.Position{}, fault.PositionLost, "database db"},
		{"another slot", func(e *evidence) { e.slot = "t" }, schema.Position{}, fault.PositionLost, "slot s"},
		{"server restored to an earlier point", func(e *evidence) { e.flushed = 0x1FF }, schema.Position{}, fault.PositionLost, "ends at 0/1FF"},
		{"gap accepted", func(e *evidence) { e.confirmed, e.acceptGap = 0x300, 0x300 }, fresh(0x300, 50), 0, ""},
		{"no gap to accept", func(e *evidence) { e.acceptGap = 0x180 }, kept, 0, ""},
		{"lost position accepted", func(e *evidence) { e.found, e.position, e.acceptGap = false, schema.Position{}, 0x180 }, fresh(0x180, 0), 0, ""},
		{"another gap accepted", func(e *evidence) { e.confirmed, e.acceptGap = 0x300, 0x2FF }, schema.Position{}, fault.Usage, "stands at 0/300"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := base
			c.change(&e)
			got, err := resume(e)
			if c.reason == "" {
				if err != nil || got != c.want {
					t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
				}
				return
			}
			if err == nil || fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v (kind %d), want kind %d with %q", err, fault.KindOf(err), c.kind, c.reason)
			}
		})
	}
}
