package pgoutput

import "penstock/schema"

// The states of a column within a tuple, from the format's TupleData part.
const (
	columnNull      = 'n'
	columnUnchanged = 'u'
	columnText      = 't'
	columnBinary    = 'b'
)

// tuple reads a TupleData into reuse when that is large enough. The tuple is not
// nil even if its table has no columns, because nil means "no such row image".
func (c *cursor) tuple(reuse schema.Tuple) schema.Tuple {
	count := c.count(uint32(c.uint16("column count")), 1, "columns")
	if reuse == nil || cap(reuse) < count {
		reuse = make(schema.Tuple, count)
	}
	tuple := reuse[:count]
	for i := range tuple {
		tuple[i] = c.value()
		if c.err != nil {
			break
		}
	}
	return tuple
}

func (c *cursor) value() schema.Value {
	switch kind := c.byte("column kind"); kind {
	case columnNull:
		return schema.Value{Kind: schema.Null}
	case columnUnchanged:
		return schema.Value{Kind: schema.Unchanged}
	case columnText:
		return schema.Value{Kind: schema.Text, Data: c.sized("column value")}
	case columnBinary:
		return schema.Value{Kind: schema.Binary, Data: c.sized("column value")}
	default:
		c.failAt(c.offset-1, "unknown column kind %q", kind)
		return schema.Value{}
	}
}

// sized reads a length and as many bytes, without copying them.
func (c *cursor) sized(field string) []byte {
	return c.take(c.uint32("length"), field)
}
