package ledger

import "penstock/schema"

// conclude checks what only shows when every record has been seen: what is
// missing, and what must hold over all commits in their order.
func (c *checker) conclude() {
	for i := range c.truth.commits {
		cm := &c.truth.commits[i]
		if missing := c.missing(cm); missing > 0 && missing < cm.n {
			c.verdict.report(Torn, "xid %d, commit %s: %d of its %d changes are missing", cm.xid, cm.lsn, missing, cm.n)
		}
		if cm.delta != 0 {
			c.verdict.report(Money, "xid %d, commit %s: the sum of the accounts changes by %d", cm.xid, cm.lsn, cm.delta)
		}
	}
	c.versions()
}

// missing reports the commit's changes that lack a record.
func (c *checker) missing(cm *commit) int32 {
	missing := int32(0)
	for seq := range cm.n {
		e := &c.truth.events[cm.first+seq]
		lost := e.seen&whole == 0 || e.oldKey != 0 && e.seen&leave == 0
		if e.op == 't' {
			partitions := c.parts[c.catalog.tables[e.table].topic]
			lost = c.truncate[cm.first+seq] != 1<<partitions-1
		}
		switch {
		case lost:
			missing++
			c.verdict.report(Lost, "%s", c.truth.place(c.catalog, cm, seq))
		case (e.op == 'd' || e.oldKey != 0) && e.seen&tomb == 0:
			c.verdict.report(Tombstone, "%s", c.truth.place(c.catalog, cm, seq))
		}
	}
	return missing
}

// versions walks over the commits in O2's order: versions strictly increase, and
// each commit's LSN lies where O2 has its commit record.
func (c *checker) versions() {
	var version int64
	var end schema.LSN
	for _, index := range c.truth.order {
		cm := &c.truth.commits[index]
		if !cm.lsn.IsZero() && (cm.lsn < end || cm.lsn >= cm.end) {
			c.verdict.report(Mismatch, "xid %d: commit %s does not lie between %s and %s, where its commit record is", cm.xid, cm.lsn, end, cm.end)
		}
		if cm.lsn == end {
			c.verdict.Adjacent++
		}
		end = cm.end
		for seq := range cm.n {
			e := &c.truth.events[cm.first+seq]
			if e.version == 0 { // lost
				continue
			}
			if e.version <= version {
				c.verdict.report(Version, "%s: version %d after %d", c.truth.place(c.catalog, cm, seq), e.version, version)
			}
			version = e.version
		}
	}
}
