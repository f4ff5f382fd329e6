package protobuf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"penstock/schema/connect"
)

// Connect's logical types, which get messages of their own.
const (
	logicalDecimal   = "org.apache.kafka.connect.data.Decimal"
	logicalDate      = "org.apache.kafka.connect.data.Date"
	logicalTime      = "org.apache.kafka.connect.data.Time"
	logicalTimestamp = "org.apache.kafka.connect.data.Timestamp"
)

// The parameters of a Decimal.
const (
	paramScale     = "scale"
	paramPrecision = "connect.decimal.precision"
)

// typed sets the kind of f's items, and with it the imports and the options.
func (c *compiler) typed(f *field, s *connect.Schema, at place) error {
	for _, p := range s.Parameters {
		// What came from a Protobuf schema: enums, unions, numbers of fields.
		if strings.HasPrefix(p.Key, "io.confluent.connect.protobuf.") {
			return fmt.Errorf("compile %s: the parameter %s is not supported", at.path, p.Key)
		}
	}
	k, of := logical(s.Name)
	if of != nil {
		if s.Kind != *of {
			return fmt.Errorf("compile %s: %s is %s, want %s", at.path, s.Name, s.Kind, of)
		}
		f.kind = k
		c.need(k.file())
		if k == kindDecimal {
			return c.decimal(f, s, at)
		}
		return nil
	}
	f.kind = plain(s.Kind)
	switch s.Kind {
	case connect.Int8, connect.Int16:
		f.params = []connect.Parameter{{Key: "connect.type", Value: s.Kind.String()}}
		c.need(metaFile)
	}
	return nil
}

// decimal reads the parameters of a Decimal; its values carry the scale.
func (c *compiler) decimal(f *field, s *connect.Schema, at place) error {
	scaled := false
	for _, p := range s.Parameters {
		if p.Key != paramScale && p.Key != paramPrecision {
			continue
		}
		n, err := strconv.ParseInt(p.Value, 10, 32)
		if err != nil {
			return fmt.Errorf("compile %s: parameter %s: %w", at.path, p.Key, err)
		}
		key := "precision"
		if p.Key == paramScale {
			key, scaled, f.scale = "scale", true, int32(n)
		}
		f.params = append(f.params, connect.Parameter{Key: key, Value: p.Value})
	}
	if !scaled {
		return fmt.Errorf("compile %s: a Decimal without the parameter %s", at.path, paramScale)
	}
	slices.SortFunc(f.params, func(a, b connect.Parameter) int { return strings.Compare(a.Key, b.Key) })
	c.need(metaFile)
	return nil
}

// need imports a file once. The file of the options comes first.
func (c *compiler) need(file string) {
	switch {
	case slices.Contains(c.imports, file):
	case file == metaFile:
		c.imports = slices.Insert(c.imports, 0, file)
	default:
		c.imports = append(c.imports, file)
	}
}

// logical returns the kind of a logical type and the Connect kind that it is
// built on, or nil when the name is not one of them.
func logical(name string) (kind, *connect.Kind) {
	on := func(k connect.Kind) *connect.Kind { return &k }
	switch name {
	case logicalDecimal:
		return kindDecimal, on(connect.Bytes)
	case logicalDate:
		return kindDate, on(connect.Int32)
	case logicalTime:
		return kindTime, on(connect.Int32)
	case logicalTimestamp:
		return kindTimestamp, on(connect.Int64)
	}
	return 0, nil
}

// plain is the kind of a schema that has no logical type.
func plain(k connect.Kind) kind {
	switch k {
	case connect.Int8, connect.Int16, connect.Int32:
		return kindInt32
	case connect.Int64:
		return kindInt64
	case connect.Boolean:
		return kindBool
	case connect.Float32:
		return kindFloat
	case connect.Float64:
		return kindDouble
	case connect.String:
		return kindString
	case connect.Map:
		return kindMap
	case connect.Struct:
		return kindMessage
	}
	return kindBytes
}

// name is the kind's type as a field spells it; empty for messages of ours.
func (k kind) name() string {
	return [...]string{
		"int32", "int64", "bool", "float", "double", "string", "bytes",
		"confluent.type.Decimal", "google.type.Date", "google.type.TimeOfDay", "google.protobuf.Timestamp", "", "", "",
	}[k]
}

// file is the file that defines the kind's type; empty when it needs none.
func (k kind) file() string {
	switch k {
	case kindDecimal:
		return decimalFile
	case kindDate:
		return dateFile
	case kindTime:
		return timeFile
	case kindTimestamp:
		return timestampFile
	}
	return ""
}
