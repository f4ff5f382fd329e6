package registry_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	twmb "github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"penstock/cdc/registry"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema/avro"
	"penstock/schema/connect"
	"penstock/schema/protobuf"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// The real registry takes our schemas, gives them back, and tells what is not
// compatible.
func TestRealRegistry(t *testing.T) { //nolint:gocognit // one story, step by step
	url := stacktest.Registry(t)
	admin, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	prefix := "t_" + strings.ToLower(rand.Text()[:8]) + ".public."
	r := open(t, registry.Config{URLs: []string{url}, AutoRegister: true})
	lookUp := open(t, registry.Config{URLs: []string{url}})

	t.Run("a record is read by its header alone", func(t *testing.T) {
		codec, schema := orders(t)
		id := mustID(t, r, prefix+"orders", schema)
		record := codec.Append(registry.AppendHeader(nil, id), row(connect.Int(7), connect.Text([]byte("seven"))))

		var header sr.ConfluentHeader
		found, rest, err := header.DecodeID(record)
		if err != nil {
			t.Fatal(err)
		}
		known, err := admin.SchemaByID(t.Context(), found)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := twmb.Parse(known.Schema)
		if err != nil {
			t.Fatalf("%v\n%s", err, known.Schema)
		}
		var got any
		if _, err := reader.Decode(rest, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"id": int32(7), "note": "seven"}, got); diff != "" {
			t.Error(diff)
		}
		if again := mustID(t, lookUp, prefix+"orders", schema); again != id {
			t.Errorf("registered with id %d, found with %d", id, again)
		}
	})
	t.Run("a new column is compatible, another type is not", func(t *testing.T) {
		_, schema := orders(t, connect.Field{Name: "more", Schema: &connect.Schema{Kind: connect.String, Optional: true}})
		for _, result := range admin.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatBackward}, prefix+"orders-value") {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}
		mustID(t, r, prefix+"orders", schema)
		_, err := r.ID(t.Context(), prefix+"orders", false, registry.Schema{Text: `"string"`})
		wantFault(t, err, fault.Refused, "subject "+prefix+"orders-value", "not compatible", "STRING")
	})
	t.Run("what is not registered is not found", func(t *testing.T) {
		_, err := lookUp.ID(t.Context(), prefix+"none", false, unregistered())
		wantFault(t, err, fault.Refused, "is not registered")
		_, err = lookUp.ID(t.Context(), prefix+"orders", false, unregistered())
		wantFault(t, err, fault.Refused, "is not registered")
	})
	t.Run("nonsense is refused", func(t *testing.T) {
		_, err := r.ID(t.Context(), prefix+"nonsense", false, registry.Schema{Text: `{"type":"nonsense"}`})
		wantFault(t, err, fault.Refused, "does not take the schema")
	})
	t.Run("Protobuf with what it imports", func(t *testing.T) {
		s := &connect.Schema{Kind: connect.Struct, Name: "srv.public.items.Value", Fields: []connect.Field{
			{Name: "id", Schema: &connect.Schema{Kind: connect.Int16}},
			{Name: "price", Schema: &connect.Schema{Kind: connect.Bytes, Name: "org.apache.kafka.connect.data.Decimal", Version: 1,
				Parameters: []connect.Parameter{{Key: "scale", Value: "2"}, {Key: "connect.decimal.precision", Value: "10"}}}},
			{Name: "day", Schema: &connect.Schema{Kind: connect.Int32, Name: "org.apache.kafka.connect.data.Date", Version: 1}},
		}}
		schema := inProtobuf(t, s)
		if len(schema.References) == 0 {
			t.Fatal("the schema imports nothing")
		}
		id := mustID(t, r, prefix+"items", schema)
		if found := mustID(t, lookUp, prefix+"items", schema); found != id {
			t.Errorf("registered with id %d, found with %d", id, found)
		}
		known, err := admin.SchemaByID(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if known.Type != sr.TypeProtobuf || len(known.References) != len(schema.References) {
			t.Errorf("the registry has a schema of type %s with %d references, want %d", known.Type, len(known.References), len(schema.References))
		}
	})
	t.Run("Protobuf's columns may begin and cease to take null", func(t *testing.T) {
		schema := func(optional bool) registry.Schema {
			row := &connect.Schema{Kind: connect.Struct, Name: "srv.public.nulls.Value", Optional: true, Fields: []connect.Field{
				{Name: "id", Schema: &connect.Schema{Kind: connect.Int32}},
				{Name: "note", Schema: &connect.Schema{Kind: connect.String, Optional: optional}},
				{Name: "n", Schema: &connect.Schema{Kind: connect.Int64, Optional: optional}},
			}}
			return inProtobuf(t, &connect.Schema{Kind: connect.Struct, Name: "srv.public.nulls.Envelope", Fields: []connect.Field{{Name: "after", Schema: row}}})
		}
		first := mustID(t, r, prefix+"nulls", schema(false))
		for _, result := range admin.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatFullTransitive}, prefix+"nulls-value") {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}
		if mustID(t, r, prefix+"nulls", schema(true)) != first {
			t.Error("the column that takes null has a schema of its own")
		}
	})
	t.Run("JSON", func(t *testing.T) {
		s := registry.Schema{Kind: registry.JSON, Record: "orders", Text: `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"id":{"type":"integer"}}}`}
		if id := mustID(t, r, prefix+"json", s); id != mustID(t, lookUp, prefix+"json", s) {
			t.Errorf("id %d is not found again", id)
		}
	})
}

// orders is the schema of a table's rows.
func orders(t *testing.T, more ...connect.Field) (*avro.Codec, registry.Schema) {
	t.Helper()
	s := &connect.Schema{Kind: connect.Struct, Name: "srv.public.orders.Value", Fields: append([]connect.Field{
		{Name: "id", Schema: &connect.Schema{Kind: connect.Int32}},
		{Name: "note", Schema: &connect.Schema{Kind: connect.String, Optional: true}},
	}, more...)}
	codec, err := avro.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return codec, registry.Schema{Kind: registry.Avro, Record: s.Name, Text: codec.Schema()}
}

// inProtobuf is the schema with what it imports.
func inProtobuf(t *testing.T, s *connect.Schema) registry.Schema {
	t.Helper()
	codec, err := protobuf.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	schema := registry.Schema{Kind: registry.Protobuf, Record: s.Name, Text: codec.Schema()}
	for _, ref := range codec.References() {
		if ref.Text != "" {
			schema.References = append(schema.References, registry.Reference{Name: ref.Name, Text: ref.Text})
		}
	}
	return schema
}

func row(fields ...connect.Value) connect.Value { return connect.List(fields) }

func unregistered() registry.Schema { return registry.Schema{Text: `"bytes"`} }
