package avro_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"penstock/schema/avro"
	"penstock/schema/connect"
)

// testdata/converter.txt holds three lines for each example: its name, the schema
// that Confluent's converter derives (AvroData of 8.4, default settings, Avro 1.12),
// and the bytes that Avro's own library writes of the value, where one is given.
func TestSchemaAndBytesAreTheConverters(t *testing.T) {
	recorded, err := os.ReadFile("testdata/converter.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(recorded), "\n")
	all := examples()
	if len(lines) != 3*len(all)+1 {
		t.Fatalf("%d lines are recorded for %d examples", len(lines), len(all))
	}
	for i, e := range all {
		t.Run(e.name, func(t *testing.T) {
			name, schema, encoded := lines[3*i], lines[3*i+1], lines[3*i+2]
			if name != e.name {
				t.Fatalf("%q is recorded here", name)
			}
			c := compile(t, e.schema)
			if got := c.Schema(); got != schema {
				t.Errorf("got  %s\nwant %s", got, schema)
			}
			if e.value.Form == connect.Null {
				return
			}
			if got := hex.EncodeToString(c.Append(nil, e.value)); got != encoded {
				t.Errorf("got bytes %s, want %s", got, encoded)
			}
		})
	}
}

func compile(t testing.TB, s *connect.Schema) *avro.Codec {
	t.Helper()
	c, err := avro.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
