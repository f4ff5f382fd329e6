package plain

import (
	"errors"
	"fmt"

	"penstock/schema"
	"penstock/schema/jsontext"
)

// Table makes the JSON of one relation version's rows. It is immutable: safe for
// concurrent use.
type Table struct {
	name    schema.TableName
	width   int // columns of the relation
	columns []column
	key     []column
}

// column is one member of the objects.
type column struct {
	index  int // in the relation and its tuples
	name   string
	member []byte // "name":
	encode encoder
}

// Compile prepares the rows and keys of rel. columns and key are indexes into its
// columns, in the order of the objects' members. A nil key means a table
// without one. It is an error when an index is out of range or comes twice.
func Compile(rel *schema.Relation, columns, key []int) (*Table, error) {
	t := &Table{name: rel.Table, width: len(rel.Columns)}
	var err error
	if t.columns, err = compileColumns(rel, columns); err != nil {
		return nil, err
	}
	if t.key, err = compileColumns(rel, key); err != nil {
		return nil, err
	}
	return t, nil
}

func compileColumns(rel *schema.Relation, indexes []int) ([]column, error) {
	if indexes == nil {
		return nil, nil
	}
	columns := make([]column, 0, len(indexes))
	seen := make([]bool, len(rel.Columns))
	for _, i := range indexes {
		if i < 0 || i >= len(rel.Columns) {
			return nil, fmt.Errorf("table %s has %d columns, no index %d", rel.Table, len(rel.Columns), i)
		}
		c := &rel.Columns[i]
		if seen[i] {
			return nil, fmt.Errorf("table %s: column %s comes twice", rel.Table, c.Name)
		}
		seen[i] = true
		columns = append(columns, column{
			index:  i,
			name:   c.Name,
			member: append(jsontext.AppendString(nil, c.Name), ':'),
			encode: encoderOf(c),
		})
	}
	return columns, nil
}

// AppendKey appends the object of the key's columns, such as {"id":1}. Without a
// key it returns dst as it is: such a record has no key. A column that the tuple
// does not hold is an error. After an error dst is as it was.
func (t *Table) AppendKey(dst []byte, tuple schema.Tuple) ([]byte, error) {
	if t.key == nil {
		return dst, nil
	}
	for i := range t.key {
		if c := &t.key[i]; c.index < len(tuple) && tuple[c.index].Kind == schema.Unchanged {
			return dst, t.fail(c, errors.New("the log does not hold the key's value"))
		}
	}
	return t.appendObject(dst, t.key, tuple)
}

// AppendRow appends the object of the columns. One that the tuple does not hold
// is left out: see [Table.Unchanged]. A value that is not a text of its type is an
// error with table, column and reason. After an error dst is as it was.
func (t *Table) AppendRow(dst []byte, tuple schema.Tuple) ([]byte, error) {
	return t.appendObject(dst, t.columns, tuple)
}

// Unchanged appends the names of the columns that [Table.AppendRow] leaves out
// because the update did not touch them and the log does not hold them.
func (t *Table) Unchanged(dst []string, tuple schema.Tuple) []string {
	for i := range t.columns {
		if c := &t.columns[i]; c.index < len(tuple) && tuple[c.index].Kind == schema.Unchanged {
			dst = append(dst, c.name)
		}
	}
	return dst
}

func (t *Table) appendObject(dst []byte, columns []column, tuple schema.Tuple) ([]byte, error) {
	if len(tuple) != t.width {
		return dst, fmt.Errorf("table %s: a row of %d columns, the relation has %d", t.name, len(tuple), t.width)
	}
	out := append(dst, '{') //nolint:gocritic // dst is what is returned with an error
	first := len(out)
	for i := range columns {
		c := &columns[i]
		v := tuple[c.index]
		if v.Kind == schema.Unchanged {
			continue
		}
		if len(out) > first {
			out = append(out, ',')
		}
		out = append(out, c.member...)
		var err error
		if out, err = c.append(out, v); err != nil {
			return dst, t.fail(c, err)
		}
	}
	return append(out, '}'), nil
}

// append appends a value that is not Unchanged.
func (c *column) append(dst []byte, v schema.Value) ([]byte, error) {
	switch v.Kind {
	case schema.Null, schema.Unchanged:
		return append(dst, "null"...), nil
	case schema.Text:
		return c.encode(dst, v.Data)
	case schema.Binary:
	}
	return dst, errors.New("the value is in binary form, not text")
}

func (t *Table) fail(c *column, err error) error {
	return fmt.Errorf("table %s, column %s: %w", t.name, c.name, err)
}
