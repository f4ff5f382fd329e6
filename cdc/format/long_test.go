package format_test

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"penstock/cdc/format"
	"penstock/schema"
	"penstock/schema/debezium"
)

// TestLongValuesArriveWhole: a numeric of 100,000 digits, every digit of it, and JSON of
// 100,000 levels, every bracket, in every format.
func TestLongValuesArriveWhole(t *testing.T) {
	const size = 100_000
	known := startRegistry(t)
	digits := strings.Repeat("1234567891", size/10)
	unscaled, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		t.Fatal("no number")
	}
	octets := append([]byte{0}, unscaled.Bytes()...) // with the sign
	if octets[1] < 0x80 {
		octets = octets[1:]
	}
	encoded := base64.StdEncoding.EncodeToString(octets)
	levels := strings.Repeat("[", size) + strings.Repeat("]", size)
	for name, f := range map[string]struct {
		format format.Format
		number string // what the value holds
	}{
		"debezium":              {format.Format{}, encoded},
		"debezium with schemas": {format.Format{Schemas: true}, encoded},
		"decimals as strings":   {format.Format{Options: debezium.Options{Decimal: debezium.DecimalString}}, `"` + digits[:size-5] + "." + digits[size-5:] + `"`},
		"text":                  {format.Format{Kind: format.Text}, `"` + digits[:size-5] + "." + digits[size-5:] + `"`},
		"json":                  {format.Format{Kind: format.JSON}, `:` + digits[:size-5] + "." + digits[size-5:] + `,`},
		"avro":                  {format.Format{Kind: format.Avro, Registry: known.open(t)}, string(octets)},
		"protobuf":              {format.Format{Kind: format.Protobuf, Registry: known.open(t)}, string(octets)},
	} {
		t.Run(name, func(t *testing.T) {
			column := func(name string, oid uint32, of string) schema.Column {
				return schema.Column{Name: name, TypeOID: oid, TypeMod: -1, Type: &schema.Type{OID: oid, Schema: "pg_catalog", Name: of, Kind: schema.TypeBase, Mod: -1}}
			}
			rel := &schema.Relation{OID: 1, Table: schema.TableName{Schema: "public", Name: "t"}, Columns: []schema.Column{column("n", 1700, "numeric"), column("j", 114, "json")}}
			tuple := schema.Tuple{{Kind: schema.Text, Data: []byte(digits[:size-5] + "." + digits[size-5:])}, {Kind: schema.Text, Data: []byte(levels)}}
			e := compile(t, f.format, format.Table{Relation: rel, Columns: []int{0, 1}, Topic: "s.public.t"})
			value, err := e.AppendValue(nil, &schema.Event{Op: schema.OpCreate, Relation: rel, New: tuple}, debezium.Image{Op: schema.OpCreate, After: tuple}, 1)
			if err != nil {
				t.Fatalf("%.300v", err)
			}
			if !bytes.Contains(value, []byte(f.number)) {
				t.Errorf("%d bytes, without the number", len(value))
			}
			if !bytes.Contains(value, []byte(levels)) {
				t.Errorf("%d bytes, without all levels", len(value))
			}
		})
	}
}
