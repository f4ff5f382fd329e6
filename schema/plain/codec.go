package plain

import (
	"penstock/schema"
	"penstock/schema/jsontext"
)

// encoder appends a value, given by its text, as JSON. After an error what it
// returns is not valid.
type encoder func(dst, text []byte) ([]byte, error)

// The OIDs of the built-in types with a form of their own; catalogue pg_type.dat.
const (
	oidBool        = 16
	oidBytea       = 17
	oidInt8        = 20
	oidInt2        = 21
	oidInt2Vector  = 22
	oidInt4        = 23
	oidOID         = 26
	oidOIDVector   = 30
	oidJSON        = 114
	oidFloat4      = 700
	oidFloat8      = 701
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestamptz = 1184
	oidInterval    = 1186
	oidTimetz      = 1266
	oidBit         = 1560
	oidVarbit      = 1562
	oidNumeric     = 1700
	oidJSONB       = 3802
)

// maxNesting is how deep types may lie in each other. Below it a value is its
// text, so that a catalogue that we misread cannot make us recurse for ever.
const maxNesting = 32

// encoderOf goes by the column's OID alone when the catalogue does not know its
// type any more.
func encoderOf(c *schema.Column) encoder {
	if c.Type == nil {
		return baseEncoder(&schema.Type{OID: c.TypeOID})
	}
	return make(compiler).encoder(c.Type, maxNesting)
}

// compiler makes each type's encoder once, however many attributes have it.
type compiler map[place]encoder

// place is a type with the levels left for it and the types inside.
type place struct {
	t      *schema.Type
	levels int
}

func (c compiler) encoder(t *schema.Type, levels int) encoder {
	if t == nil || levels == 0 {
		return appendText
	}
	at := place{t, levels}
	if e, ok := c[at]; ok {
		return e
	}
	e := c.compile(t, levels-1)
	c[at] = e
	return e
}

func (c compiler) compile(t *schema.Type, levels int) encoder {
	switch t.Kind {
	case schema.TypeDomain:
		return c.encoder(t.Elem, levels)
	case schema.TypeArray:
		return c.array(t, levels)
	case schema.TypeComposite:
		return c.composite(t.Fields, levels)
	case schema.TypeRange:
		return c.rangeOf(t, levels)
	case schema.TypeMultirange:
		return c.multirange(t, levels)
	case schema.TypeBase, schema.TypeEnum:
	}
	return baseEncoder(t)
}

// baseEncoder is for types whose values hold no others that Postgres knows of.
func baseEncoder(t *schema.Type) encoder {
	switch t.OID {
	case oidInt2:
		return integer{"int2", 16}.append
	case oidInt4:
		return integer{"int4", 32}.append
	case oidInt8:
		return integer{"int8", 64}.append
	case oidOID:
		return appendOID
	case oidInt2Vector, oidOIDVector:
		return appendVector
	case oidFloat4, oidFloat8:
		return appendFloat
	case oidNumeric:
		return appendNumeric
	case oidBool:
		return appendBool
	case oidBytea:
		return appendBytea
	case oidBit, oidVarbit:
		return appendBits
	case oidJSON:
		return appendJSON
	case oidJSONB:
		return appendJSONB
	case oidDate:
		return appendDate
	case oidTime:
		return appendTime
	case oidTimetz:
		return appendTimetz
	case oidTimestamp:
		return appendTimestamp
	case oidTimestamptz:
		return appendTimestamptz
	case oidInterval:
		return appendInterval
	}
	if t.Kind == schema.TypeBase && t.Name == "hstore" { // an extension's: no fixed OID or schema
		return appendHstore
	}
	return appendText
}

func appendText(dst, text []byte) ([]byte, error) { return jsontext.AppendString(dst, text), nil }
