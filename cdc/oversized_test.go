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
			r := records[0]
			var got struct {
				Reason, Topic, Table, Op, LSN string
				Partition                     int32
				Seq, XID                      uint64
				Bytes                         map[string]int
			}
			if err := json.Unmarshal(r.Value, &got); err != nil {
				t.Fatalf("%v\n%s", err, r.Value)
			}
			source := c.event.Source
			if got.Topic != "docs" || got.Table != "public.docs" || got.Op != c.op || got.LSN != source.CommitLSN.String() || got.Seq != source.Seq ||
				got.XID != uint64(source.XID) || got.Partition != newTopicRef("docs", 3).partition([]byte(`{"id":1}`)) {
				t.Errorf("got %s", r.Value)
			}
			if diff := cmp.Diff(map[string]int{"id": 1, "body": 9000, "extra": 100}, got.Bytes); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.Reason, "topic docs takes 8000") || size(r) > docsLimit {
				t.Errorf("reason %q, %d bytes", got.Reason, size(r))
			}
			if r.Partition != newTopicRef("dead", 2).partition(r.Key) || headersOf(r)[record.HeaderVersion] != "10" {
				t.Errorf("key %s, partition %d, headers %v", r.Key, r.Partition, headersOf(r))
			}
			want := deadletter.Letter{
				Capture: "engagement", Topic: "docs", Partition: got.Partition, Offset: -1, Timestamp: -1, LSN: source.CommitLSN, Seq: source.Seq, Version: 10,
				Reason: deadletter.Oversized, Error: got.Reason,
			}
			if diff := cmp.Diff(want, letterIn(t, r)); diff != "" {
				t.Errorf("letter (-want +got):\n%s", diff)
			}
		})
	}
}

func topicsOf(records []*kgo.Record) (topics []string) {
	for _, r := range records {
		topics = append(topics, r.Topic)
	}
	return topics
}

// letterIn reads a dead letter, of which it checks the record and the time.
func letterIn(t *testing.T, r *kgo.Record) deadletter.Letter {
	t.Helper()
	m := deadletter.Message{Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, deadletter.Header(h))
	}
	l, _, err := deadletter.Parse(m)
	if err != nil {
		t.Fatal(err)
	}
	if string(l.Record.Key) != `{"id":1}` || l.Record.LeftOut < 9000 || len(l.Record.Headers) != 4 || l.Time.IsZero() {
		t.Errorf("got record %+v at %s", l.Record, l.Time)
	}
	l.Record, l.Time = deadletter.Record{}, time.Time{}
	return *l
}

func TestOversizedStops(t *testing.T) {
	e := wide(9000, 100)
	e.Source = schema.Source{CommitLSN: 0x300, Seq: 2, XID: 9}
	records, err := docsRouter(Table{}, docsLimit).Route(t.Context(), nil, &e, 1)
	if err == nil || len(records) != 0 {
		t.Fatalf("got %d records, %v", len(records), err)
	}
	if fault.KindOf(err) != fault.Runtime {
		t.Errorf("got kind %d", fault.KindOf(err))
	}
	want := "public.docs, commit 0/300, change 2: its record has 9" // and three digits
	if got := err.Error(); !strings.HasPrefix(got, want) || !strings.Contains(got, " bytes, topic docs takes 8000 (fix: raise max.message.bytes of the topic") {
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
