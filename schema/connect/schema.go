package connect

// Kind is one of Connect's schema types.
type Kind uint8

// The kinds, org.apache.kafka.connect.data.Schema.Type.
const (
	Boolean Kind = iota
	Int8
	Int16
	Int32
	Int64
	Float32
	Float64
	String
	Bytes
	Array
	Map
	Struct
)

// String names the kind as Connect's JSON converter does: boolean, int32, float
// (not float32), double, string, bytes, array, map, struct.
func (k Kind) String() string {
	return [...]string{"boolean", "int8", "int16", "int32", "int64", "float", "double", "string", "bytes", "array", "map", "struct"}[k]
}

// Form returns the form of the kind's values. Only Null is not of it.
func (k Kind) Form() Form {
	switch k {
	case Boolean:
		return FormBool
	case Int8, Int16, Int32, Int64:
		return FormInt
	case Float32, Float64:
		return FormFloat
	case String:
		return FormText
	case Bytes:
		return FormBytes
	case Array, Map, Struct:
		return FormList
	}
	return Null
}

// Schema describes values. It is immutable once it is used.
type Schema struct {
	Kind       Kind
	Optional   bool
	Name       string      // the semantic type, such as io.debezium.time.Date; empty for none
	Version    int         // 0 for none
	Parameters []Parameter // in the order they are printed
	Default    *Value      // nil for none
	Doc        string

	Fields []Field // Struct
	Elem   *Schema // Array: its items. Map: its values
	Key    *Schema // Map: its keys
}

// Field is one field of a Struct.
type Field struct {
	Name   string
	Schema *Schema
}

// Parameter is one entry of a schema's parameters.
type Parameter struct{ Key, Value string }
