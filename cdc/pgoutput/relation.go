package pgoutput

import "penstock/schema"

// Relation announces a table's shape, before its first row in a session and again
// before the first row after the shape may have changed. Names are unquoted; an
// empty schema name stands for pg_catalog. The relation may be kept.
type Relation struct{ *schema.Relation }

// columnKey flags a column as part of the replica identity.
const columnKey = 1

// columnSize is the least that one column of a Relation takes: flags, an empty
// name's terminator, type OID and type modifier.
const columnSize = 1 + 1 + 4 + 4

func (m *Relation) decode(c *cursor) {
	rel := &schema.Relation{
		OID: c.uint32("relation OID"),
		Table: schema.TableName{
			Schema: c.text("schema name"),
			Name:   c.text("relation name"),
		},
		Identity: schema.ReplicaIdentity(c.byte("replica identity")),
	}
	if !rel.Identity.Valid() {
		c.failAt(c.offset-1, "unknown replica identity %q", byte(rel.Identity))
	}
	count := c.count(uint32(c.uint16("column count")), columnSize, "columns")
	rel.Columns = make([]schema.Column, count)
	for i := range rel.Columns {
		rel.Columns[i] = c.column()
		if c.err != nil {
			return
		}
	}
	m.Relation = rel
}

func (c *cursor) column() schema.Column {
	return schema.Column{
		Identity: c.flags(columnKey, "column flags") == columnKey,
		Name:     c.text("column name"),
		TypeOID:  c.uint32("column type OID"),
		TypeMod:  int32(c.uint32("column type modifier")),
	}
}

// Type announces a type that is not built in, before the [Relation] that uses it.
// For a domain it is the domain's OID with the base type's name.
type Type struct {
	OID    uint32
	Schema string // empty for pg_catalog
	Name   string
}

func (m *Type) decode(c *cursor) {
	m.OID = c.uint32("type OID")
	m.Schema = c.text("schema name")
	m.Name = c.text("type name")
}
