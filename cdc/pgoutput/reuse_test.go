package pgoutput_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/pgoutput"
	"penstock/schema"
)

// insertRow is an insert of five columns, as a small table has them.
func insertRow() []byte {
	return wire('I', uint32(16384), 'N', uint16(5),
		't', uint32(6), "481516",
		't', uint32(36), "11111111-1111-1111-1111-111111111111",
		't', uint32(4), "play",
		't', uint32(29), "2025-08-25 16:13:40.436907+00",
		'n')
}

// updateRow is an update with a whole old row.
func updateRow() []byte {
	return wire('U', uint32(16384),
		'O', uint16(2), 't', uint32(1), "1", 't', uint32(3), "old",
		'N', uint16(2), 't', uint32(1), "1", 'u')
}

func TestRowsAllocateNothing(t *testing.T) {
	cases := []struct {
		name string
		data []byte
	}{
		{"begin", wire('B', uint64(1), uint64(1), uint32(1))},
		{"insert", insertRow()},
		{"update", updateRow()},
		{"delete", wire('D', uint32(16384), 'K', uint16(2), 't', uint32(1), "1", 'n')},
		{"truncate", wire('T', uint32(2), byte(1), uint32(1), uint32(2))},
		{"commit", wire('C', byte(0), uint64(1), uint64(1), uint64(1))},
		{"stream start", wire('S', uint32(1), byte(1))},
		{"stream stop", wire('E')},
		{"stream commit", wire('c', uint32(1), byte(0), uint64(1), uint64(1), uint64(1))},
		{"stream abort", wire('A', uint32(1), uint32(2))},
	}
	var decoder pgoutput.Decoder
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			allocs := testing.AllocsPerRun(1000, func() {
				if _, err := decoder.Parse(c.data); err != nil {
					t.Fatal(err)
				}
			})
			if allocs != 0 {
				t.Errorf("%v allocations a message, want 0", allocs)
			}
		})
	}
}

func TestValuesAliasTheMessageAndCannotGrowIntoIt(t *testing.T) {
	data := insertRow()
	m, err := pgoutput.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	first := m.(*pgoutput.Insert).New[0].Data
	if &first[0] != &data[13] {
		t.Error("the value is a copy")
	}
	if cap(first) != len(first) {
		t.Errorf("capacity %d, want %d: an append would overwrite the next column", cap(first), len(first))
	}
}

func TestReusedTupleKeepsNothingOfTheRowBefore(t *testing.T) {
	var decoder pgoutput.Decoder
	for _, data := range [][]byte{updateRow(), insertRow()} {
		if _, err := decoder.Parse(data); err != nil {
			t.Fatal(err)
		}
	}
	got, err := decoder.Parse(wire('U', uint32(1), 'N', uint16(2), 'n', 'u'))
	if err != nil {
		t.Fatal(err)
	}
	want := &pgoutput.Update{RelationOID: 1, New: schema.Tuple{{Kind: schema.Null}, {Kind: schema.Unchanged}}}
	if diff := cmp.Diff(want, got, ignoreReuse); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRelationsOutliveTheDecodersNextCall(t *testing.T) {
	var decoder pgoutput.Decoder
	relation := func(name string) *schema.Relation {
		m, err := decoder.Parse(wire('R', uint32(1), "public\x00", name, "\x00", 'f', uint16(1), byte(1), "id\x00", uint32(23), uint32(7)))
		if err != nil {
			t.Fatal(err)
		}
		return m.(*pgoutput.Relation).Relation
	}
	first := relation("first")
	relation("second")
	want := &schema.Relation{
		OID: 1, Table: schema.TableName{Schema: "public", Name: "first"}, Identity: schema.IdentityFull,
		Columns: []schema.Column{{Name: "id", TypeOID: 23, TypeMod: 7, Identity: true}},
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func BenchmarkParseInsert(b *testing.B) {
	data := insertRow()
	var decoder pgoutput.Decoder
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoder.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
