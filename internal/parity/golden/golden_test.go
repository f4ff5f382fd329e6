package golden_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"penstock/internal/parity/golden"
	"penstock/internal/typecases"
	"penstock/schema"
)

const kept = "../../../testdata/debezium"

func TestRecordsAreKept(t *testing.T) {
	dir := t.TempDir()
	headers := []golden.Header{{Key: "h", Value: "<&>"}}
	envelope := func(payload string) []byte {
		return []byte(`{"schema": {"type":"string", "optional":true}, "payload": ` + payload + `}`)
	}
	var records []golden.Record
	for _, value := range [][]byte{envelope(`{"b": 1.50, "a": "<&>"}`), nil, envelope(`null`)} {
		r, err := golden.NewRecord("t", envelope(`1`), value, headers, true)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	if err := golden.Write(dir, "name", records); err != nil {
		t.Fatal(err)
	}
	back, err := golden.Read(dir, "name")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, records) {
		t.Errorf("got %+v, want %+v", back, records)
	}
	if got := string(back[0].Value); got != `{"b":1.50,"a":"<&>"}` {
		t.Errorf("got value %s, want its fields and numbers as they were", got)
	}
	schemas, err := os.ReadFile(filepath.Join(dir, "name.schemas.jsonl"))
	if err != nil || bytes.Count(schemas, []byte("\n")) != 1 {
		t.Errorf("got schemas %q, %v, want one", schemas, err)
	}
}

func TestBadRecords(t *testing.T) {
	for _, c := range []struct {
		name, value string
		schemas     bool
	}{
		{"no JSON", "{", false},
		{"no envelope", `{"schema":null,"payload":null,"more":1}`, true},
		{"an envelope without payload", `{"schema":null}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r, err := golden.NewRecord("t", nil, []byte(c.value), nil, c.schemas); err == nil {
				t.Errorf("got %+v, want an error", r)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown schema", `{"topic":"t","key":null,"value":null,"valueSchema":2}`, "line 1: no schema 2"},
		{"no JSON", "{\n", "line 1"},
		{"nothing in a line", "\n", "line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "name.jsonl"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := golden.Read(dir, "name"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestInputIsKept(t *testing.T) {
	text := &schema.Type{OID: 25, Schema: "pg_catalog", Name: "text", Kind: schema.TypeBase, Mod: -1}
	array := &schema.Type{OID: 1009, Schema: "pg_catalog", Name: "_text", Kind: schema.TypeArray, Elem: text, Mod: -1, Delimiter: ','}
	enum := &schema.Type{OID: 70000, Schema: "public", Name: "mood", Kind: schema.TypeEnum, Mod: -1, Labels: []string{"b", "a"}}
	row := &schema.Type{OID: 70001, Schema: "public", Name: "row", Kind: schema.TypeComposite, Mod: -1, Fields: []schema.Attribute{
		{Name: "m", Type: enum, Mod: -1}, {Name: "t", Type: array, Mod: 7},
	}}
	in := golden.Input{
		Columns: []schema.Column{
			{Name: "id", TypeOID: 25, TypeMod: -1, Identity: true, Type: text, NotNull: true, Default: "'x'::text"},
			{Name: "r", TypeOID: 70001, TypeMod: -1, Type: row, Generated: true},
		},
		Rows: []schema.Tuple{{{Kind: schema.Text, Data: []byte("<\t>")}, {}}, {{Kind: schema.Text, Data: []byte("")}, {}}},
	}
	dir := t.TempDir()
	if err := golden.WriteInput(dir, "name", in); err != nil {
		t.Fatal(err)
	}
	back, err := golden.ReadInput(dir, "name")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, in) {
		t.Errorf("got %+v, want %+v", back, in)
	}
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "is empty"},
		{"no JSON", "{\n", "line 1"},
		{"a type of no kind", `{"Types":[{"OID":1,"Name":"x"}]}`, `type x is of kind ""`},
		{"a row that is none", "{}\n{}\n", "line 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "name.input.jsonl"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := golden.ReadInput(dir, "name"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

// What is kept must be of the list as it is now: `just parity record` makes it so.
func TestKeptRecordsAreOfTheList(t *testing.T) {
	list, err := typecases.Load()
	if err != nil {
		t.Fatal(err)
	}
	in, err := golden.ReadInput(kept, "types")
	if err != nil {
		t.Fatal(err)
	}
	table := list.Comparable()
	byName := map[string]bool{"id": true}
	for _, c := range table.Columns() {
		byName[c.Name] = true
	}
	for _, c := range in.Columns {
		if !byName[c.Name] {
			t.Errorf("column %s is kept, and not in the list", c.Name)
		}
		if c.Type == nil {
			t.Errorf("column %s has no type", c.Name)
		}
		delete(byName, c.Name)
	}
	for name := range byName {
		if !strings.Contains(name, "vec") { // of pgvector, which the binaries do not bring
			t.Errorf("column %s is in the list, and not kept", name)
		}
	}
	if len(in.Rows) != table.Rows()+1 {
		t.Errorf("got %d rows, want %d and one of NULL", len(in.Rows), table.Rows())
	}
	records, err := golden.Read(kept, "types")
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != len(in.Rows) {
		t.Fatalf("got %d records, want one for each of %d rows", len(records), len(in.Rows))
	}
	for i, r := range records {
		var value struct {
			After struct {
				ID int `json:"id"`
			} `json:"after"`
		}
		if err := json.Unmarshal(r.Value, &value); err != nil || value.After.ID != i || r.ValueSchema == nil {
			t.Errorf("record %d: got row %d, %v, want its own with a schema", i, value.After.ID, err)
		}
	}
}
