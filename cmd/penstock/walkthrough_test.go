package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/slot"
	"penstock/internal/stack"
	"penstock/schema"
	"penstock/schema/record"
	"penstock/sink/engagement"
	"penstock/testdata"
)

// exampleStory is a walk-through in which event 2 stopped at Kafka.
func exampleStory() *story {
	ms, seconds, pct := int64(30000), 30.0, 30.0/1800
	about := func(v string) stack.About { return stack.About{Version: v, Origin: stack.FromNative} }
	return &story{
		Names: namesFor(1),
		Servers: stack.Servers{
			Postgres:  stack.Postgres{DSN: "postgres://postgres:hunter2@127.0.0.1:5432/postgres?sslmode=disable", About: about("18.6")},
			Kafka:     stack.Kafka{Brokers: []string{"127.0.0.1:9092"}, About: about("4.4.0")},
			Cassandra: stack.Cassandra{Hosts: []string{"127.0.0.1:9042"}, Username: "cassandra", Password: "cassandra", About: about("5.0.9")},
			Redis:     stack.Redis{Address: "127.0.0.1:6379", About: about("6.2.11")},
		},
		Events: []trace{
			{
				ID: 1, Postgres: postgresStage{Type: "play", DurationMS: &ms, Device: "ios"},
				Kafka:     &kafkaStage{Topic: "engagement_events", Partition: 2, Offset: 7, LSN: 0x1_0000_00FF},
				Cassandra: &cassandraStage{Seconds: &seconds, Pct: &pct},
				Redis:     map[string]string{"engagement_seconds_str": "30.0"}, CommitToRedis: 12_345_678 * time.Nanosecond,
			},
			{ID: 2, Postgres: postgresStage{Type: "pause", Device: "ios"}, Kafka: &kafkaStage{Topic: "engagement_events", LSN: 0xFF}},
		},
		Differences: []string{"event 2: redis does not have it"},
	}
}

func TestStoryIsDrawn(t *testing.T) {
	s := exampleStory()
	good := exampleStory()
	good.Events, good.Differences, good.OK = good.Events[:1], nil, true
	var got strings.Builder
	for _, part := range []struct{ title, text string }{
		{"servers", renderServers(s.Servers, s.Names, palette{})},
		{"all is well", good.render(0, palette{})},
		{"an event is missing", s.render(200, palette{})},
		{"a narrow terminal", s.render(80, palette{})},
		{"in colour", strings.ReplaceAll(s.render(0, palette{on: true}), "\x1b", "ESC")},
		{"addresses", s.renderAddresses(palette{})},
	} {
		got.WriteString("=== " + part.title + "\n" + part.text)
	}
	if strings.Contains(got.String(), "hunter2") {
		t.Error("the password of the servers' own user is shown")
	}
	golden(t, "story.txt", got.String())
}

func TestSlotsAreListed(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	safe := int64(10_630_044_057)
	list := []slot.Status{
		{Name: "engagement", Plugin: slot.Plugin, Database: "streaming_db", Active: true, PID: 41877, WALStatus: slot.WALReserved, RetainedBytes: 100_663_296, BehindBytes: 1_258_291, SafeBytes: &safe},
		{Name: "idle", Plugin: slot.Plugin, Database: "x", WALStatus: slot.WALExtended, RetainedBytes: 44_023_414_784, InactiveSince: now.Add(-74 * time.Hour)},
		{Name: "lost", Plugin: slot.Plugin, WALStatus: slot.WALLost, InvalidationReason: "wal_removed"},
		{Name: "standby", WALStatus: slot.WALUnreserved, RetainedBytes: 999},
	}
	golden(t, "slots.txt", slotTable(list, now)+slotTable(nil, now))
}

func TestColouredCellsKeepColumnsAligned(t *testing.T) {
	tab := table{header: []string{"A", "B"}}
	tab.add(palette{on: true}.tick()+" é", "x")
	tab.add("longer", "y")
	lines := strings.Split(strings.TrimSpace(tab.draw(0, palette{on: true})), "\n")
	for _, line := range lines {
		if visible(line) != visible(lines[0]) {
			t.Errorf("%q is %d wide, %q is %d", line, visible(line), lines[0], visible(lines[0]))
		}
	}
}

