package cdc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
	"penstock/schema/shape"
)

var docsTable = schema.TableName{Schema: "public", Name: "docs"}

// docsRelation is a table with values that can be large.
func docsRelation() *schema.Relation {
	base := func(oid uint32, name string) *schema.Type {
		return &schema.Type{OID: oid, Schema: "pg_catalog", Name: name, Kind: schema.TypeBase, Mod: -1}
	}
	return &schema.Relation{OID: 4, Table: docsTable, Identity: schema.IdentityDefault, Key: []int{0}, Columns: []schema.Column{
		{Name: "id", TypeOID: 20, TypeMod: -1, Type: base(20, "int8"), Identity: true, NotNull: true},
		{Name: "body", TypeOID: 25, TypeMod: -1, Type: base(25, "text")},
		{Name: "extra", TypeOID: 3802, TypeMod: -1, Type: base(3802, "jsonb")},
	}}
}

// docsRouter routes one table, which takes limit bytes in a record; 0 is any number.
func docsRouter(t Table, limit int32) *Router {
	t.Name, t.Topic = docsTable, "docs"
	cfg := &Config{Name: "engagement", Tables: []Table{t}, DeadLetterTopic: "dead"}
	known := layout{partitions: map[string]int32{"docs": 3, "dead": 2}, maxBytes: map[string]int32{"docs": limit}}
	return newRouter(cfg, "db", known, func(context.Context, string) (topicInfo, error) { return topicInfo{partitions: 1}, nil })
}

