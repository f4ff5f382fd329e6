package debezium

import (
	"penstock/schema"
	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

// array maps an array whose elements have a mapping, but a few that the connector
// has only alone. Elements may be NULL; bounds and dimensions are lost.
func (m *mapping) array(t *schema.Type, mod int32) codec {
	if t.Elem == nil || t.Elem.Kind == schema.TypeArray || t.Elem.Kind == schema.TypeDomain {
		return m.plainText()
	}
	elem := m.codec(t.Elem, mod)
	if elem.alone {
		return m.plainText()
	}
	elem.schema.Optional = true
	parse := func(text []byte) (pgtext.Array, error) { return pgtext.ParseArray(text, t.Delimiter) }
	if t.OID == oidInt2Vector || t.OID == oidOIDVector {
		parse = pgtext.ParseVector
	}
	return codec{
		schema:    connect.Schema{Kind: connect.Array, Elem: &elem.schema},
		unchanged: connect.List(m.placeholder.elements(elem)),
		absent:    connect.List(nil),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			array, err := parse(text)
			if err != nil {
				return connect.Value{}, err
			}
			convert := elem.convert
			if elem.schema.Kind == connect.Struct && len(array.Elems) > manyElements {
				convert = elem.sharing(array.Elems)
			}
			items := a.Values(len(array.Elems))
			for i, e := range array.Elems {
				if e.Null {
					continue
				}
				if items[i], err = convert(a, e.Text); err != nil {
					return connect.Value{}, err
				}
			}
			return connect.List(items), nil
		},
	}
}

// manyElements is where sharing begins to pay.
const manyElements = 1 << 12

// sharing converts the elements of one array, whose values are structs: a megabyte
// of numerics would take more than a hundred. Those with the same short text share
// a struct, and all others lie in one block of the right size.
func (k codec) sharing(elems []pgtext.Elem) func(*connect.Arena, []byte) (connect.Value, error) {
	const short = 3
	long := 0
	for _, e := range elems {
		if len(e.Text) > short {
			long++
		}
	}
	var shared, others connect.Arena
	others.Values(long * len(k.schema.Fields))
	others.Reset() // the block stays
	known := map[string]connect.Value{}
	return func(_ *connect.Arena, text []byte) (connect.Value, error) {
		if len(text) > short {
			return k.convert(&others, text)
		}
		if v, ok := known[string(text)]; ok {
			return v, nil
		}
		v, err := k.convert(&shared, text)
		known[string(text)] = v
		return v, err
	}
}

// elements are what an array holds that stands for one that the log does not hold:
// the placeholder once, or each of its octets where elements are numbers.
func (p placeholder) elements(elem codec) []connect.Value {
	switch elem.schema.Kind {
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.Float32, connect.Float64:
		return p.numbers(elem.schema.Kind)
	case connect.String:
		if elem.unchanged.Form == connect.Null { // a string that is never TOASTed alone
			return []connect.Value{connect.Text(p.text)}
		}
	case connect.Boolean, connect.Bytes, connect.Array, connect.Map, connect.Struct:
	}
	return []connect.Value{elem.unchanged}
}

// numbers are the octets, with a sign as Java's are.
func (p placeholder) numbers(kind connect.Kind) []connect.Value {
	all := make([]connect.Value, len(p.octets))
	for i, octet := range p.octets {
		if kind == connect.Float32 || kind == connect.Float64 {
			all[i] = connect.Float(float64(int8(octet)))
		} else {
			all[i] = connect.Int(int64(int8(octet)))
		}
	}
	return all
}
