package schema

import "strings"

// ReplicaIdentity tells which columns of the old row Postgres writes to the log
// for updates and deletes (pg_class.relreplident).
type ReplicaIdentity byte

// The replica identities, with the codes of pg_class.relreplident.
const (
	IdentityDefault ReplicaIdentity = 'd' // the primary key
	IdentityNothing ReplicaIdentity = 'n' // no old row at all
	IdentityFull    ReplicaIdentity = 'f' // every column
	IdentityIndex   ReplicaIdentity = 'i' // the columns of one unique index
)

// Valid reports whether the code is one that Postgres defines.
func (r ReplicaIdentity) Valid() bool {
	switch r {
	case IdentityDefault, IdentityNothing, IdentityFull, IdentityIndex:
		return true
	}
	return false
}

// String names the identity as ALTER TABLE ... REPLICA IDENTITY spells it.
func (r ReplicaIdentity) String() string {
	switch r {
	case IdentityDefault:
		return "DEFAULT"
	case IdentityNothing:
		return "NOTHING"
	case IdentityFull:
		return "FULL"
	case IdentityIndex:
		return "USING INDEX"
	}
	return "UNKNOWN"
}

// TableName is a table's name with its Postgres schema, unquoted.
type TableName struct {
	Schema string
	Name   string
}

// String joins the two with a dot, unquoted: for people and topic names, not for SQL.
func (t TableName) String() string { return t.Schema + "." + t.Name }

// Compare orders names by their text.
func (t TableName) Compare(other TableName) int { return strings.Compare(t.String(), other.String()) }

// Column is one column of a relation as pgoutput announces it. The fields below
// Identity are the catalogue's: pgoutput does not say them.
type Column struct {
	Name     string
	TypeOID  uint32
	TypeMod  int32 // -1 when the type has no modifier
	Identity bool  // part of the replica identity; every column under IdentityFull

	Type      *Type  // nil when the catalogue no longer knows it: the column is its text
	NotNull   bool   // the column takes no NULL
	Default   string // the default's expression, as pg_get_expr prints it; empty without one
	Generated bool   // GENERATED ALWAYS AS (...), stored or virtual
}

// Relation is one version of a table's shape. It is immutable once announced: a
// changed table is a new Relation, so events may keep the pointer.
type Relation struct {
	OID      uint32
	Table    TableName
	Identity ReplicaIdentity
	Columns  []Column

	// Key are the columns, by index and in the key's order, that tell the rows
	// apart: the primary key's, else those of the replica identity's index. nil
	// without either.
	Key []int
}

// Index returns the position of the named column, or -1.
func (r *Relation) Index(column string) int {
	for i := range r.Columns {
		if r.Columns[i].Name == column {
			return i
		}
	}
	return -1
}
