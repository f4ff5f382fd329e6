package debezium

import (
	"fmt"

	"penstock/schema"
	"penstock/schema/connect"
)

// column is how one column of a table is emitted. It is immutable, so safe for
// concurrent use; each goroutine needs its own Arena.
type column struct {
	schema *connect.Schema // Optional unless the column is NOT NULL; also in a key

	// convert maps a value that is not NULL. The result may alias text and lies in
	// the arena. A text that is not of the type is an error, and so is a value that
	// the schema cannot hold when it takes no null.
	convert func(a *connect.Arena, text []byte) (connect.Value, error)

	// appendJSON appends what [connect.AppendJSON] makes of convert's value; nil where
	// there is no shorter way. Its errors are convert's.
	appendJSON func(dst, text []byte) ([]byte, error)

	// unchanged stands for a value that the log does not hold, being TOASTed and not
	// touched by the update.
	unchanged connect.Value

	// absent stands for NULL: Null where the column may be NULL. A column that is
	// NOT NULL is so only in an old row of which the log holds the key alone; then
	// it is the default, or the connector's zero of the type.
	absent connect.Value
}

// codec is the mapping of a type, before it is known whether it is a column, that
// may be NULL or not, or an element.
type codec struct {
	schema     connect.Schema
	convert    func(a *connect.Arena, text []byte) (connect.Value, error) // Null for what the schema cannot hold
	appendJSON func(dst, text []byte) ([]byte, error)                     // as of a column; nil where convert may return Null
	unchanged  connect.Value                                              // Null where the schema has nothing for it, and where nothing is TOASTed
	absent     connect.Value
	alone      bool // the connector has no arrays of it
}

// by is the codec with another way to convert.
func (k codec) by(convert func(*connect.Arena, []byte) (connect.Value, error)) codec {
	k.convert, k.appendJSON = convert, nil
	return k
}

// newColumn maps a column. A type that the catalogue does not know is known by its
// OID when it is a common built-in one; any other is its text.
func newColumn(c *schema.Column, o *Options) column {
	m := mapping{o, o.placeholder()}
	declared := c.Type
	if declared == nil {
		declared = builtIn(c.TypeOID)
	}
	base, mod := declared.Base(c.TypeMod)
	k := m.codec(base, mod)

	s := k.schema
	s.Optional = s.Optional || !c.NotNull
	s.Default = m.defaultOf(c, declared, k)
	col := column{schema: &s, convert: k.convert, appendJSON: k.appendJSON, unchanged: k.unchanged}
	if !c.NotNull {
		return col
	}
	col.absent = k.absent
	if s.Default != nil {
		col.absent = *s.Default
	}
	if col.unchanged.Form == connect.Null {
		col.unchanged = col.absent
	}
	if !s.Optional {
		col.convert = required(base.Name, k.convert)
	}
	return col
}

// required turns what a schema cannot hold, a Null, into an error.
func required(typeName string, convert func(*connect.Arena, []byte) (connect.Value, error)) func(*connect.Arena, []byte) (connect.Value, error) {
	return func(a *connect.Arena, text []byte) (connect.Value, error) {
		v, err := convert(a, text)
		if err == nil && v.Form == connect.Null {
			return v, fmt.Errorf("%s: the column is NOT NULL, and its mode has nothing that holds this value", typeName)
		}
		return v, err
	}
}

// mapping finds the codec of a type.
type mapping struct {
	*Options
	placeholder placeholder
}

// codec maps a type that is not a domain. What the connector has no mapping for is
// its text.
func (m *mapping) codec(t *schema.Type, mod int32) codec {
	switch t.Kind {
	case schema.TypeArray:
		return m.array(t, mod)
	case schema.TypeEnum:
		return m.enum(t)
	case schema.TypeBase, schema.TypeRange:
		if k, ok := m.builtIn(t.OID, mod); ok {
			return k
		}
		if k, ok := m.extension(t, mod); ok {
			return k
		}
	case schema.TypeComposite, schema.TypeDomain, schema.TypeMultirange:
	}
	return m.plainText()
}

// extension maps the types of extensions. They have no fixed OID: the connector
// knows them by their name, in whatever schema.
func (m *mapping) extension(t *schema.Type, mod int32) (codec, bool) {
	if t.Kind != schema.TypeBase || t.Schema == "pg_catalog" {
		return codec{}, false
	}
	switch t.Name {
	case "citext", "isbn":
		return m.text(""), true
	case "ltree":
		return m.text("io.debezium.data.Ltree"), true
	case "hstore":
		return m.hstore(), true
	case "geometry":
		return m.geometry(), true
	case "geography":
		return m.geography(), true
	case "vector":
		return m.vector(connect.Float64), true
	case "halfvec":
		return m.vector(connect.Float32), true
	case "sparsevec":
		return m.sparseVector(mod)
	}
	return codec{}, false
}
