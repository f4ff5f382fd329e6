package cdc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/shape"
)

// placedEvent is a change of a document, all of whose columns old rows hold.
func placedEvent(op schema.Op, before, after schema.Tuple) schema.Event {
	rel := docsRelation()
	rel.Identity = schema.IdentityFull
	for i := range rel.Columns {
		rel.Columns[i].Identity = true
	}
	return schema.Event{Op: op, Relation: rel, Old: before, New: after, Version: 10}
}

// TestColumnsChooseThePartition, and who changes them leaves one and arrives in another
// with the key that it had.
func TestColumnsChooseThePartition(t *testing.T) {
	ref := newTopicRef("docs", 3)
	at := func(body string) int32 { return ref.partition([]byte(`{"body":"` + body + `"}`)) }
	// Two values that lie apart from each other, the first also from the key.
	a, b := "a", "a"
	for at(a) == ref.partition([]byte(`{"id":1}`)) {
		a += "a"
	}
	for at(b) == at(a) {
		b += "b"
	}
	one := func(body string) schema.Tuple { return row("1", body, "{}") }
	for _, c := range []struct {
		name  string
		table Table
		event schema.Event
		want  []string
	}{
		{"a create", Table{}, placedEvent(schema.OpCreate, nil, one(a)), []string{fmt.Sprintf(`{"id":1} envelope c %d v10`, at(a))}},
		{"an update of another column", Table{}, placedEvent(schema.OpUpdate, one(a), row("1", a, "[]")), []string{fmt.Sprintf(`{"id":1} envelope u %d v10`, at(a))}},
		{"a delete and its tombstone", Table{}, placedEvent(schema.OpDelete, one(b), nil),
			[]string{fmt.Sprintf(`{"id":1} envelope d %d v10`, at(b)), fmt.Sprintf(`{"id":1} tombstone %d v10`, at(b))}},
		{"an update of the column", Table{}, placedEvent(schema.OpUpdate, one(a), one(b)),
			[]string{fmt.Sprintf(`{"id":1} envelope d %d v9`, at(a)), fmt.Sprintf(`{"id":1} tombstone %d v9`, at(a)), fmt.Sprintf(`{"id":1} envelope c %d v10`, at(b))}},
		{"an update of the column, without tombstones", Table{NoTombstones: true}, placedEvent(schema.OpUpdate, one(a), one(b)),
			[]string{fmt.Sprintf(`{"id":1} envelope d %d v9`, at(a)), fmt.Sprintf(`{"id":1} envelope c %d v10`, at(b))}},
		{"an update of the column of rows alone", Table{Format: format.Format{Kind: format.JSON}}, placedEvent(schema.OpUpdate, one(a), one(b)),
			[]string{fmt.Sprintf(`{"id":1} tombstone op=d %d v9`, at(a)), fmt.Sprintf(`{"id":1} {"id":1,"body":"%s","extra":{}} op=c %d v10`, b, at(b))}},
		{"an update of the key", Table{}, placedEvent(schema.OpUpdate, one(a), row("2", a, "{}")),
			[]string{fmt.Sprintf(`{"id":1} envelope d %d v9`, at(a)), fmt.Sprintf(`{"id":1} tombstone %d v9`, at(a)), fmt.Sprintf(`{"id":2} envelope c %d v10`, at(a))}},
		{"a truncate", Table{}, placedEvent(schema.OpTruncate, nil, nil), []string{" envelope t 0 v10", " envelope t 1 v10", " envelope t 2 v10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.table.Rules = shape.Rules{Partition: []string{"body"}}
			var got []string
			for _, r := range routed(t, docsRouter(c.table, 0), c.event) {
				hs := headersOf(r)
				got = append(got, fmt.Sprintf("%s %d v%s", outline(r), r.Partition, hs["penstock.version"]))
				_, renamed := hs["__debezium.newkey"]
				_, named := hs["__debezium.oldkey"]
				if moved := c.name == "an update of the key"; renamed && !moved || named && !moved {
					t.Errorf("the key did not change: headers %v", hs)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestExcludedColumnsChooseThePartition without being in the value, and masked ones by
// their mask.
func TestExcludedColumnsChooseThePartition(t *testing.T) {
	r := docsRouter(Table{Rules: shape.Rules{Partition: []string{"body"}, Exclude: []string{"body"}}}, 0)
	got := routed(t, r, placedEvent(schema.OpCreate, nil, row("1", "c", "{}")))[0]
	if strings.Contains(string(got.Value), "body") || got.Partition != newTopicRef("docs", 3).partition([]byte(`{"body":"c"}`)) {
		t.Errorf("got %s in partition %d", got.Value, got.Partition)
	}
	r = docsRouter(Table{Rules: shape.Rules{Partition: []string{"body"}, Mask: map[string]shape.Mask{"body": {Salt: []byte("s")}}}}, 0)
	partitions := map[int32]bool{}
	for i := range 50 {
		partitions[routed(t, r, placedEvent(schema.OpCreate, nil, row("1", fmt.Sprint(i), "{}")))[0].Partition] = true
	}
	if len(partitions) != 3 {
		t.Errorf("masked values lie in partitions %v, want all three", partitions)
	}
}

// TestCutValuesStayInTheirPartition: the tombstone lies where its delete does.
func TestCutValuesStayInTheirPartition(t *testing.T) {
	table := Table{Oversized: OversizedTruncate, Rules: shape.Rules{Partition: []string{"extra"}}}
	e := placedEvent(schema.OpDelete, wide(5000, 6000).New, nil)
	records := routed(t, docsRouter(table, docsLimit), e)
	if len(records) != 2 || records[0].Partition != records[1].Partition || lengths(t, records[0])["extra"] != 0 || lengths(t, records[0])["body"] != 5000 {
		t.Errorf("got %d records, cut were %v", len(records), lengths(t, records[0]))
	}
}

// TestPartitionNeedsTheOldRow, unless nothing but creates make records.
func TestPartitionNeedsTheOldRow(t *testing.T) {
	table := Table{Rules: shape.Rules{Partition: []string{"body"}}}
	e := created("1", "T", "{}")
	_, err := docsRouter(table, 0).Route(t.Context(), nil, &e, 1)
	if fault.KindOf(err) != fault.Refused {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"column body of table public.docs chooses the partition", "REPLICA IDENTITY default", `ALTER TABLE "public"."docs" REPLICA IDENTITY FULL`, "records.tables.public.docs.partition"} {
		if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(part)) {
			t.Errorf("no %q in: %v", part, err)
		}
	}
	table.Skip = []schema.Op{schema.OpUpdate, schema.OpDelete}
	routed(t, docsRouter(table, 0), e)
	routed(t, docsRouter(Table{Rules: shape.Rules{Partition: []string{"id"}}}, 0), e)
}
