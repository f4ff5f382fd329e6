package cdc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/schema/record"
)

const docsLimit = 8000 // bytes in one record

// wide is a row with values of so many bytes.
func wide(body, extra int) schema.Event {
	return created("1", strings.Repeat("é", body/2), `["`+strings.Repeat("x", extra-4)+`"]`)
}

// held reads the row of an envelope, or the row alone.
func held(t *testing.T, r *kgo.Record) map[string]any {
	t.Helper()
	var row map[string]any
	if err := json.Unmarshal(r.Value, &row); err != nil {
		t.Fatalf("%v\n%s", err, r.Value)
	}
	if after, ok := row["after"].(map[string]any); ok {
		return after
	}
	return row
}

func lengths(t *testing.T, r *kgo.Record) map[string]int {
	t.Helper()
	var of map[string]int
	if text := headersOf(r)[record.HeaderTruncated]; text != "" {
		if err := json.Unmarshal([]byte(text), &of); err != nil {
			t.Fatal(err)
		}
	}
	return of
}

func TestOversizedIsTruncated(t *testing.T) {
	const placeholder = "__debezium_unavailable_value"
	cut := strings.Repeat("é", keptText/2)
	for _, c := range []struct {
		name        string
		body, extra int
		want        map[string]int
		bodyIs      string // empty: as it was
		extraIs     string // the same
	}{
		{"nothing, where it fits", 1000, 1000, nil, "", ""},
		{"a text", 9000, 100, map[string]int{"body": 9000}, cut, ""},
		{"a document", 100, 9000, map[string]int{"extra": 9000}, "", placeholder},
		{"only the longest, where that is enough", 5000, 6000, map[string]int{"extra": 6000}, "", placeholder},
		{"both", 90000, 9000, map[string]int{"body": 90000, "extra": 9000}, cut, placeholder},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := wide(c.body, c.extra)
			was := []string{string(e.New[1].Data), string(e.New[2].Data)}
			records := routed(t, docsRouter(Table{Oversized: OversizedTruncate}, docsLimit), e)
			if len(records) != 1 || records[0].Topic != "docs" || size(records[0]) > docsLimit {
				t.Fatalf("got %d records, the first in %s with %d bytes", len(records), records[0].Topic, size(records[0]))
			}
			if diff := cmp.Diff(c.want, lengths(t, records[0])); diff != "" {
				t.Errorf("lengths (-want +got):\n%s", diff)
			}
			row := held(t, records[0])
			for i, want := range []string{c.bodyIs, c.extraIs} {
				name := docsRelation().Columns[i+1].Name
				if want == "" {
					want = was[i]
				}
				if row[name] != want {
					t.Errorf("%s is %.40q, %d long, want %.40q", name, row[name], len(row[name].(string)), want)
				}
			}
			if string(e.New[1].Data) != was[0] || string(e.New[2].Data) != was[1] {
				t.Error("the event was cut too: the pipelines need it whole")
			}
		})
	}
}

// TestTextIsCutAtARune that the limit would part.
func TestTextIsCutAtARune(t *testing.T) {
	e := created("1", "a"+strings.Repeat("é", 6000), "{}")
	records := routed(t, docsRouter(Table{Oversized: OversizedTruncate}, docsLimit), e)
	body, _ := held(t, records[0])["body"].(string)
	if len(body) != keptText-1 || !utf8.ValidString(body) || strings.ContainsRune(body, utf8.RuneError) {
		t.Errorf("got %d bytes, want %d and whole runes", len(body), keptText-1)
	}
}

// TestDomainsAreCut like what they are over, however deep.
func TestDomainsAreCut(t *testing.T) {
	e := created("1", strings.Repeat("a", 9000), "{}")
	body := &e.Relation.Columns[1]
	for oid := range uint32(2) {
		body.TypeOID = 70000 + oid
		body.Type = &schema.Type{OID: body.TypeOID, Schema: "public", Name: "note", Kind: schema.TypeDomain, Elem: body.Type, Mod: -1}
	}
	records := routed(t, docsRouter(Table{Oversized: OversizedTruncate}, docsLimit), e)
	if got, _ := held(t, records[0])["body"].(string); got != strings.Repeat("a", keptText) {
		t.Errorf("got %.40q, %d long, want the first %d characters", got, len(got), keptText)
	}
}

// TestTruncatedRowAlone leaves out what it cannot cut, and its header says so.
func TestTruncatedRowAlone(t *testing.T) {
	table := Table{Oversized: OversizedTruncate, Format: format.Format{Kind: format.JSON}}
	records := routed(t, docsRouter(table, docsLimit), wide(100, 9000))
	if _, there := held(t, records[0])["extra"]; there {
		t.Error("the document is still there")
	}
	if diff := cmp.Diff(map[string]int{"extra": 9000}, lengths(t, records[0])); diff != "" {
		t.Errorf("lengths (-want +got):\n%s", diff)
	}
}

