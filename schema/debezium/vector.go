package debezium

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

// vector maps pgvector's vector and halfvec: [1,2.5,3].
func (m *mapping) vector(kind connect.Kind) codec {
	name, typeName, size := "io.debezium.data.DoubleVector", "vector", 64
	if kind == connect.Float32 {
		name, typeName, size = "io.debezium.data.FloatVector", "halfvec", 32
	}
	s := named(connect.Array, name)
	s.Elem = &connect.Schema{Kind: kind}
	return codec{
		schema:    s,
		unchanged: connect.List(m.placeholder.numbers(kind)),
		absent:    connect.List(nil),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			inside, ok := between(text, '[', ']')
			if !ok {
				return connect.Value{}, &pgtext.Error{Type: typeName, Reason: "no brackets around it"}
			}
			if len(inside) == 0 {
				return connect.List(nil), nil
			}
			items := a.Values(bytes.Count(inside, []byte{','}) + 1)
			for i := range items {
				item, rest, _ := bytes.Cut(inside, []byte{','})
				f, err := parseFloat(typeName, item, size)
				if err != nil {
					return connect.Value{}, err
				}
				items[i], inside = connect.Float(f), rest
			}
			return connect.List(items), nil
		},
	}
}

// between takes the brackets away.
func between(text []byte, open, closing byte) ([]byte, bool) {
	last := len(text) - 1
	if last < 1 || text[0] != open || text[last] != closing {
		return nil, false
	}
	return text[1:last], true
}

// sparseVector maps pgvector's sparsevec: {1:1.5,3:2}/5. A column for vectors with
// more dimensions than an int16 counts has no mapping.
func (m *mapping) sparseVector(mod int32) (codec, bool) {
	if mod > math.MaxInt16 {
		return codec{}, false
	}
	s := named(connect.Struct, "io.debezium.data.SparseDoubleVector")
	s.Doc = "Sparse double vector"
	short := &connect.Schema{Kind: connect.Int16}
	s.Fields = []connect.Field{
		{Name: "dimensions", Schema: short},
		{Name: "vector", Schema: &connect.Schema{Kind: connect.Map, Key: short, Elem: &connect.Schema{Kind: connect.Float64}}},
	}
	none := connect.List([]connect.Value{connect.Int(0), connect.List(nil)}) // pgvector has none with 0 dimensions
	return codec{
		schema:    s,
		unchanged: none,
		absent:    none,
		convert:   parseSparseVector,
	}, true
}

// parseSparseVector returns Null for a vector with too many dimensions.
func parseSparseVector(a *connect.Arena, text []byte) (connect.Value, error) {
	fail := func(reason string) (connect.Value, error) {
		return connect.Value{}, &pgtext.Error{Type: "sparsevec", Reason: reason}
	}
	slash := bytes.LastIndexByte(text, '/')
	if slash < 0 {
		return fail("no dimensions after a slash")
	}
	dimensions, err := strconv.ParseInt(string(text[slash+1:]), 10, 32)
	if err != nil || dimensions < 0 {
		return fail("its dimensions are not a number")
	}
	inside, ok := between(text[:slash], '{', '}')
	if !ok {
		return fail("no braces around its elements")
	}
	if dimensions > math.MaxInt16 {
		return connect.Value{}, nil
	}
	n := 0
	if len(inside) > 0 {
		n = bytes.Count(inside, []byte{','}) + 1
	}
	if int64(n) > dimensions {
		return fail("more elements than dimensions")
	}
	read := a.Values(2 * n)
	for i := range n {
		entry, rest, _ := bytes.Cut(inside, []byte{','})
		index, value, found := bytes.Cut(entry, []byte{':'})
		at, err := strconv.ParseInt(string(index), 10, 16)
		if !found || err != nil || at < 1 || at > dimensions {
			return fail("an element has no index within the dimensions")
		}
		f, err := parseFloat("sparsevec", value, 64)
		if err != nil {
			return connect.Value{}, err
		}
		read[2*i], read[2*i+1], inside = connect.Int(at), connect.Float(f), rest
	}
	entries := a.Values(2 * n)
	for i, from := range hashOrder(n, powerOfTwo(n), func(i int) uint32 { return uint32(read[2*i].Int) }) {
		entries[2*i], entries[2*i+1] = read[2*from], read[2*from+1]
	}
	fields := a.Values(2)
	fields[0], fields[1] = connect.Int(dimensions), connect.List(entries)
	return connect.List(fields), nil
}

// powerOfTwo returns the smallest one that is not less than n.
func powerOfTwo(n int) uint32 { return 1 << bits.Len(uint(max(n-1, 0))) }
