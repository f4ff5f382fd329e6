package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"penstock/schema"
)

// Input is a table as the server tells it: its columns, and its rows in the text
// that pgoutput sends with DateStyle ISO, IntervalStyle postgres, bytea_output hex,
// TimeZone UTC and extra_float_digits 1.
type Input struct {
	Columns []schema.Column
	Rows    []schema.Tuple
}

// The file's first line: types refer to each other by OID.
type head struct {
	Types   []typeLine
	Columns []columnLine
}

type typeLine struct {
	OID       uint32
	Schema    string
	Name      string
	Kind      string
	Elem      uint32          `json:",omitempty"`
	Mod       int32           // of a domain; else -1
	Delimiter string          `json:",omitempty"`
	Labels    []string        `json:",omitempty"`
	Fields    []attributeLine `json:",omitempty"`
}

type attributeLine struct {
	Name string
	Type uint32
	Mod  int32
}

type columnLine struct {
	Name      string
	Type      uint32
	Mod       int32
	Identity  bool   `json:",omitempty"`
	NotNull   bool   `json:",omitempty"`
	Default   string `json:",omitempty"`
	Generated bool   `json:",omitempty"`
}

// WriteInput keeps the input in the folder dir as NAME.input.jsonl: types and
// columns in the first line, then a row a line.
func WriteInput(dir, name string, in Input) error {
	var h head
	seen := map[uint32]bool{}
	for _, c := range in.Columns {
		h.addType(c.Type, seen)
		h.Columns = append(h.Columns, columnLine{c.Name, c.TypeOID, c.TypeMod, c.Identity, c.NotNull, c.Default, c.Generated})
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(h); err != nil {
		return err
	}
	for _, row := range in.Rows {
		line := make([]*string, len(row))
		for i, v := range row {
			if v.Kind == schema.Text {
				s := string(v.Data)
				line[i] = &s
			}
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, name+".input.jsonl"), text.Bytes(), 0o644)
}

// addType adds the type after those that it is made of.
func (h *head) addType(t *schema.Type, seen map[uint32]bool) {
	if t == nil || seen[t.OID] {
		return
	}
	seen[t.OID] = true
	line := typeLine{OID: t.OID, Schema: t.Schema, Name: t.Name, Kind: string(rune(t.Kind)), Mod: t.Mod, Labels: t.Labels}
	if t.Elem != nil {
		h.addType(t.Elem, seen)
		line.Elem = t.Elem.OID
	}
	if t.Delimiter != 0 {
		line.Delimiter = string(rune(t.Delimiter))
	}
	for _, f := range t.Fields {
		h.addType(f.Type, seen)
		line.Fields = append(line.Fields, attributeLine{f.Name, f.Type.OID, f.Mod})
	}
	h.Types = append(h.Types, line)
}

// ReadInput returns what WriteInput kept.
func ReadInput(dir, name string) (Input, error) {
	lines, err := readLines(filepath.Join(dir, name+".input.jsonl"))
	if err != nil {
		return Input{}, err
	}
	if len(lines) == 0 {
		return Input{}, fmt.Errorf("%s.input.jsonl is empty", name)
	}
	var h head
	if err := json.Unmarshal(lines[0], &h); err != nil {
		return Input{}, fmt.Errorf("%s.input.jsonl, line 1: %w", name, err)
	}
	in := Input{}
	if in.Columns, err = h.columns(); err != nil {
		return Input{}, fmt.Errorf("%s.input.jsonl, line 1: %w", name, err)
	}
	for i, line := range lines[1:] {
		var row []*string
		if err := json.Unmarshal(line, &row); err != nil {
			return Input{}, fmt.Errorf("%s.input.jsonl, line %d: %w", name, i+2, err)
		}
		tuple := make(schema.Tuple, len(row))
		for n, text := range row {
			if text != nil {
				tuple[n] = schema.Value{Kind: schema.Text, Data: []byte(*text)}
			}
		}
		in.Rows = append(in.Rows, tuple)
	}
	return in, nil
}

// columns puts the types together; each comes after those that it is made of.
func (h *head) columns() ([]schema.Column, error) {
	types := map[uint32]*schema.Type{}
	for _, l := range h.Types {
		if len(l.Kind) != 1 {
			return nil, fmt.Errorf("type %s is of kind %q", l.Name, l.Kind)
		}
		t := &schema.Type{OID: l.OID, Schema: l.Schema, Name: l.Name, Elem: types[l.Elem], Mod: l.Mod, Labels: l.Labels}
		t.Kind = schema.TypeKind(l.Kind[0])
		if l.Delimiter != "" {
			t.Delimiter = l.Delimiter[0]
		}
		for _, f := range l.Fields {
			t.Fields = append(t.Fields, schema.Attribute{Name: f.Name, Type: types[f.Type], Mod: f.Mod})
		}
		types[l.OID] = t
	}
	var columns []schema.Column
	for _, c := range h.Columns {
		columns = append(columns, schema.Column{
			Name: c.Name, TypeOID: c.Type, TypeMod: c.Mod, Identity: c.Identity,
			Type: types[c.Type], NotNull: c.NotNull, Default: c.Default, Generated: c.Generated,
		})
	}
	return columns, nil
}
