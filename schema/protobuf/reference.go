package protobuf

import (
	"fmt"

	"penstock/schema/connect"
)

// The files that schemas import.
const (
	metaFile      = "confluent/meta.proto"
	decimalFile   = "confluent/type/decimal.proto"
	dateFile      = "google/type/date.proto"
	timeFile      = "google/type/timeofday.proto"
	timestampFile = "google/protobuf/timestamp.proto"
)

// Reference is a file that a schema imports. Confluent's registry and clients
// have all of them built in, so nothing has to be registered there and the list of
// references that goes with the schema is empty. Another registry may know only
// what comes with every Protobuf compiler.
type Reference struct {
	Name string // as the import spells it
	// Text is what to register where the file is not known. It is empty for what
	// comes with every Protobuf compiler, google/protobuf/...
	Text string
}

// known are all files that a schema may import.
func known() []Reference {
	return []Reference{
		{metaFile, `syntax = "proto3";
package confluent;

import "google/protobuf/descriptor.proto";

message Meta {
  string doc = 1;
  map<string, string> params = 2;
  repeated string tags = 3;
  repeated Rule rules = 4;
}
message Rule {
  string name = 1;
  string doc = 2;
  string expr = 3;
  string sql = 4;
}

extend google.protobuf.FileOptions {
  Meta file_meta = 1088;
}
extend google.protobuf.MessageOptions {
  Meta message_meta = 1088;
}
extend google.protobuf.FieldOptions {
  Meta field_meta = 1088;
}
extend google.protobuf.EnumOptions {
  Meta enum_meta = 1088;
}
extend google.protobuf.EnumValueOptions {
  Meta enum_value_meta = 1088;
}
`},
		{decimalFile, `syntax = "proto3";
package confluent.type;

message Decimal {
  bytes value = 1;
  uint32 precision = 2;
  int32 scale = 3;
}
`},
		{dateFile, `syntax = "proto3";
package google.type;

message Date {
  int32 year = 1;
  int32 month = 2;
  int32 day = 3;
}
`},
		{timeFile, `syntax = "proto3";
package google.type;

message TimeOfDay {
  int32 hours = 1;
  int32 minutes = 2;
  int32 seconds = 3;
  int32 nanos = 4;
}
`},
		{timestampFile, ""},
	}
}

// wrappers is google/protobuf/wrappers.proto as the converter registers it for a
// record that is not a struct.
const wrappers = `syntax = "proto3";
package google.protobuf;

option java_package = "com.google.protobuf";
option java_outer_classname = "WrappersProto";
option java_multiple_files = true;
option go_package = "google.golang.org/protobuf/types/known/wrapperspb";
option cc_enable_arenas = true;
option objc_class_prefix = "GPB";
option csharp_namespace = "Google.Protobuf.WellKnownTypes";

message DoubleValue {
  double value = 1;
}
message FloatValue {
  float value = 1;
}
message Int64Value {
  int64 value = 1;
}
message UInt64Value {
  uint64 value = 1;
}
message Int32Value {
  int32 value = 1;
}
message UInt32Value {
  uint32 value = 1;
}
message BoolValue {
  bool value = 1;
}
message StringValue {
  string value = 1;
}
message BytesValue {
  bytes value = 1;
}
`

// compileWrapper makes the codec of a record that is one scalar.
func compileWrapper(s *connect.Schema) (*Codec, error) {
	if _, of := logical(s.Name); of != nil || s.Kind == connect.Array || s.Kind == connect.Map {
		return nil, fmt.Errorf("compile a record of type %s %s: it is no struct and no scalar", s.Kind, s.Name)
	}
	f := field{name: "value", number: 1, kind: plain(s.Kind)}
	index := map[kind]int{
		kindDouble: 0, kindFloat: 1, kindInt64: 2, kindInt32: 4, kindBool: 6, kindString: 7, kindBytes: 8,
	}[f.kind]
	root := &message{fields: []field{f}, wraps: true}
	return &Codec{root: root, text: wrappers, indexes: []int{index}}, nil
}
