package cdc

import (
	"fmt"
	"hash/maphash"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

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
		cfg: cfg, rel: rel, topic: topic, reader: reader, limit: 10_000, waits: time.Minute, log: zap.NewNop(), seed: maphash.MakeSeed(),
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

// TestWhatAReadWaitsForIsSaid: another producer has a transaction open below the end, until it commits.
func TestWhatAReadWaitsForIsSaid(t *testing.T) {
	servers, topic := stacktest.Servers(t), stacktest.Prefix(t)+".t"
	cfg := &Config{Brokers: servers.Kafka.Brokers}
	cl, err := cfg.kafka(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("k")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	core, said := observer.New(zap.InfoLevel)
	told, once := make(chan struct{}), new(sync.Once)
	h := &heldRows{cfg: cfg, topic: topic, waits: 50 * time.Millisecond, log: zap.New(core, zap.Hooks(func(zapcore.Entry) error {
		once.Do(func() { close(told) })
		return nil
	}))}
	read := make(chan error, 1)
	records := 0
	go func() {
		read <- h.read(t.Context(), 0, 1, func(*kgo.Record) error {
			records++
			return nil
		})
	}()
	select {
	case <-told:
	case err := <-read:
		t.Fatalf("it does not wait: %v", err)
	}
	if entry := said.All()[0].ContextMap(); entry[keyTopic] != topic || entry["offset"] != int64(0) {
		t.Errorf("it says %v", entry)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil || records != 1 {
		t.Errorf("%d records, %v, want 1", records, err)
	}
}
