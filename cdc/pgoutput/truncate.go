package pgoutput

// Truncate empties tables. One statement gives one message, with the published
// ones among the tables it named or reached by CASCADE.
type Truncate struct {
	RelationOIDs    []uint32
	Cascade         bool
	RestartIdentity bool
}

const (
	truncateCascade         = 1
	truncateRestartIdentity = 2
)

func (m *Truncate) decode(c *cursor) {
	relations := c.uint32("relation count")
	flags := c.flags(truncateCascade|truncateRestartIdentity, "truncate options")
	m.Cascade = flags&truncateCascade != 0
	m.RestartIdentity = flags&truncateRestartIdentity != 0
	m.RelationOIDs = m.RelationOIDs[:0]
	for range c.count(relations, 4, "relation OIDs") {
		m.RelationOIDs = append(m.RelationOIDs, c.uint32("relation OID"))
	}
}
