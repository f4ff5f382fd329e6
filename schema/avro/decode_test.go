package avro_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	twmb "github.com/twmb/avro"

	"penstock/schema/avro"
	"penstock/schema/connect"
)

// reader reads what a codec writes by nothing but its schema.
func reader(t testing.TB, c *avro.Codec) *twmb.Schema {
	t.Helper()
	bare := func(logical string) twmb.SchemaOpt {
		return twmb.WithCustomType(twmb.CustomType{LogicalType: logical})
	}
	// A decimal that Avro has no logical type for is read as its bytes, as its specification wants.
	text := strings.ReplaceAll(c.Schema(), `"logicalType":"decimal"`, `"logicalType":"other"`)
	lax := twmb.WithLaxNames(func(part string) error {
		if part == "" {
			return fmt.Errorf("empty")
		}
		return nil
	})
	s, err := twmb.Parse(text, lax, bare("date"), bare("time-millis"), bare("timestamp-millis"))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// exchange writes v, reads it back and compares.
func exchange(t testing.TB, c *avro.Codec, r *twmb.Schema, s *connect.Schema, v connect.Value) {
	t.Helper()
	encoded := c.Append(nil, v)
	var got any
	if s.Kind == connect.Bytes && !s.Optional { // the whole record, without a length
		got = encoded
	} else {
		rest, err := r.Decode(encoded, &got)
		if err != nil {
			t.Fatalf("%v\nschema %s\nbytes %x", err, c.Schema(), encoded)
		}
		if len(rest) != 0 {
			t.Fatalf("%d bytes are left", len(rest))
		}
	}
	if diff := cmp.Diff(expected(s, v), got, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
		t.Fatalf("schema %s\nbytes %x\n(-want +got)\n%s", c.Schema(), encoded, diff)
	}
}

// expected is v as the reader returns it.
func expected(s *connect.Schema, v connect.Value) any {
	if v.Form == connect.Null {
		if s.Optional {
			return nil
		}
		return expected(s, *s.Default)
	}
	switch s.Kind {
	case connect.Boolean:
		return v.Int != 0
	case connect.Int8, connect.Int16, connect.Int32:
		return int32(v.Int)
	case connect.Int64:
		return v.Int
	case connect.Float32:
		return float32(v.Float)
	case connect.Float64:
		return v.Float
	case connect.String:
		return valid(v.Bytes)
	case connect.Bytes:
		return v.Bytes
	case connect.Array:
		items := make([]any, len(v.List))
		for i := range v.List {
			items[i] = expected(s.Elem, v.List[i])
		}
		return items
	case connect.Map:
		return expectedMap(s, v.List)
	case connect.Struct:
		names, err := connect.FieldNames(s.Fields, adjusted, strings.Clone)
		if err != nil {
			panic(err)
		}
		fields := map[string]any{}
		for i, f := range s.Fields {
			fields[names[i]] = expected(f.Schema, v.List[i])
		}
		return fields
	}
	panic("no such kind")
}

func expectedMap(s *connect.Schema, entries []connect.Value) any {
	if s.Key.Kind == connect.String && !s.Key.Optional {
		m := map[string]any{}
		for i := 0; i < len(entries); i += 2 {
			m[valid(entries[i].Bytes)] = expected(s.Elem, entries[i+1])
		}
		return m
	}
	items := make([]any, 0, len(entries)/2)
	for i := 0; i < len(entries); i += 2 {
		items = append(items, map[string]any{"key": expected(s.Key, entries[i]), "value": expected(s.Elem, entries[i+1])})
	}
	return items
}

func valid(text []byte) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		b.WriteRune(r)
		text = text[n:]
	}
	return b.String()
}

// adjusted is right for the names of the tests that read back.
func adjusted(name string) string {
	name = regexp.MustCompile(`^[0-9]`).ReplaceAllString(name, "_$0")
	name = regexp.MustCompile(`[\x{10000}-\x{10FFFF}]`).ReplaceAllString(name, "__")
	return regexp.MustCompile(`[^A-Za-z0-9_]`).ReplaceAllString(name, "_")
}