// TestTruncatedUpdate cuts the old and the new row, but no value that is short.
func TestTruncatedUpdate(t *testing.T) {
	full := docsRelation()
	full.Identity = schema.IdentityFull
	for i := range full.Columns {
		full.Columns[i].Identity = true
	}
	long := `["` + strings.Repeat("x", 5996) + `"]`
	for _, c := range []struct{ name, before, after, wantBefore, wantAfter string }{
		{"both long", long, long, `"__debezium_unavailable_value"`, `"__debezium_unavailable_value"`},
		{"a short one before", `{"a": 1}`, long + "  ", `"{\"a\": 1}"`, `"__debezium_unavailable_value"`},
		{"null before", "null", long, "null", `"__debezium_unavailable_value"`},
		{"null after", long, "null", `"__debezium_unavailable_value"`, "null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := schema.Event{Op: schema.OpUpdate, Relation: full, Old: row("1", "T", c.before), New: row("1", "T", c.after), Version: 10}
			records := routed(t, docsRouter(Table{Oversized: OversizedTruncate}, 5000), e)
			var got struct {
				Before, After struct{ Extra json.RawMessage }
			}
			if err := json.Unmarshal(records[0].Value, &got); err != nil {
				t.Fatal(err)
			}
			if string(got.Before.Extra) != c.wantBefore || string(got.After.Extra) != c.wantAfter {
				t.Errorf("before %s, after %s, want %s, %s", got.Before.Extra, got.After.Extra, c.wantBefore, c.wantAfter)
			}
			if got, want := lengths(t, records[0])["extra"], max(len(c.before), len(c.after)); got != want {
				t.Errorf("got length %d, want %d", got, want)
			}
		})
	}
}

// TestManyColumnsAreTruncatedInFewRounds: 1,600 of them, most of which must go.
func TestManyColumnsAreTruncatedInFewRounds(t *testing.T) {
	rel, limit := docsRelation(), 2<<20
	e := created("1", "T", "{}")
	for i := len(rel.Columns); i < 1600; i++ {
		rel.Columns = append(rel.Columns, schema.Column{Name: fmt.Sprint("c", i), TypeOID: 25, TypeMod: -1})
		e.New = append(e.New, schema.Value{Kind: schema.Text, Data: bytes.Repeat([]byte("x"), 3000)})
	}
	e.Relation = rel
	begun := time.Now()
	records := routed(t, docsRouter(Table{Oversized: OversizedTruncate}, int32(limit)), e)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %s: is the value made again for each column?", took)
	}
	if got := size(records[0]); got > limit || got < limit-3000 {
		t.Errorf("got %d bytes, want no fewer than that %d are taken", got, limit)
	}
}

// TestKeysAreNotTruncated: another key would be another row.
func TestKeysAreNotTruncated(t *testing.T) {
	rel := docsRelation()
	rel.Key = []int{0, 1}
	e := schema.Event{Op: schema.OpCreate, Relation: rel, New: row("1", strings.Repeat("k", 9000), "{}"), Version: 10}
	_, err := docsRouter(Table{Oversized: OversizedTruncate}, docsLimit).Route(t.Context(), nil, &e, 1)
	if err == nil || !strings.Contains(err.Error(), "topic docs takes 8000") {
		t.Errorf("got %v, want an error: nothing may be cut", err)
	}
}

func TestOversizedIsADeadLetter(t *testing.T) {
	table := Table{Oversized: OversizedDeadLetter}
	large := wide(9000, 100)
	large.Source = schema.Source{CommitLSN: 0x300, Seq: 2, XID: 9}
	old := deleted("1")
	old.Relation = docsRelation()
	old.Relation.Identity = schema.IdentityFull
	old.Old = wide(9000, 100).New
	for _, c := range []struct {
		name  string
		event schema.Event
		op    string
		want  []string // topics
	}{
		{"a create", large, "c", []string{"dead"}},
		{"a delete, whose tombstone fits", old, "d", []string{"dead", "docs"}},
		{"nothing, where it fits", wide(100, 100), "", []string{"docs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := routed(t, docsRouter(table, docsLimit), c.event)
			if diff := cmp.Diff(c.want, topicsOf(records)); diff != "" {
				t.Fatalf("topics (-want +got):\n%s", diff)
			}
			if c.op == "" {
				return
			}
			l := letterOf(t, records[0])
			if got := parseOp(t, l.Record.Value); got != c.op || l.Record.LeftOut != 0 || size(records[0]) <= docsLimit {
				t.Errorf("got operation %s, %d bytes left out of it", got, l.Record.LeftOut)
			}
			if string(l.Record.Key) != `{"id":1}` || !strings.Contains(l.Error, "topic docs takes 8000") || len(l.Record.Headers) != 4 {
				t.Errorf("got %+v", l)
			}
			want := deadletter.Letter{
				Capture: "engagement", Topic: "docs", Partition: newTopicRef("docs", 3).partition([]byte(`{"id":1}`)), Offset: -1, Timestamp: -1,
				LSN: c.event.Source.CommitLSN, Seq: c.event.Source.Seq, Version: 10, Reason: deadletter.Oversized,
			}
			l.Record, l.Error, l.Time = deadletter.Record{}, "", time.Time{}
			if diff := cmp.Diff(want, *l); diff != "" {
				t.Errorf("letter (-want +got):\n%s", diff)
			}
		})
	}
}

