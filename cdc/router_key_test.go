package cdc

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/fault"
	"penstock/schema"
)

// takesAll is a registry that gives every schema the id 1.
func takesAll(t *testing.T) *registry.Registry {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":1}`) }))
	t.Cleanup(server.Close)
	r, err := registry.Open(registry.Config{URLs: []string{server.URL}, AutoRegister: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// TestPartitionFollowsTheKey in every format: all records of a row, and what a
// Kafka client would send with that key, share a partition.
func TestPartitionFollowsTheKey(t *testing.T) {
	known := takesAll(t)
	for i, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			r := docsRouter(Table{Format: format.Format{Kind: format.Kind(i), Registry: known}}, 0)
			client := kgo.StickyKeyPartitioner(nil).ForTopic("docs")
			used := map[int32]bool{}
			for id := range 50 {
				n := fmt.Sprint(id)
				update := created(n, "U", "{}")
				update.Op = schema.OpUpdate
				for _, e := range []schema.Event{created(n, "T", "{}"), update, deleted(n)} {
					for _, r := range routed(t, r, e) {
						if want := int32(client.Partition(&kgo.Record{Key: r.Key}, 3)); len(r.Key) == 0 || r.Partition != want {
							t.Fatalf("key %x lies in partition %d, want %d", r.Key, r.Partition, want)
						}
						used[r.Partition] = true
					}
				}
			}
			if len(used) != 3 {
				t.Errorf("50 rows lie in %d partitions, want 3", len(used))
			}
		})
	}
}

// keylessRouter routes the table without a key.
func keylessRouter(f format.Format, skip ...schema.Op) *Router {
	cfg := &Config{Name: "engagement", Tables: []Table{{Name: plainTable, Topic: "plain", Format: f, Skip: skip}}}
	return newRouter(cfg, "db", layout{partitions: map[string]int32{"plain": 5}}, func(context.Context, string) (topicInfo, error) { return topicInfo{partitions: 1}, nil })
}

// TestTableWithoutAKey: no record has one, and all lie in one partition, in order.
func TestTableWithoutAKey(t *testing.T) {
	known := takesAll(t)
	events := []schema.Event{
		{Op: schema.OpCreate, Relation: keylessRelation(), New: row("1", "x"), Version: 10},
		{Op: schema.OpUpdate, Relation: keylessRelation(), Old: row("1", "x"), New: row("2", "y"), Version: 12},
		{Op: schema.OpDelete, Relation: keylessRelation(), Old: row("2", "y"), Version: 14},
	}
	for i, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			r := keylessRouter(format.Format{Kind: format.Kind(i), Registry: known})
			partitions := map[int32]bool{}
			for _, e := range events {
				records, err := r.Route(t.Context(), nil, &e, 1)
				if format.Kind(i) == format.JSON && e.Op == schema.OpDelete {
					if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "public.plain, commit 0/0, change 0: format json has no record of a delete") {
						t.Errorf("got %v, want a refusal: nothing would tell of the change", err)
					}
					continue
				}
				if err != nil || len(records) != 1 {
					t.Fatalf("%c: got %d records, %v, want one", e.Op, len(records), err)
				}
				if records[0].Key != nil || len(records[0].Value) == 0 {
					t.Errorf("%c: got key %q and a value of %d bytes", e.Op, records[0].Key, len(records[0].Value))
				}
				partitions[records[0].Partition] = true
			}
			if len(partitions) != 1 {
				t.Errorf("the changes lie in %d partitions, want 1", len(partitions))
			}
		})
	}
}

// TestUpdateWithoutAKeyStaysOne, whatever it changes.
func TestUpdateWithoutAKeyStaysOne(t *testing.T) {
	e := schema.Event{Op: schema.OpUpdate, Relation: keylessRelation(), Old: row("1", "x"), New: row("2", "y"), Version: 12}
	records := routed(t, keylessRouter(format.Format{}), e)
	if diff := cmp.Diff(`plain[] u {"id":"1","code":"x"} -> {"id":"2","code":"y"} v12`, line(t, records[0])); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
}

// TestDeletesOfRowsAloneMayBeSkipped is the way out that the refusal names.
func TestDeletesOfRowsAloneMayBeSkipped(t *testing.T) {
	e := schema.Event{Op: schema.OpDelete, Relation: keylessRelation(), Old: row("2", "y"), Version: 14}
	if records := routed(t, keylessRouter(format.Format{Kind: format.JSON}, schema.OpDelete), e); len(records) != 0 {
		t.Errorf("got %d records, want none", len(records))
	}
}
