package protobuf_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"penstock/internal/parity/golden"
	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

// jsonSchema is a schema as Connect's JSON converter prints it.
type jsonSchema struct {
	Type       string            `json:"type"`
	Optional   bool              `json:"optional"`
	Name       string            `json:"name"`
	Field      string            `json:"field"`
	Parameters map[string]string `json:"parameters"`
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
	kind := -1
	for k := connect.Boolean; k <= connect.Struct; k++ {
		if k.String() == j.Type {
			kind = int(k)
		}
	}
	if kind < 0 {
		t.Fatalf("%s is no type", j.Type)
	}
	s := &connect.Schema{Kind: connect.Kind(kind), Optional: j.Optional, Name: j.Name, Elem: j.Items.schema(t), Key: j.Keys.schema(t)}
	if j.Values != nil {
		s.Elem = j.Values.schema(t)
	}
	for key, value := range j.Parameters {
		s.Parameters = append(s.Parameters, connect.Parameter{Key: key, Value: value})
	}
	for i := range j.Fields {
		s.Fields = append(s.Fields, column(j.Fields[i].Field, j.Fields[i].schema(t)))
	}
	return s
}

// Every schema that the real connector wrote can be carried, with any values.
func TestRecordedSchemas(t *testing.T) {
	files, err := filepath.Glob("../../testdata/debezium/*.schemas.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no recorded schemas: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(bytes.NewReader(text))
			lines.Buffer(nil, len(text)+1)
			for lines.Scan() {
				var recorded jsonSchema
				if err := json.Unmarshal(lines.Bytes(), &recorded); err != nil {
					t.Fatal(err)
				}
				s := recorded.schema(t)
				schemas := make([]*connect.Schema, len(s.Fields))
				for i := range s.Fields {
					schemas[i] = s.Fields[i].Schema
				}
				for seed := range uint64(3) {
					r := &random{Rand: rand.New(rand.NewPCG(seed, 2)), nulls: seed > 0}
					values := make([]connect.Value, len(schemas))
					for i := range schemas {
						values[i] = r.value(schemas[i])
					}
					same(t, s.Name, schemas, values, decode(t, compile(t, s), connect.List(values)))
				}
			}
		})
	}
}

// The values that came with the schemas are read as they were written.
func TestRecordedValues(t *testing.T) {
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
type recordedCodecs map[string]recordedCodec

type recordedCodec struct {
	*protobuf.Codec

	schema *connect.Schema
}

func (known recordedCodecs) exchange(t *testing.T, schema, payload json.RawMessage) {
	t.Helper()
	if schema == nil { // a tombstone has none
		return
	}
	c, ok := known[string(schema)]
	if !ok {
		var recorded jsonSchema
		if err := json.Unmarshal(schema, &recorded); err != nil {
			t.Fatal(err)
		}
		c.schema = recorded.schema(t)
		c.Codec = compile(t, c.schema)
		known[string(schema)] = c
	}
	v := recordedValue(t, c.schema, payload)
	var schemas []*connect.Schema
	for _, f := range c.schema.Fields {
		schemas = append(schemas, f.Schema)
	}
	same(t, c.schema.Name, schemas, v.List, decode(t, c.Codec, v))
}

// recordedValue is a value as Connect's JSON converter prints it.
func recordedValue(t *testing.T, s *connect.Schema, payload json.RawMessage) connect.Value {
	t.Helper()
	if string(payload) == "null" {
		return connect.Value{}
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
	case connect.Float32, connect.Float64:
		v.Form = connect.FormFloat
		v.Float, err = strconv.ParseFloat(plain, map[connect.Kind]int{connect.Float32: 32, connect.Float64: 64}[s.Kind])
	case connect.String, connect.Bytes:
		var unquoted string
		err = json.Unmarshal(payload, &unquoted)
		v = connect.Text([]byte(unquoted))
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
				v.List = append(v.List, connect.Text([]byte(key)), recordedValue(t, s.Elem, value))
			}
		}
	}
	if err != nil {
		t.Fatalf("%s of type %s: %v", payload, s.Kind, err)
	}
	return v
}
