package cdc

import (
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// TestAPartitionIsReadInParts: with room for few keys a partition is read several times, and each key that
// lives comes once.
func TestAPartitionIsReadInParts(t *testing.T) {
	servers, topic := stacktest.Servers(t), stacktest.Prefix(t)+".t"
	cfg := &Config{Brokers: servers.Kafka.Brokers}
	cl, err := cfg.kafka(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	add := func(key string, value []byte) {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(key), Value: value})
	}
	id := func(i int) string { return fmt.Sprintf(`{"id":%d}`, i) }
	add(id(-1), []byte("{}"))
	add("", []byte(`{"op":"t"}`)) // a truncation
	const rows = 1000
	for i := range rows {
		add(id(i), []byte("{}"))
	}
	for i := range rows / 4 {
		add(id(4*i), nil)
	}
	add(id(0), []byte("{}")) // which came back
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	int8Type := &schema.Type{OID: typeInt8, Schema: "pg_catalog", Name: "int8", Kind: schema.TypeBase, Mod: -1}
	rel := &schema.Relation{Identity: schema.IdentityDefault, Key: []int{0}, Columns: []schema.Column{
		{Name: "id", TypeOID: typeInt8, TypeMod: -1, Type: int8Type, Identity: true, NotNull: true},
	}}
	reader, err := newOwnRows(t.Context(), cfg, &Table{Topic: topic}, rel)
	if err != nil {
		t.Fatal(err)
	}
	h := &heldRows{
		cfg: cfg, rel: rel, topic: topic, reader: reader, limit: 10_000, seed: maphash.MakeSeed(),
		left: []heldPart{{end: int64(len(records))}},
	}
	got, most := map[string]int{}, 0
	for {
		page, err := h.Next(t.Context(), 50)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, row := range page {
			got[string(row.Row[0].Data)]++
		}
		most = max(most, len(h.latest))
	}
	for i := range rows {
		if want := map[bool]int{true: 1}[i%4 != 0 || i == 0]; got[fmt.Sprint(i)] != want {
			t.Errorf("row %d came %d times, want %d", i, got[fmt.Sprint(i)], want)
		}
	}
	if len(got) != rows*3/4+1 || most > 120 {
		t.Errorf("%d rows came, at most %d at once", len(got), most)
	}
}
