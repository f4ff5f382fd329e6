package cdc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

var (
	contentTable = schema.TableName{Schema: "public", Name: "content"}
	eventsTable  = schema.TableName{Schema: "public", Name: "engagement_events"}
	plainTable   = schema.TableName{Schema: "public", Name: "plain"} // in no pipeline
)

func contentRelation() *schema.Relation {
	return &schema.Relation{OID: 1, Table: contentTable, Identity: schema.IdentityFull, Columns: []schema.Column{
		{Name: "id", TypeOID: 2950, Identity: true}, {Name: "title", TypeOID: 25, Identity: true},
	}, Key: []int{0}}
}

func eventsRelation() *schema.Relation {
	return &schema.Relation{OID: 2, Table: eventsTable, Identity: schema.IdentityFull, Columns: []schema.Column{
		{Name: "id", TypeOID: 20, Identity: true}, {Name: "content_id", TypeOID: 2950, Identity: true},
	}, Key: []int{0}}
}

func keylessRelation() *schema.Relation {
	return &schema.Relation{OID: 3, Table: plainTable, Identity: schema.IdentityFull, Columns: []schema.Column{
		{Name: "id", TypeOID: 25, Identity: true}, {Name: "code", TypeOID: 25, Identity: true},
	}}
}

func testRouter() *Router {
	cfg := &Config{
		Name:   "engagement",
		Tables: []Table{{Name: contentTable, Topic: "content"}, {Name: eventsTable, Topic: "events"}, {Name: plainTable, Topic: "plain"}},
		Pipelines: []Pipeline{{
			Name: "metrics", Topic: "input",
			Stream: JoinSide{Table: eventsTable, Column: "content_id"}, Lookup: JoinSide{Table: contentTable, Column: "id"},
		}},
	}
	return newRouter(cfg, "db", layout{partitions: map[string]int32{"content": 2, "events": 2, "plain": 2, "input": 3}},
		func(context.Context, string) (topicInfo, error) { return topicInfo{partitions: 1}, nil })
}

func row(values ...string) schema.Tuple {
	var tuple schema.Tuple
	for _, v := range values {
		if v == "null" {
			tuple = append(tuple, schema.Value{})
			continue
		}
		tuple = append(tuple, schema.Value{Kind: schema.Text, Data: []byte(v)})
	}
	return tuple
}

