package avro

import (
	"math"

	"penstock/schema/connect"
	"penstock/schema/jsontext"
)

func hasDefault(s *connect.Schema) bool { return s.Default != nil && s.Default.Form != connect.Null }

// nullability says which branch of the schema's union null is. A union with a
// default begins with the default's branch; only that of a struct does not.
func nullability(s *connect.Schema) nullable {
	switch {
	case !s.Optional:
		return never
	case hasDefault(s) && s.Kind != connect.Struct:
		return last
	}
	return first
}

// fits is true when v can be written by the schema.
func fits(s *connect.Schema, v *connect.Value, depth int) bool {
	if v.Form == connect.Null {
		return s.Optional || hasDefault(s)
	}
	if v.Form != s.Kind.Form() || depth > maxDepth {
		return false
	}
	each := func(int) *connect.Schema { return s.Elem }
	switch s.Kind {
	case connect.Int8, connect.Int16, connect.Int32:
		return v.Int == int64(int32(v.Int))
	case connect.Struct:
		if len(v.List) != len(s.Fields) {
			return false
		}
		each = func(i int) *connect.Schema { return s.Fields[i].Schema }
	case connect.Map:
		if len(v.List)%2 != 0 {
			return false
		}
		each = func(i int) *connect.Schema {
			if i%2 == 0 {
				return s.Key
			}
			return s.Elem
		}
	case connect.Array, connect.Boolean, connect.Int64, connect.Float32, connect.Float64, connect.String, connect.Bytes:
	}
	for i := range v.List {
		if of := each(i); !fits(of, &v.List[i], depth+1) || s.Kind == connect.Map && i%2 == 0 && keyedByText(s) && v.List[i].Form == connect.Null {
			return false
		}
	}
	return true
}

// readable is true when the default v, which fits, can be that of a field: Avro
// wants the first branch of every union and has no NaN.
func readable(s *connect.Schema, v *connect.Value) bool {
	if v.Form == connect.Null || nullability(s) == first {
		return v.Form == connect.Null && nullability(s) == first
	}
	switch s.Kind {
	case connect.Float32, connect.Float64:
		return !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0)
	case connect.Array:
		for i := range v.List {
			if !readable(s.Elem, &v.List[i]) {
				return false
			}
		}
	case connect.Map:
		for i := 1; i < len(v.List); i += 2 {
			if !readable(s.Elem, &v.List[i]) {
				return false
			}
		}
		return keyedByText(s)
	case connect.Struct:
		for i := range v.List {
			if !readable(s.Fields[i].Schema, &v.List[i]) {
				return false
			}
		}
	case connect.Boolean, connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.String, connect.Bytes:
	}
	return true
}

// appendDefault appends v as JSON. Bytes are text, one character each.
func appendDefault(dst []byte, s *connect.Schema, v *connect.Value) []byte {
	if v.Form == connect.Null {
		return append(dst, "null"...)
	}
	switch s.Kind {
	case connect.Bytes:
		return appendLatin(dst, v.Bytes)
	case connect.Array:
		return appendList(dst, "[]", len(v.List), func(dst []byte, i int) []byte {
			return appendDefault(dst, s.Elem, &v.List[i])
		})
	case connect.Map:
		return appendDefaultMap(dst, s, v.List)
	case connect.Struct:
		return appendList(dst, "{}", len(v.List), func(dst []byte, i int) []byte {
			dst = append(jsontext.AppendString(dst, adjustField(s.Fields[i].Name)), ':')
			return appendDefault(dst, s.Fields[i].Schema, &v.List[i])
		})
	case connect.Boolean, connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.Float32, connect.Float64, connect.String:
	}
	return connect.AppendJSON(dst, s, *v)
}

func appendDefaultMap(dst []byte, s *connect.Schema, entries []connect.Value) []byte {
	if keyedByText(s) {
		return appendList(dst, "{}", len(entries)/2, func(dst []byte, i int) []byte {
			dst = append(jsontext.AppendString(dst, entries[2*i].Bytes), ':')
			return appendDefault(dst, s.Elem, &entries[2*i+1])
		})
	}
	return appendList(dst, "[]", len(entries)/2, func(dst []byte, i int) []byte {
		dst = append(appendDefault(append(dst, '['), s.Key, &entries[2*i]), ',')
		return append(appendDefault(dst, s.Elem, &entries[2*i+1]), ']')
	})
}

// appendList appends n items between the two brackets.
func appendList(dst []byte, brackets string, n int, item func([]byte, int) []byte) []byte {
	dst = append(dst, brackets[0])
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(dst, i)
	}
	return append(dst, brackets[1])
}

func appendLatin(dst, raw []byte) []byte {
	text := make([]rune, len(raw))
	for i, b := range raw {
		text[i] = rune(b)
	}
	return jsontext.AppendString(dst, string(text))
}
