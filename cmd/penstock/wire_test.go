package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/shape"
)

// The configuration may not know the capture, so the list stands twice.
func TestEveryFormatCanBeConfigured(t *testing.T) {
	if diff := cmp.Diff(format.Names(), config.RecordFormats()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(format.EventModes(), []string{config.EventsNone, config.EventsBinary, config.EventsStructured}); diff != "" {
		t.Error(diff)
	}
}

func TestRecordsAreWired(t *testing.T) {
	const unavailable = "__debezium_unavailable_value"
	usual := debezium.Options{Unavailable: unavailable}
	cases := []struct {
		name, records string
		want          cdc.Table // of table content, without its name and topic
	}{
		{"nothing said", "{}", cdc.Table{Format: format.Format{Options: usual}}},
		{"the section", "{format: text, provide.transaction.metadata: true, skipped.operations: 'd,c', oversized: dead-letter}", cdc.Table{
			Format: format.Format{Kind: format.Text, Options: usual}, Transactions: true,
			Skip: []schema.Op{schema.OpCreate, schema.OpDelete}, Oversized: cdc.OversizedDeadLetter,
		}},
		{"events", "{cloudevents: structured, tables: {content: {cloudevents: binary}}}", cdc.Table{
			Format: format.Format{Options: usual, Events: format.BinaryEvents},
		}},
		{"every mode", "{schemas: true, decimal.handling.mode: string, time.precision.mode: isostring, interval.handling.mode: string, " +
			"binary.handling.mode: hex, hstore.handling.mode: map, unavailable.value.placeholder: gone}", cdc.Table{
			Format: format.Format{Schemas: true, Options: debezium.Options{
				Decimal: debezium.DecimalString, Time: debezium.TimeISOString, Interval: debezium.IntervalString,
				Binary: debezium.BinaryHex, HStore: debezium.HStoreMap, Unavailable: "gone",
			}},
		}},
		{"a table", "{format: text, tables: {content: {format: json, tombstones.on.delete: false, schema_change: stop, oversized: truncate-with-marker, " +
			"key: [b, a], partition: [b], include: [a, b, c*], exclude: [cc], mask: {a: salt}, truncate: {c: 3}}}}", cdc.Table{
			Format: format.Format{Kind: format.JSON, Options: usual}, NoTombstones: true, Frozen: true, Oversized: cdc.OversizedTruncate,
			Rules: shape.Rules{
				Key: []string{"b", "a"}, Partition: []string{"b"}, Include: []string{"a", "b", "c*"}, Exclude: []string{"cc"},
				Mask: map[string]shape.Mask{"a": {Salt: []byte("salt")}}, Truncate: map[string]int{"c": 3},
			},
		}},
		{"another table", "{tables: {engagement_events: {format: json}}}", cdc.Table{Format: format.Format{Options: usual}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.want.Name, c.want.Topic = schema.TableName{Schema: "public", Name: "content"}, "s.public.content"
			if diff := cmp.Diff(c.want, wired(t, "records: "+c.records).Tables[0]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// wired is the capture's configuration for a file that adds lines to the good one, and for key=value flags.
func wired(t *testing.T, lines string, set ...string) cdc.Config {
	t.Helper()
	var overrides []config.Override
	for _, s := range set {
		key, value, _ := strings.Cut(s, "=")
		overrides = append(overrides, config.Override{Key: key, Value: value, Origin: "flag --set"})
	}
	cfg, err := config.Parse("penstock.yaml", []byte(goodConfig+lines), nil, overrides)
	if err != nil {
		t.Fatal(err)
	}
	c, err := captureConfig(cfg, operatorWord{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatOneTableNeedsOfTheCaptureIsWired(t *testing.T) {
	cases := []struct {
		name, records string
		deadLetters   string
		marks         bool
	}{
		{"nothing said", "{}", "", false},
		{"a table's dead letters", "{tables: {content: {oversized: dead-letter}}}", "penstock.dead-letters", false},
		{"a table's transactions", "{tables: {content: {provide.transaction.metadata: true}}}", "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := wired(t, "records: "+c.records)
			if got.DeadLetterTopic != c.deadLetters || got.MarkCommits != c.marks || got.Messages.Topic != "" {
				t.Errorf("got dead letters in %q, marks %v, messages in %q", got.DeadLetterTopic, got.MarkCommits, got.Messages.Topic)
			}
		})
	}
}

func TestMessagesAreWired(t *testing.T) {
	got := wired(t, "").Messages
	if got.Topic != "" || got.DeadLetters || !slices.Equal(got.Outbox, []string{"outbox.*"}) {
		t.Errorf("by default %+v", got)
	}
	c := wired(t, "", "kafka.bad_messages=dead-letter", "kafka.outbox_topics=a,b*", "kafka.message_topic=m", "kafka.heartbeat=3s")
	got = c.Messages
	if got.Topic != "m" || !got.DeadLetters || !slices.Equal(got.Outbox, []string{"a", "b*"}) || c.DeadLetterTopic != "penstock.dead-letters" {
		t.Errorf("got %+v, dead letters in %q", got, c.DeadLetterTopic)
	}
	if c.Beats.Every != 3*time.Second || c.Beats.Topic != "__debezium-heartbeat."+c.Name {
		t.Errorf("got heartbeats %+v", c.Beats)
	}
}

func TestTablesShareOneRegistry(t *testing.T) {
	c := wired(t, "records: {format: avro, tables: {content: {format: protobuf}}}\nregistry: {urls: ['http://127.0.0.1:1']}\n")
	if r := c.Tables[0].Format.Registry; r == nil || r != c.Tables[1].Format.Registry {
		t.Errorf("got %p and %p", r, c.Tables[1].Format.Registry)
	}
	if c := wired(t, "registry: {urls: ['http://127.0.0.1:1']}\n"); c.Tables[0].Format.Registry != nil {
		t.Error("a registry that no format needs was opened")
	}
}

func TestRegistryIsWired(t *testing.T) {
	cfg, err := config.Parse("penstock.yaml", []byte(goodConfig+"registry: {urls: ['http://a', 'https://b:1/x'], username: u, password: p, "+
		"subject_naming: topic_record, auto_register: false, normalize: true, timeout: 3s}\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := registry.Config{
		URLs: []string{"http://a", "https://b:1/x"}, Username: "u", Password: "p", SubjectNaming: registry.TopicRecord, Normalize: true, Timeout: 3 * time.Second,
	}
	got, err := registryConfig(cfg.Registry)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	cfg.Registry.TLS.ServerName = "of.another"
	if got, err := registryConfig(cfg.Registry); err != nil || got.TLS.ServerName != "of.another" {
		t.Errorf("TLS: got %+v, %v", got.TLS, err)
	}
}

// What the configuration takes for a registry's address, the registry does too.
func TestRegistryAddresses(t *testing.T) {
	for _, url := range []string{
		"http://a", "https://a:8081/", "HTTP://a", "http://[::1]:8081", "a:8081", "http://", "ftp://a", "http://u:p@a", "http://a/?x", "http://a#x", "http://%zz", "http://a?", "//a",
	} {
		_, inFile := config.Parse("penstock.yaml", []byte(goodConfig+"registry: {urls: ['"+url+"']}\n"), nil, nil)
		r, opened := registry.Open(registry.Config{URLs: []string{url}})
		if (inFile == nil) != (opened == nil) {
			t.Errorf("%s: the configuration says %v, the registry %v", url, inFile, opened)
		}
		if r != nil {
			r.Close()
		}
	}
}

// TestWordsThatAreAccepted: each is what a refusal prints, and no other state has one.
func TestWordsThatAreAccepted(t *testing.T) {
	for _, state := range []fault.State{fault.GapDetected, fault.Diverged, fault.ShapeChanged} {
		want := cdc.Accept{State: state, LSN: 0x16_B374D848}
		if got, err := parseAccept(want.String()); err != nil || got != want {
			t.Errorf("%s: got %v, %v", want, got, err)
		}
	}
	if got, err := parseAccept(""); err != nil || !got.IsZero() {
		t.Errorf("no word: got %v, %v", got, err)
	}
	if _, err := parseAccept("slot_lost@16/B374D848"); fault.KindOf(err) != fault.Usage {
		t.Errorf("slot_lost: got %v", err)
	}
}

// What a pipeline declares of its tables is the capture's to hold against the catalogue.
func TestDeclaredPipelinesAreWired(t *testing.T) {
	cfg, err := config.Parse("penstock.yaml", []byte("source: {dsn: x, slot: s, publication: p, tables: [content, engagement_events, shop.o, shop.c]}\nkafka: {brokers: [a:1]}\n"+
		"cassandra: {hosts: [c]}\nredis: {address: r:1}\npipelines:\n  m: {preset: engagement}\n  o: {stream: {table: shop.o, column: c, key: [a, b], columns: "+
		"{a: bigint, b: text, c: text, d: timestamptz not null, e: boolean, f: uuid, g: double precision, h: real, i: timestamp without time zone}}, lookup: {table: shop.c, column: id, columns: {id: varchar}}, "+
		"columns: {a: stream.a, b: stream.b}, cassandra: {table: o, partition_key: [a, b]}, redis: {key: 'o:{a}:{b}'}}\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	capture, err := captureConfig(cfg, operatorWord{})
	if err != nil {
		t.Fatal(err)
	}
	table := func(name string) schema.TableName { return schema.TableName{Schema: "shop", Name: name} }
	want := []cdc.Pipeline{
		{
			Name: "m", Topic: "penstock.m.input", Stream: cdc.JoinSide{Table: schema.TableName{Schema: "public", Name: "engagement_events"}, Column: "content_id"},
			Lookup: cdc.JoinSide{Table: schema.TableName{Schema: "public", Name: "content"}, Column: "id"},
		},
		{
			Name: "o", Topic: "penstock.o.input",
			Stream: cdc.JoinSide{Table: table("o"), Column: "c", Key: []string{"a", "b"}, Columns: []cdc.JoinColumn{
				{Name: "a", Types: []string{"int2", "int4", "int8"}, NotNull: true}, {Name: "b", NotNull: true}, {Name: "c", Types: []string{"text", "varchar"}},
				{Name: "d", Types: []string{"timestamptz"}, NotNull: true}, {Name: "e", Types: []string{"bool"}}, {Name: "f", Types: []string{"uuid"}},
				{Name: "g", Types: []string{"float8"}}, {Name: "h", Types: []string{"float4"}}, {Name: "i", Types: []string{"timestamp"}},
			}},
			Lookup: cdc.JoinSide{
				Table: table("c"), Column: "id", Key: []string{"id"}, Columns: []cdc.JoinColumn{{Name: "id", Types: []string{"text", "varchar"}, NotNull: true}},
			},
		},
	}
	if diff := cmp.Diff(want, capture.Pipelines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if one, two := sinkConfig(cfg, "m"), sinkConfig(cfg, "o"); one.Group == two.Group || one.Topic == two.Topic || one.Plan.Name == two.Plan.Name {
		t.Errorf("got %s %s %s and %s %s %s", one.Group, one.Topic, one.Plan.Name, two.Group, two.Topic, two.Plan.Name)
	}
}
