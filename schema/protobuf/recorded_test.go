package protobuf_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"penstock/schema/connect"
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