func TestComparisonNamesEveryField(t *testing.T) {
	want := engagement.Row{Event: engagement.Event{ID: 7, Time: 1_000_001, Type: engagement.Some("play"), DurationMS: engagement.Some(int64(5))}, Pct: engagement.Some(0.1)}
	if got := compare("store", want, want, true); got != nil {
		t.Errorf("equal rows: %v", got)
	}
	got := want
	got.ContentID, got.Time, got.Pct, got.Type = engagement.Some(engagement.UUID{1}), 1_000_002, engagement.Null[float64]{}, engagement.Some("NULL")
	differences := []string{
		"event 7: store has content_id 01000000-0000-0000-0000-000000000000, Postgres NULL",
		`event 7: store has event_type "NULL", Postgres "play"`,
		"event 7: store has event_ts 1970-01-01T00:00:01.000002Z, Postgres 1970-01-01T00:00:01.000001Z",
		"event 7: store has engagement_pct NULL, Postgres 0.1",
	}
	if diff := cmp.Diff(differences, compare("store", want, got, true)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"event 7: store does not have it"}, compare("store", want, engagement.Row{}, false)); diff != "" {
		t.Error(diff)
	}
	history := map[int64]engagement.Row{7: want, 8: {}}
	stray := []string{"event 8: cassandra history of content 00000000-0000-0000-0000-000000000000 has it, Postgres has not"}
	if diff := cmp.Diff(stray, compareHistory(engagement.UUID{}, []engagement.Row{want}, history)); diff != "" {
		t.Error(diff)
	}
}

func TestTopicHoldsEachRowOnce(t *testing.T) {
	images := map[string]json.RawMessage{
		"1": json.RawMessage(`{"id":1,"at":"2026-01-02T04:04:05.5+01:00","doc":{"b":1,"a":2},"n":null}`),
		"2": json.RawMessage(`{"id":2,"at":null,"doc":null,"n":12345678901234567890}`),
	}
	created := func(offset int64, image string) topicRecord {
		return topicRecord{Offset: offset, Change: record.Change{Op: schema.OpCreate, After: json.RawMessage(image)}}
	}
	one := created(0, `{"id":1,"at":"2026-01-02T03:04:05.500000Z","doc":"{\"a\": 2, \"b\": 1}","n":null}`)
	two := created(1, `{"id":2,"at":null,"doc":null,"n":12345678901234567890}`)
	if got := compareTopic("t", images, []topicRecord{one, two}); got != nil {
		t.Errorf("equal: %v", got)
	}
	records := []topicRecord{
		one, one, created(2, `{"id":3}`), {Offset: 3, Tombstone: true},
		created(4, `{"id":2,"at":null,"doc":null,"n":12345678901234567891}`),
	}
	want := []string{
		"topic t partition 0 offset 2: row 3 is not in Postgres",
		"topic t partition 0 offset 3: is not the creation of a row",
		"topic t partition 0 offset 4: row 2: column n is 12345678901234567891, in Postgres 12345678901234567890",
		"topic t: row 1 is there 2 times, not once",
	}
	if diff := cmp.Diff(want, compareTopic("t", images, records)); diff != "" {
		t.Error(diff)
	}
}

func TestDemoConfigurationIsValid(t *testing.T) {
	for n := range 3 {
		cfg, err := namesFor(n + 1).config(exampleStory().Servers)
		if err != nil {
			t.Fatal(err)
		}
		names := namesFor(n + 1)
		p := cfg.Pipelines[names.Pipeline]
		if p.Topic != names.input() || p.Group != names.group() {
			t.Errorf("pipeline %s reads %s as %s", names.Pipeline, p.Topic, p.Group)
		}
		c, err := captureConfig(cfg, operatorWord{})
		if err != nil {
			t.Fatal(err)
		}
		topics := []string{c.Tables[1].Topic, c.Tables[0].Topic, c.PositionTopic}
		if diff := cmp.Diff([]string{names.Events, names.Content, names.Position}, topics); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDatabaseOfADSN(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://a:b@h:1/x?sslmode=disable": "postgres://u:p%40@h:1/db?sslmode=disable",
		"postgres://h/?dbname=x&user=y&a=b":    "postgres://u:p%40@h/db?a=b",
		"host=h dbname=x":                      "host=h dbname=x dbname=db user=u password=p@",
	} {
		if got, err := dsnFor(dsn, "db", "u", "p@"); err != nil || got != want {
			t.Errorf("%s: got %s, %v", dsn, got, err)
		}
	}
}

func TestSeedIsTwoStatements(t *testing.T) {
	list := testdata.Statements(testdata.Seed)
	if len(list) != 2 || !strings.Contains(list[0], "INTO content") || !strings.Contains(list[1], "INTO engagement_events") {
		t.Errorf("got %q", list)
	}
	if !strings.Contains(list[0], "Daily News – Episode 1") {
		t.Error("the title has lost its en dash")
	}
}