func routed(t *testing.T, r *Router, e schema.Event) []*kgo.Record {
	t.Helper()
	records, err := r.Route(t.Context(), nil, &e, 1)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func headersOf(r *kgo.Record) map[string]string {
	all := map[string]string{}
	for _, h := range r.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}

func created(values ...string) schema.Event {
	return schema.Event{Op: schema.OpCreate, Relation: docsRelation(), New: row(values...), Version: 10}
}

func deleted(id string) schema.Event {
	return schema.Event{Op: schema.OpDelete, Relation: docsRelation(), Old: row(id, "null", "null"), Version: 10}
}

func moving(from, to string) schema.Event {
	return schema.Event{Op: schema.OpUpdate, Relation: docsRelation(), Old: row(from, "null", "null"), New: row(to, "T", "{}"), Version: 10}
}

func truncated() schema.Event { return schema.Event{Op: schema.OpTruncate, Relation: docsRelation()} }

// outline renders key, what the value is, and the header of the operation.
func outline(r *kgo.Record) string {
	value := "tombstone"
	switch {
	case strings.Contains(string(r.Value), `"before":`):
		value = "envelope " + string(r.Value[strings.Index(string(r.Value), `"op":"`)+6])
	case r.Value != nil:
		value = string(r.Value)
	}
	if op := headersOf(r)[record.HeaderOp]; op != "" {
		value += " op=" + op
	}
	return fmt.Sprintf("%s %s", r.Key, value)
}

func TestTableSettings(t *testing.T) {
	json := format.Format{Kind: format.JSON}
	skip := []schema.Op{schema.OpCreate, schema.OpTruncate}
	for _, c := range []struct {
		name  string
		table Table
		event schema.Event
		want  []string
	}{
		{"a skipped operation", Table{Skip: skip}, created("1", "T", "{}"), nil},
		{"a skipped truncate", Table{Skip: skip}, truncated(), nil},
		{"an operation that is not skipped", Table{Skip: skip}, deleted("1"), []string{`{"id":1} envelope d`, `{"id":1} tombstone`}},
		{"a moved row where creates are skipped", Table{Skip: skip}, moving("1", "2"), []string{`{"id":1} envelope d`, `{"id":1} tombstone`, `{"id":2} envelope c`}},
		{"a delete without tombstones", Table{NoTombstones: true}, deleted("1"), []string{`{"id":1} envelope d`}},
		{"a moved row without tombstones", Table{NoTombstones: true}, moving("1", "2"), []string{`{"id":1} envelope d`, `{"id":2} envelope c`}},
		{"a row alone", Table{Format: json}, created("1", "T", "{}"), []string{`{"id":1} {"id":1,"body":"T","extra":{}} op=c`}},
		{"a deleted row alone", Table{Format: json}, deleted("1"), []string{`{"id":1} tombstone op=d`}},
		{"a deleted row alone, whose only record is the tombstone", Table{Format: json, NoTombstones: true}, deleted("1"), []string{`{"id":1} tombstone op=d`}},
		{"a moved row alone", Table{Format: json}, moving("1", "2"), []string{`{"id":1} tombstone op=d`, `{"id":2} {"id":2,"body":"T","extra":{}} op=c`}},
		{"a truncate of rows alone", Table{Format: json}, truncated(), []string{" tombstone op=t", " tombstone op=t", " tombstone op=t"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, r := range routed(t, docsRouter(c.table, 0), c.event) {
				got = append(got, outline(r))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSkippedChangesStillReachThePipeline: the stores need every one.
func TestSkippedChangesStillReachThePipeline(t *testing.T) {
	r := testRouter()
	r.tables[eventsTable].table.Skip = []schema.Op{schema.OpCreate}
	records := routed(t, r, schema.Event{Op: schema.OpCreate, Relation: eventsRelation(), New: row("1", "c1"), Version: 10})
	if len(records) != 1 || records[0].Topic != "input" {
		t.Errorf("got %d records, the first in %s, want one in the pipeline's topic", len(records), records[0].Topic)
	}
}

// TestRules: what is excluded or masked is in no value, but a key keeps its column.
func TestRules(t *testing.T) {
	for _, k := range []format.Kind{format.Debezium, format.Text, format.JSON} {
		t.Run(k.String(), func(t *testing.T) {
			table := Table{Format: format.Format{Kind: k}, Rules: shape.Rules{
				Exclude: []string{"id", "extra"}, Mask: map[string]shape.Mask{"body": {Salt: []byte("pepper")}},
			}}
			records := routed(t, docsRouter(table, 0), created("17", "secret", `{"secret": 1}`))
			if got := string(records[0].Key); got != `{"id":17}` {
				t.Errorf("got key %s", got)
			}
			value := string(records[0].Value)
			for _, hidden := range []string{"secret", `"extra"`, `"id":17`, `"id":"17"`} {
				if strings.Contains(value, hidden) {
					t.Errorf("%s is in %s", hidden, value)
				}
			}
			_, masked, found := strings.Cut(value, `"body":"`)
			if masked, _, _ = strings.Cut(masked, `"`); !found || len(masked) != 64 || strings.Trim(masked, "0123456789abcdef") != "" {
				t.Errorf("got %q in place of the body", masked)
			}
		})
	}
}

// TestRulesSpareThePipeline: its input has every column as it is.
func TestRulesSpareThePipeline(t *testing.T) {
	r := testRouter()
	r.tables[contentTable].table.Rules = shape.Rules{Exclude: []string{"title"}}
	records := routed(t, r, schema.Event{Op: schema.OpCreate, Relation: contentRelation(), New: row("c1", "T"), Version: 10})
	want := []string{`content[{"id":"c1"}] c  -> {"id":"c1"} v10`, `input[c1] c  -> {"id":"c1","title":"T"} v10`}
	if diff := cmp.Diff(want, []string{line(t, records[0]), line(t, records[1])}); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestKeyOfTheRules replaces the table's own, also for what is a move.
func TestKeyOfTheRules(t *testing.T) {
	r := docsRouter(Table{Rules: shape.Rules{Key: []string{"body", "id"}}}, 0)
	full := docsRelation()
	full.Identity = schema.IdentityFull
	for i := range full.Columns {
		full.Columns[i].Identity = true
	}
	records := routed(t, r, schema.Event{Op: schema.OpUpdate, Relation: full, Old: row("1", "A", "{}"), New: row("1", "B", "{}"), Version: 10})
	var got []string
	for _, r := range records {
		got = append(got, outline(r))
	}
	want := []string{`{"body":"A","id":1} envelope d`, `{"body":"A","id":1} tombstone`, `{"body":"B","id":1} envelope c`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestRulesThatDoNotFit(t *testing.T) {
	r := docsRouter(Table{Rules: shape.Rules{Mask: map[string]shape.Mask{"gone": {Salt: []byte("s")}}}}, 0)
	e := created("1", "T", "{}")
	_, err := r.Route(t.Context(), nil, &e, 1)
	if fault.KindOf(err) != fault.Refused || !strings.Contains(err.Error(), "public.docs.mask.gone") ||
		!strings.Contains(err.Error(), `no column "gone": its columns are id, body, extra`) {
		t.Errorf("got %v, want a refusal with the rule and the columns that there are", err)
	}
}

func TestUnchangedHeader(t *testing.T) {
	e := schema.Event{Op: schema.OpUpdate, Relation: docsRelation(), New: row("1", "T", "{}"), Version: 10}
	e.New[1].Kind, e.New[2].Kind = schema.Unchanged, schema.Unchanged
	for _, c := range []struct {
		name  string
		table Table
		want  string
	}{
		{"two columns", Table{}, `["body","extra"]`},
		{"of the row alone", Table{Format: format.Format{Kind: format.JSON}}, `["body","extra"]`},
		{"without what is excluded", Table{Rules: shape.Rules{Exclude: []string{"body"}}}, `["extra"]`},
		{"nothing that is told", Table{Rules: shape.Rules{Exclude: []string{"body", "extra"}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := routed(t, docsRouter(c.table, 0), e)
			if got := headersOf(records[0])[record.HeaderUnchanged]; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestRelationsAreRemembered when they are delivered in another shape, and a frozen
// table passes in the commit that the operator has named.
func TestRelationsAreRemembered(t *testing.T) {
	r := docsRouter(Table{Frozen: true}, 0)
	r.cfg.PositionTopic, r.accepted = "position", 0x300
	remembered := func() []string {
		t.Helper()
		records, err := r.remember(nil)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, record := range records {
			lines = append(lines, fmt.Sprintf("%s %s %s", record.Topic, record.Key, record.Value))
		}
		return lines
	}
	const key = `position {"capture":"engagement","schema":"public","table":"docs"} `
	const id, body = `{"name":"id","type":"int8","oid":20,"mod":-1}`, `{"name":"body","type":"text","oid":25,"mod":-1}`
	const extra = `{"name":"extra","type":"jsonb","oid":3802,"mod":-1}`
	e := created("1", "T", "{}")
	e.Source.CommitLSN = 0x200
	routed(t, r, e)
	routed(t, r, created("2", "T", "{}"))
	want := []string{key + `{"lsn":"0/200","columns":[` + id + "," + body + "," + extra + `],"key":["id"],"relid":4}`}
	if diff := cmp.Diff(want, remembered()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	narrow := created("3", "T")
	narrow.Relation.Columns, narrow.Source.CommitLSN = narrow.Relation.Columns[:2], 0x300
	routed(t, r, narrow)
	want = []string{key + `{"lsn":"0/300","columns":[` + id + "," + body + `],"key":["id"],"gone":["extra"],"relid":4}`}
	if diff := cmp.Diff(want, remembered()); diff != "" {
		t.Errorf("with a column less (-want +got):\n%s", diff)
	}
	routed(t, r, narrow)
	if again := remembered(); again != nil {
		t.Errorf("again: %q", again)
	}
}

// TestFrozen: another version of the relation passes only with the same columns.
func TestFrozen(t *testing.T) {
	const docsColumns = "id int8, body text, extra jsonb"
	for _, c := range []struct {
		name   string
		change func(*schema.Relation)
		before string // empty: it passes
		now    string
	}{
		{"the same columns", func(*schema.Relation) {}, "", ""},
		{"another identity", func(rel *schema.Relation) { rel.Identity = schema.IdentityFull }, "", ""},
		{"another column", func(rel *schema.Relation) {
			rel.Columns = append(rel.Columns, schema.Column{Name: "more", TypeOID: 23, TypeMod: -1})
		},
			docsColumns, "id int8, body text, extra jsonb, more of type 23"},
		{"a column less", func(rel *schema.Relation) { rel.Columns = rel.Columns[:2] }, docsColumns, "id int8, body text"},
		{"another name", func(rel *schema.Relation) { rel.Columns[1].Name = "title" }, docsColumns, "id int8, title text, extra jsonb"},
		{"another type", func(rel *schema.Relation) { rel.Columns[1].TypeOID, rel.Columns[1].Type = 17, nil }, docsColumns, "id int8, body of type 17, extra jsonb"},
		{"another length", func(rel *schema.Relation) { rel.Columns[1].TypeMod = 14 }, docsColumns, "id int8, body text with modifier 14, extra jsonb"},
		{"another key", func(rel *schema.Relation) { rel.Key = []int{0, 1} }, docsColumns + "); its key is (id, body) now, it was (id", docsColumns},
		{"a type created anew under its name", func(rel *schema.Relation) { rel.Columns[1].TypeOID = 77777 }, "", ""},
	} {
		for _, frozen := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, frozen %t", c.name, frozen), func(t *testing.T) {
				r := docsRouter(Table{Frozen: frozen}, 0)
				routed(t, r, created("1", "T", "{}"))
				e := created("1", "T", "{}", "5")
				c.change(e.Relation)
				e.New = e.New[:len(e.Relation.Columns)]
				e.Source = schema.Source{CommitLSN: 0x300, Seq: 2}
				_, err := r.Route(t.Context(), nil, &e, 1)
				if !frozen || c.before == "" {
					if err != nil {
						t.Errorf("got %v", err)
					}
					return
				}
				if fault.KindOf(err) != fault.Refused || fault.StateOf(err) != fault.ShapeChanged {
					t.Fatalf("got %v, want a refusal", err)
				}
				for _, part := range []string{"--accept shape_changed@0/300", "public.docs, commit 0/300, change 2", "has columns (" + c.now + ") now", "it had (" + c.before + ")"} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("no %q in: %v", part, err)
					}
				}
			})
		}
	}
}
