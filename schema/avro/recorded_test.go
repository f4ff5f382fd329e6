package avro_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"penstock/internal/parity/golden"
	"penstock/schema/avro"
	"penstock/schema/connect"
)

// Every schema that the real connector wrote can be carried, with the values that
// came with it.
func TestRecordedValuesCanBeReadBack(t *testing.T) {
	const dir = "../../testdata/debezium"
	files, err := filepath.Glob(dir + "/*.schemas.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no recorded schemas: %v", err)
	}
	for _, file := range files {
		pass := strings.TrimSuffix(filepath.Base(file), ".schemas.jsonl")
		t.Run(pass, func(t *testing.T) {
			records, err := golden.Read(dir, pass)
			if err != nil {
				t.Fatal(err)
			}
			known := recordedCodecs{}
			for _, r := range records {
				known.exchange(t, r.KeySchema, r.Key)
				known.exchange(t, r.ValueSchema, r.Value)
			}
		})
	}
}

// recordedCodecs are the codecs of recorded schemas.
type recordedCodecs map[string]func(payload json.RawMessage)

func (known recordedCodecs) exchange(t *testing.T, schema, payload json.RawMessage) {
	t.Helper()
	if schema == nil { // a tombstone has none
		return
	}
	use, ok := known[string(schema)]
	if !ok {
		var recorded jsonSchema
		if err := json.Unmarshal(schema, &recorded); err != nil {
			t.Fatal(err)
		}
		s := recorded.schema(t)
		c, err := avro.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		r := reader(t, c)
		use = func(payload json.RawMessage) { exchange(t, c, r, s, recordedValue(t, s, payload)) }
		known[string(schema)] = use
	}
	use(payload)
}

// jsonSchema is a schema as Connect's JSON converter prints it.
type jsonSchema struct {
	Type       string            `json:"type"`
	Optional   bool              `json:"optional"`
	Name       string            `json:"name"`
	Version    int               `json:"version"`
	Doc        string            `json:"doc"`
	Field      string            `json:"field"`
	Parameters map[string]string `json:"parameters"`
	Default    json.RawMessage   `json:"default"`
	Fields     []jsonSchema      `json:"fields"`
	Items      *jsonSchema       `json:"items"`
	Keys       *jsonSchema       `json:"keys"`
	Values     *jsonSchema       `json:"values"`
}

func (j *jsonSchema) schema(t *testing.T) *connect.Schema {
	t.Helper()
	if j == nil {
		return nil
	}
	s := &connect.Schema{Optional: j.Optional, Name: j.Name, Version: j.Version, Doc: j.Doc, Key: j.Keys.schema(t), Elem: j.Items.schema(t)}
	for s.Kind = connect.Boolean; s.Kind.String() != j.Type; s.Kind++ {
		if s.Kind == connect.Struct {
			t.Fatalf("%s is no type", j.Type)
		}
	}
	if j.Values != nil {
		s.Elem = j.Values.schema(t)
	}
	for key, value := range j.Parameters {
		s.Parameters = append(s.Parameters, connect.Parameter{Key: key, Value: value})
	}
	for i := range j.Fields {
		s.Fields = append(s.Fields, field(j.Fields[i].Field, j.Fields[i].schema(t)))
	}
	if j.Default != nil {
		v := recordedValue(t, s, j.Default)
		s.Default = &v
	}
	return s
}

// recordedValue is a value as Connect's JSON converter prints it.
func recordedValue(t *testing.T, s *connect.Schema, payload json.RawMessage) connect.Value {
	t.Helper()
	if string(payload) == "null" {
		return null()
	}
	plain := string(bytes.Trim(payload, `"`)) // a number, or NaN
	var v connect.Value
	var err error
	switch s.Kind {
	case connect.Boolean:
		v = connect.Bool(plain == "true")
	case connect.Int8, connect.Int16, connect.Int32, connect.Int64:
		v.Form = connect.FormInt
		v.Int, err = strconv.ParseInt(plain, 10, 64)
	case connect.Float32:
		v.Form = connect.FormFloat
		v.Float, err = strconv.ParseFloat(plain, 32)
	case connect.Float64:
		v.Form = connect.FormFloat
		v.Float, err = strconv.ParseFloat(plain, 64)
	case connect.String, connect.Bytes:
		var unquoted string
		err = json.Unmarshal(payload, &unquoted)
		v = text(unquoted)
		if s.Kind == connect.Bytes && err == nil {
			v.Form = connect.FormBytes
			v.Bytes, err = base64.StdEncoding.DecodeString(unquoted)
		}
	case connect.Array:
		var items []json.RawMessage
		err = json.Unmarshal(payload, &items)
		v.Form = connect.FormList
		for _, item := range items {
			v.List = append(v.List, recordedValue(t, s.Elem, item))
		}
	case connect.Map, connect.Struct:
		var members map[string]json.RawMessage
		err = json.Unmarshal(payload, &members)
		v.Form = connect.FormList
		for _, f := range s.Fields {
			v.List = append(v.List, recordedValue(t, f.Schema, members[f.Name]))
		}
		for key, value := range members {
			if s.Kind == connect.Map { // all recorded ones have strings for keys
				v.List = append(v.List, text(key), recordedValue(t, s.Elem, value))
			}
		}
	}
	if err != nil {
		t.Fatalf("%s of type %s: %v", payload, s.Kind, err)
	}
	return v
}