func parseOp(t *testing.T, value []byte) string {
	t.Helper()
	var v struct{ Op string }
	if err := json.Unmarshal(value, &v); err != nil {
		t.Fatalf("%v in %.100s", err, value)
	}
	return v.Op
}

// TestDeadLetterThatDoesNotFitWhole says how long the values were, and the short ones;
// one that does not fit at all is an error.
func TestDeadLetterThatDoesNotFitWhole(t *testing.T) {
	r := docsRouter(Table{Oversized: OversizedDeadLetter}, docsLimit)
	r.tables[docsTable].letters.topic.maxBytes = 4000
	records := routed(t, r, wide(9000, 100))
	l := letterOf(t, records[0])
	want := `{"table":"public.docs","op":"c","bytes":{"id":1,"body":9000,"extra":100},"text":{"id":"1","extra":"[\"` + strings.Repeat("x", 96) + `\"]"}}`
	if string(l.Record.Value) != want || l.Record.LeftOut < 9000 || size(records[0]) > 4000 {
		t.Errorf("got %s, %d bytes left out, in %d", l.Record.Value, l.Record.LeftOut, size(records[0]))
	}
	r.tables[docsTable].letters.topic.maxBytes = 1000
	e := wide(9000, 100)
	if records, err := r.Route(t.Context(), nil, &e, 1); err == nil || len(records) > 0 || !strings.Contains(err.Error(), "topic dead takes 1000") {
		t.Errorf("got %d records, %v", len(records), err)
	}
}

// TestBothHalvesOfAMoveAreDeadLetters of their own.
func TestBothHalvesOfAMoveAreDeadLetters(t *testing.T) {
	full := docsRelation()
	full.Identity = schema.IdentityFull
	for i := range full.Columns {
		full.Columns[i].Identity = true
	}
	e := schema.Event{Op: schema.OpUpdate, Relation: full, Old: wide(9000, 100).New, New: wide(9000, 100).New, Version: 10}
	e.New[0].Data = []byte("2")
	records := routed(t, docsRouter(Table{Oversized: OversizedDeadLetter, NoTombstones: true}, docsLimit), e)
	if len(records) != 2 {
		t.Fatalf("got %v, want two", topicsOf(records))
	}
	if a, b := letterOf(t, records[0]), letterOf(t, records[1]); a.Version != 9 || b.Version != 10 || a.ID() == b.ID() {
		t.Errorf("got %d and %d, %s and %s", a.Version, b.Version, a.ID(), b.ID())
	}
}

func topicsOf(records []*kgo.Record) (topics []string) {
	for _, r := range records {
		topics = append(topics, r.Topic)
	}
	return topics
}

func TestOversizedStops(t *testing.T) {
	e := wide(9000, 100)
	e.Source = schema.Source{CommitLSN: 0x300, Seq: 2, XID: 9}
	records, err := docsRouter(Table{}, docsLimit).Route(t.Context(), nil, &e, 1)
	if err == nil || len(records) != 0 {
		t.Fatalf("got %d records, %v", len(records), err)
	}
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("got kind %d", fault.KindOf(err))
	}
	want := "public.docs, commit 0/300, change 2: its record would have 9" // and three digits
	if got := err.Error(); !strings.HasPrefix(got, want) || !strings.Contains(got, " bytes or more, topic docs takes 8000 (fix: raise max.message.bytes of the topic") {
		t.Errorf("got %s, want %s... with sizes, topic and fix", got, want)
	}
}

// TestSizeIsAnUpperBound: what is let pass is taken, whatever the batch adds.
func TestSizeIsAnUpperBound(t *testing.T) {
	routed(t, docsRouter(Table{}, docsLimit), wide(docsLimit-1200, 100))
	e := wide(docsLimit-200, 100)
	if _, err := docsRouter(Table{}, docsLimit).Route(t.Context(), nil, &e, 1); err == nil {
		t.Error("a record with as many bytes as the topic takes passes, but a batch has more")
	}
}
