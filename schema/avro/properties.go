package avro

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"penstock/schema/connect"
	"penstock/schema/jsontext"
)

// The parameters that mean something to the converter.
const (
	decimalScale     = "scale"
	decimalPrecision = "connect.decimal.precision"
	recordDoc        = confluent + ".record.doc"
	fieldDoc         = confluent + ".field.doc." // and the field's name
	defaultFlag      = confluent + ".field.default"
	verbatim         = "avro" // begins what becomes a property under its own name
)

const defaultPrecision = 64

func parametersOf(s *connect.Schema) map[string]string {
	parameters := make(map[string]string, len(s.Parameters))
	for _, p := range s.Parameters {
		parameters[p.Key] = p.Value
	}
	return parameters
}

// primitive is Avro's name of a kind that has no parts.
func primitive(k connect.Kind) string {
	switch k {
	case connect.Int8, connect.Int16, connect.Int32:
		return "int"
	case connect.Int64:
		return "long"
	case connect.Boolean, connect.Float32, connect.Float64, connect.String, connect.Bytes, connect.Array, connect.Map, connect.Struct:
	}
	return k.String()
}

// properties appends what Avro does not know but keeps, each with a comma
// before it, in the converter's order. name is the semantic type's, adjusted.
func (c *compiler) properties(dst []byte, s *connect.Schema, name string) ([]byte, error) {
	logical, err := logicalType(s)
	if err != nil {
		return nil, err
	}
	dst = append(dst, logical.before...)
	if s.Doc != "" {
		dst = jsontext.AppendString(append(dst, `,"connect.doc":`...), s.Doc)
	}
	if s.Version != 0 {
		dst = strconv.AppendInt(append(dst, `,"connect.version":`...), int64(s.Version), 10)
	}
	dst = appendParameters(dst, s)
	if hasDefault(s) && !hasParameter(s, defaultFlag) {
		dst = appendDefault(append(dst, `,"connect.default":`...), s, s.Default)
	}
	if name != "" {
		dst = jsontext.AppendString(append(dst, `,"connect.name":`...), name)
	}
	switch s.Kind {
	case connect.Int8, connect.Int16:
		dst = append(append(append(dst, `,"connect.type":"`...), s.Kind.String()...), '"')
	case connect.Boolean, connect.Int32, connect.Int64, connect.Float32, connect.Float64, connect.String, connect.Bytes,
		connect.Array, connect.Map, connect.Struct:
	}
	c.odd = c.odd || logical.odd
	if logical.name != "" && !(logical.odd && c.strict) {
		dst = append(append(append(dst, `,"logicalType":"`...), logical.name...), '"')
	}
	for _, p := range s.Parameters {
		if strings.HasPrefix(p.Key, verbatim) {
			dst = append(jsontext.AppendString(append(dst, ','), p.Key), ':')
			dst = jsontext.AppendString(dst, p.Value)
		}
	}
	return dst, nil
}

func appendParameters(dst []byte, s *connect.Schema) []byte {
	open := `,"connect.parameters":{`
	start := len(dst)
	for _, p := range s.Parameters {
		if p.Key == defaultFlag {
			continue
		}
		dst = append(jsontext.AppendString(append(dst, open...), p.Key), ':')
		dst = jsontext.AppendString(dst, p.Value)
		open = `,`
	}
	if len(dst) > start {
		dst = append(dst, '}')
	}
	return dst
}

func hasParameter(s *connect.Schema, key string) bool {
	for _, p := range s.Parameters {
		if p.Key == key {
			return true
		}
	}
	return false
}

// logical is a logical type of Avro's.
type logical struct {
	name   string
	before string // the properties that it needs
	odd    bool   // they are not what it takes
}

// logicalType returns what stands for Connect's own semantic types, or none.
func logicalType(s *connect.Schema) (logical, error) {
	of := func(name string, kind connect.Kind) (logical, error) {
		if s.Kind != kind {
			return logical{}, fmt.Errorf("%s is of type %s, not %s", s.Name, kind, s.Kind)
		}
		return logical{name: name}, nil
	}
	switch s.Name {
	case "org.apache.kafka.connect.data.Decimal":
		l, err := of("decimal", connect.Bytes)
		if err != nil {
			return l, err
		}
		l.before, l.odd, err = decimal(s)
		return l, err
	case "org.apache.kafka.connect.data.Date":
		return of("date", connect.Int32)
	case "org.apache.kafka.connect.data.Time":
		return of("time-millis", connect.Int32)
	case "org.apache.kafka.connect.data.Timestamp":
		return of("timestamp-millis", connect.Int64)
	}
	return logical{}, nil
}

// decimal returns the properties of a Decimal. A negative scale or one beyond the
// precision, which Postgres allows, is nothing that Avro knows: readers take the
// bytes by connect.name then.
func decimal(s *connect.Schema) (properties string, odd bool, err error) {
	parameters := parametersOf(s)
	scale, err := strconv.ParseInt(parameters[decimalScale], 10, 32)
	if err != nil {
		return "", false, fmt.Errorf("read the scale of a Decimal: %w", err)
	}
	precision := int64(defaultPrecision)
	if text, given := parameters[decimalPrecision]; given {
		if precision, err = strconv.ParseInt(text, 10, 32); err != nil {
			return "", false, fmt.Errorf("read the precision of a Decimal: %w", err)
		}
	}
	odd = scale < 0 || scale > precision
	if precision == 0 && !odd {
		return "", false, errors.New("a Decimal has no digits: its precision is 0")
	}
	return fmt.Sprintf(`,"scale":%d,"precision":%d`, scale, precision), odd, nil
}

// foreign refuses what the converter would turn into a type of Avro's that
// Connect does not have.
func foreign(s *connect.Schema) error {
	switch {
	case s.Kind == connect.Struct && (s.Name == confluent+".Union" || hasParameter(s, "org.apache.kafka.connect.data.Union")):
		return fmt.Errorf("%s would be a union", s.Name)
	case s.Kind == connect.Bytes && s.Name != "" && hasParameter(s, "connect.fixed.size"):
		return fmt.Errorf("%s would be of a fixed size", s.Name)
	}
	return nil
}
