package plain

import (
	"strconv"

	"penstock/schema"
	"penstock/schema/jsontext"
	"penstock/schema/pgtext"
)

func (c compiler) array(t *schema.Type, levels int) encoder {
	if t.OID == oidInt2Vector || t.OID == oidOIDVector {
		return appendVector
	}
	elem := c.encoder(t.Elem, levels)
	delimiter := t.Delimiter
	if delimiter == 0 {
		delimiter = ','
	}
	return func(dst, text []byte) ([]byte, error) {
		array, err := pgtext.ParseArray(text, delimiter)
		if err != nil {
			return dst, err
		}
		return appendArray(dst, array, elem)
	}
}

// appendVector leaves the lower bound out: it is always 0.
func appendVector(dst, text []byte) ([]byte, error) {
	array, err := pgtext.ParseVector(text)
	if err != nil {
		return dst, err
	}
	return appendDims(dst, array.Dims, array.Elems, appendNumeric)
}

func appendArray(dst []byte, array pgtext.Array, elem encoder) ([]byte, error) {
	moved := false
	for _, d := range array.Dims {
		moved = moved || d.Lower != 1
	}
	if !moved {
		return appendDims(dst, array.Dims, array.Elems, elem)
	}
	dst = append(dst, `{"lower":[`...)
	for i, d := range array.Dims {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(d.Lower), 10)
	}
	dst = append(dst, `],"values":`...)
	dst, err := appendDims(dst, array.Dims, array.Elems, elem)
	return append(dst, '}'), err
}

// appendDims appends elems as arrays in arrays, one level for each of dims.
func appendDims(dst []byte, dims []pgtext.Dim, elems []pgtext.Elem, elem encoder) ([]byte, error) {
	if len(dims) == 0 {
		return append(dst, "[]"...), nil
	}
	dst = append(dst, '[')
	each := len(elems) / dims[0].Len
	for i := range dims[0].Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if len(dims) == 1 {
			dst, err = appendElem(dst, elems[i], elem)
		} else {
			dst, err = appendDims(dst, dims[1:], elems[i*each:(i+1)*each], elem)
		}
		if err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func appendElem(dst []byte, e pgtext.Elem, encode encoder) ([]byte, error) {
	if e.Null {
		return append(dst, "null"...), nil
	}
	return encode(dst, e.Text)
}

// composite makes an object of a value. One that does not have the attributes of the
// type is older or newer than what the catalogue says of it: it stays its text, as
// which attribute is which cannot be told.
func (c compiler) composite(fields []schema.Attribute, levels int) encoder {
	members := make([][]byte, len(fields))
	encoders := make([]encoder, len(fields))
	for i := range fields {
		members[i] = append(jsontext.AppendString(nil, fields[i].Name), ':')
		encoders[i] = c.encoder(fields[i].Type, levels)
	}
	return func(dst, text []byte) ([]byte, error) {
		elems, err := pgtext.ParseComposite(text)
		if err != nil {
			return dst, err
		}
		if len(fields) == 0 && len(elems) == 1 && elems[0].Null {
			return append(dst, "{}"...), nil
		}
		if len(elems) != len(fields) {
			return appendText(dst, text)
		}
		start := len(dst)
		dst = append(dst, '{')
		for i := range elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, members[i]...)
			if dst, err = appendElem(dst, elems[i], encoders[i]); err != nil {
				return appendText(dst[:start], text)
			}
		}
		return append(dst, '}'), nil
	}
}

func (c compiler) rangeOf(t *schema.Type, levels int) encoder {
	bound := c.encoder(t.Elem, levels)
	return func(dst, text []byte) ([]byte, error) {
		v, err := pgtext.ParseRange(text)
		if err != nil {
			return dst, err
		}
		return appendRange(dst, v, bound)
	}
}

func (c compiler) multirange(t *schema.Type, levels int) encoder {
	if t.Elem == nil {
		return appendText
	}
	bound := c.encoder(t.Elem.Elem, levels)
	return func(dst, text []byte) ([]byte, error) {
		ranges, err := pgtext.ParseMultirange(text)
		if err != nil {
			return dst, err
		}
		dst = append(dst, '[')
		for i, v := range ranges {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = appendRange(dst, v, bound); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
}

func appendRange(dst []byte, v pgtext.Range, bound encoder) ([]byte, error) {
	if v.Empty {
		return append(dst, `{"empty":true}`...), nil
	}
	dst, err := appendBound(append(dst, `{"lower":`...), v.Lower, bound)
	if err != nil {
		return dst, err
	}
	dst, err = appendBound(append(dst, `,"upper":`...), v.Upper, bound)
	if err != nil {
		return dst, err
	}
	opening, closing := byte('('), byte(')')
	if v.Lower.Inclusive {
		opening = '['
	}
	if v.Upper.Inclusive {
		closing = ']'
	}
	dst = append(dst, `,"bounds":"`...)
	return append(dst, opening, closing, '"', '}'), nil
}

func appendBound(dst []byte, b pgtext.Bound, encode encoder) ([]byte, error) {
	return appendElem(dst, pgtext.Elem{Null: b.Infinite, Text: b.Text}, encode)
}

func appendHstore(dst, text []byte) ([]byte, error) {
	pairs, err := pgtext.ParseHstore(text)
	if err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(jsontext.AppendString(dst, p.Key), ':')
		if dst, err = appendElem(dst, p.Value, appendText); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
