package cdc

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/schema"
)

// BenchmarkRoute makes the record of one update of a table in no pipeline.
func BenchmarkRoute(b *testing.B) {
	rel := &schema.Relation{OID: 9, Table: plainTable, Identity: schema.IdentityDefault, Key: []int{0}, Columns: []schema.Column{
		{Name: "id", TypeOID: 20, Identity: true}, {Name: "uid", TypeOID: 2950}, {Name: "text", TypeOID: 25},
		{Name: "doc", TypeOID: 3802}, {Name: "at", TypeOID: 1184},
	}}
	e := schema.Event{Op: schema.OpUpdate, Relation: rel, Version: 10, New: row("12345678",
		"11111111-1111-1111-1111-111111111111", "a text of some length, as they are in tables of events and the like, and some more",
		`{"bitrate": "128kbps", "codec": "aac", "list": [1, 2, 3], "more": {"of": "it"}}`, "2025-08-25 16:13:40.436907+00")}
	for _, kind := range []format.Kind{format.Text, format.Debezium, format.JSON} {
		b.Run(kind.String(), func(b *testing.B) {
			cfg := &Config{Name: "bench", Tables: []Table{{Name: plainTable, Topic: "plain", Format: format.Format{Kind: kind}}}}
			r := newRouter(cfg, "db", layout{partitions: map[string]int32{"plain": 12}}, func(context.Context, string) (topicInfo, error) { return topicInfo{partitions: 1}, nil })
			var records []*kgo.Record
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if records, err = r.Route(b.Context(), records[:0], &e, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
