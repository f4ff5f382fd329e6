package cdc

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/cdc/copytext"
	"penstock/cdc/format"
	"penstock/schema"
)

// TestRowsTakeNoAllocationsOfTheirOwn: from the text of COPY to the record, in blocks that many records share.
func TestRowsTakeNoAllocationsOfTheirOwn(t *testing.T) {
	column := func(name string, oid uint32) schema.Column {
		return schema.Column{Name: name, TypeOID: oid, TypeMod: -1, NotNull: true, Identity: name == "id"}
	}
	rel := &schema.Relation{OID: 9, Table: plainTable, Identity: schema.IdentityDefault, Key: []int{0}, Columns: []schema.Column{
		column("id", 20), column("token", 2950), column("body", 25), column("attributes", 3802), column("at", 1184),
	}}
	const rows, blocks = 1000, 24 // with some 700 bytes each there are 4 blocks of every kind
	var copied bytes.Buffer
	for i := range rows {
		fmt.Fprintf(&copied, "%d\t11111111-1111-1111-1111-111111111111\ta text, and \\\\ more of it\t{\"n\": %[1]d}\t2026-01-11 16:13:40.5+00\n", i)
	}
	for _, kind := range []format.Kind{format.Debezium, format.Text} {
		t.Run(kind.String(), func(t *testing.T) {
			cfg := &Config{Name: "copied", Tables: []Table{{Name: plainTable, Topic: "plain", Format: format.Format{Kind: kind}}}}
			r := newRouter(cfg, "db", layout{partitions: map[string]int32{"plain": 12}}, func(context.Context, string) (topicInfo, error) { return topicInfo{partitions: 1}, nil })
			window, snapshot := backfill.NewWindow(), &backfill.Snapshot{Xmin: 1, Xmax: 1}
			window.Follow(plainTable)
			var reader copytext.Reader
			var key []byte
			var records []*kgo.Record
			var event schema.Event
			copyAll := func() {
				for line := range bytes.Lines(copied.Bytes()) {
					row, err := reader.Row(line, len(rel.Columns))
					if err != nil {
						t.Fatal(err)
					}
					if key = backfill.AppendKey(key[:0], row, rel.Key); window.Judge(plainTable, key, snapshot) != backfill.Fresh {
						t.Fatal("a row that nobody has changed is not fresh")
					}
					event = schema.Event{Op: schema.OpRead, Relation: rel, New: row, Source: schema.Source{CommitLSN: 7, Seq: event.Source.Seq + 1}, Version: event.Version + 1}
					if records, err = r.Route(t.Context(), records[:0], &event, 1); err != nil || len(records) != 1 {
						t.Fatalf("got %d records, %v", len(records), err)
					}
				}
			}
			if got := testing.AllocsPerRun(5, copyAll); got > blocks {
				t.Errorf("%d rows took %v allocations, want %d at most", rows, got, blocks)
			}
		})
	}
}

// TestRecordsKeepTheirBytes: what is made later, also of an event that is refused, changes no record from before.
func TestRecordsKeepTheirBytes(t *testing.T) {
	var s slab
	var kept [][]byte
	want := func(i int) string { return fmt.Sprintf("%0*d", 1+i*i%5000, i) }
	for i := range 2000 {
		b := s.keep(fmt.Appendf(s.buffer(i%300), "%s", want(i))) // often longer than it said
		if cap(b) != len(b) {
			t.Fatalf("%d: it could grow into the next", i)
		}
		kept = append(kept, b)
		_ = append(s.buffer(100), "what is not kept, because it was refused"...)
	}
	for i, b := range kept {
		if string(b) != want(i) {
			t.Fatalf("%d: got %.50q, want %.50q", i, b, want(i))
		}
	}
	if s.keep(s.buffer(10)) != nil {
		t.Error("nothing is kept as something")
	}
}