// line renders what a test cares about: topic, key, what the value says, version.
func line(t *testing.T, r *kgo.Record) string {
	t.Helper()
	var extra []string
	version := ""
	for _, h := range r.Headers {
		switch h.Key {
		case record.HeaderVersion:
			version = string(h.Value)
		case record.HeaderNewKey, record.HeaderOldKey:
			extra = append(extra, fmt.Sprintf(" %s=%s", h.Key, h.Value))
		}
	}
	what := "tombstone"
	if r.Value != nil {
		change, err := record.Parse(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		what = fmt.Sprintf("%c %s -> %s", change.Op, change.Before, change.After)
	}
	return fmt.Sprintf("%s[%s] %s v%s%s", r.Topic, r.Key, what, version, strings.Join(extra, ""))
}

func TestRoute(t *testing.T) {
	cases := []struct {
		name  string
		event schema.Event
		want  []string
	}{
		{
			"insert goes to the table's topic and, by join key, to the pipeline's",
			schema.Event{Op: schema.OpCreate, Relation: eventsRelation(), New: row("1", "c1"), Version: 10},
			[]string{
				`events[{"id":1}] c  -> {"id":1,"content_id":"c1"} v10`,
				`input[c1] c  -> {"id":1,"content_id":"c1"} v10`,
			},
		},
		{
			"update in place",
			schema.Event{Op: schema.OpUpdate, Relation: contentRelation(), New: row("c1", "T"), Version: 10},
			[]string{`content[{"id":"c1"}] u  -> {"id":"c1","title":"T"} v10`, `input[c1] u  -> {"id":"c1","title":"T"} v10`},
		},
		{
			"delete leaves a tombstone, but not in the pipeline's topic",
			schema.Event{Op: schema.OpDelete, Relation: contentRelation(), Old: row("c1", "T"), Version: 10},
			[]string{
				`content[{"id":"c1"}] d {"id":"c1","title":"T"} ->  v10`,
				`content[{"id":"c1"}] tombstone v10`,
				`input[c1] d {"id":"c1","title":"T"} ->  v10`,
			},
		},
		{
			"changed key is delete, tombstone, create",
			schema.Event{Op: schema.OpUpdate, Relation: eventsRelation(), Old: row("1", "c1"), New: row("2", "c1"), Version: 10},
			[]string{
				`events[{"id":1}] d {"id":1,"content_id":"c1"} ->  v9 __debezium.newkey={"id":2}`,
				`events[{"id":1}] tombstone v9 __debezium.newkey={"id":2}`,
				`events[{"id":2}] c  -> {"id":2,"content_id":"c1"} v10 __debezium.oldkey={"id":1}`,
				`input[c1] d {"id":1,"content_id":"c1"} ->  v9`,
				`input[c1] c  -> {"id":2,"content_id":"c1"} v10`,
			},
		},
		{
			"changed join key leaves one partition and arrives in another",
			schema.Event{Op: schema.OpUpdate, Relation: eventsRelation(), Old: row("1", "c1"), New: row("1", "c2"), Version: 10},
			[]string{
				`events[{"id":1}] u {"id":1,"content_id":"c1"} -> {"id":1,"content_id":"c2"} v10`,
				`input[c1] d {"id":1,"content_id":"c1"} ->  v9`,
				`input[c2] c  -> {"id":1,"content_id":"c2"} v10`,
			},
		},
		{
			"a table without a key has neither keys nor tombstones",
			schema.Event{Op: schema.OpDelete, Relation: keylessRelation(), Old: row("1", "x"), Version: 10},
			[]string{`plain[] d {"id":"1","code":"x"} ->  v10`},
		},
		{
			"no join key",
			schema.Event{Op: schema.OpCreate, Relation: eventsRelation(), New: row("1", "null"), Version: 10},
			[]string{`events[{"id":1}] c  -> {"id":1,"content_id":null} v10`, `input[] c  -> {"id":1,"content_id":null} v10`},
		},
		{
			"truncate goes to every partition",
			schema.Event{Op: schema.OpTruncate, Relation: contentRelation(), Version: 10},
			[]string{
				`content[] t  ->  v10`, `content[] t  ->  v10`,
				`input[] t  ->  v10`, `input[] t  ->  v10`, `input[] t  ->  v10`,
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			records, err := testRouter().Route(t.Context(), nil, &c.event, 1)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range records {
				got = append(got, line(t, r))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTruncateNamesEachPartitionOnce(t *testing.T) {
	records, err := testRouter().Route(t.Context(), nil, &schema.Event{Op: schema.OpTruncate, Relation: contentRelation()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, r := range records {
		got[fmt.Sprintf("%s/%d", r.Topic, r.Partition)]++
	}
	want := map[string]int{"content/0": 1, "content/1": 1, "input/0": 1, "input/1": 1, "input/2": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
}

// TestRowsOfOneJoinKeyShareAPartition is what the sink's join rests on.
func TestRowsOfOneJoinKeyShareAPartition(t *testing.T) {
	r := testRouter()
	for i := range 100 {
		id := fmt.Sprintf("content-%d", i)
		lookup, err := r.Route(t.Context(), nil, &schema.Event{Op: schema.OpCreate, Relation: contentRelation(), New: row(id, "T")}, 1)
		if err != nil {
			t.Fatal(err)
		}
		stream, err := r.Route(t.Context(), nil, &schema.Event{Op: schema.OpCreate, Relation: eventsRelation(), New: row("1", id)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if lookup[1].Topic != "input" || stream[1].Topic != "input" || lookup[1].Partition != stream[1].Partition {
			t.Fatalf("%s: lookup in %s/%d, stream in %s/%d", id, lookup[1].Topic, lookup[1].Partition, stream[1].Topic, stream[1].Partition)
		}
	}
}

func TestRouteRefuses(t *testing.T) {
	full := schema.IdentityFull
	columns := func(names ...string) []schema.Column {
		var list []schema.Column
		for _, name := range names {
			list = append(list, schema.Column{Name: name})
		}
		return list
	}
	cases := []struct {
		name   string
		event  schema.Event
		reason string
	}{
		{"a table nobody asked for",
			schema.Event{Relation: &schema.Relation{Table: schema.TableName{Schema: "public", Name: "other"}}}, "source.tables does not list"},
		{"a table without its join column",
			schema.Event{Relation: &schema.Relation{Table: eventsTable, Identity: full, Columns: columns("id")}}, "column content_id that pipeline metrics joins on"},
		{"a joined table whose identity was changed",
			schema.Event{Relation: &schema.Relation{Table: eventsTable, Identity: schema.IdentityDefault, Columns: columns("id", "content_id")}}, "REPLICA IDENTITY DEFAULT, want REPLICA IDENTITY FULL"},
		{"an old row without the primary key",
			schema.Event{Op: schema.OpDelete, Relation: &schema.Relation{Table: plainTable, Identity: schema.IdentityIndex, Columns: columns("id", "code"), Key: []int{0}}, Old: row("null", "x")},
			"REPLICA IDENTITY USING INDEX, want one that holds the key"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.event.Op == 0 {
				c.event.Op, c.event.New = schema.OpCreate, row("1", "2")
			}
			_, err := testRouter().Route(t.Context(), nil, &c.event, 1)
			if err == nil || fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want a refusal with %q", err, c.reason)
			}
		})
	}
}
