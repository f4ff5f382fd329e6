package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"penstock/internal/config"
	"penstock/schema"
	"penstock/schema/debezium"
)

// TestRecords runs testdata/records.txt: what is in force of the section records.
func TestRecords(t *testing.T) {
	blocks(t, "records.txt", func(file string) string {
		const rest = "source: {dsn: x, slot: s, publication: p, tables: [a, b, '\"c.d\".e']}\nkafka: {brokers: [a:1]}\n" +
			"pipelines: {m: {preset: engagement, stream: {table: a}, lookup: {table: b}}}\ncassandra: {hosts: [a]}\nredis: {address: a:1}\n"
		cfg, err := parseBlock(file + rest)
		if err != nil {
			return err.Error() + "\n"
		}
		text, err := cfg.YAML()
		if err != nil {
			return err.Error() + "\n"
		}
		_, section, _ := strings.Cut(string(text), "\nrecords:\n")
		section, _, _ = strings.Cut(section, "\npipelines:")
		again, err := config.Parse("again", []byte(rest+"records:\n"+section), nil, nil)
		if err != nil {
			return section + "\ndoes not load again: " + err.Error() + "\n"
		}
		if diff := cmp.Diff(withoutSalts(cfg.Records), again.Records, cmpopts.EquateEmpty()); diff != "" {
			return section + "\nloads again with a difference\n" + diff
		}
		return section + "\n"
	})
}

// withoutSalts has stars for the salts, as what is rendered does.
func withoutSalts(r config.Records) config.Records {
	tables := map[config.TableKey]config.TableRecords{}
	for key, table := range r.Tables {
		salts := map[string]config.Secret{}
		for column, salt := range table.Mask {
			salts[column] = config.Secret(salt.String())
		}
		table.Mask = salts
		tables[key] = table
	}
	r.Tables = tables
	return r
}

func TestRecordsOfATable(t *testing.T) {
	cfg := parse(t, smallestFile(t)+"records:\n  hstore.handling.mode: map\n  tables:\n    content: { format: json, key: [slug] }\n")
	content := cfg.RecordsOf(schema.TableName{Schema: "public", Name: "content"})
	events := cfg.RecordsOf(schema.TableName{Schema: "public", Name: "engagement_events"})
	got := []any{content.Format, content.HStore, content.Key, events.Format, events.HStore, events.Key}
	if diff := cmp.Diff([]any{"json", "map", []string{"slug"}, "debezium", "map", []string(nil)}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultModesAreTheConnectors(t *testing.T) {
	style := config.Default().Records.RecordStyle
	options, err := style.Options()
	if diff := cmp.Diff(debezium.Options{Unavailable: "__debezium_unavailable_value"}, options); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if style.Format != "debezium" || !style.Tombstones || len(style.Skipped) > 0 {
		t.Errorf("got %+v", style)
	}
}

func TestOptionsNameEveryBadMode(t *testing.T) {
	style := config.RecordStyle{Decimal: "string", Time: "connect", Interval: "x", Binary: "y", HStore: "Map", Unavailable: "hex:f"}
	options, err := style.Options()
	want := debezium.Options{Decimal: debezium.DecimalString, Time: debezium.TimeConnect, HStore: debezium.HStoreMap, Unavailable: "hex:f"}
	if diff := cmp.Diff(want, options); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"interval.handling.mode", "binary.handling.mode", "unavailable.value.placeholder"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not in %v", part, err)
		}
	}
}

func TestSaltsAreNeverPrinted(t *testing.T) {
	cfg := parse(t, smallestFile(t)+"records: { tables: { content: { mask: { slug: hunter2 } } } }\n")
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := cfg.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(rendered), `"slug": "******"`) {
		t.Errorf("the masked column is not in %s", rendered)
	}
	table := cfg.RecordsOf(schema.TableName{Schema: "public", Name: "content"})
	for _, printed := range []string{string(asJSON), string(rendered), fmt.Sprintf("%v %+v %#v %+v", cfg, *cfg, cfg.Records, table)} {
		if strings.Contains(printed, "hunter2") {
			t.Errorf("the salt is in %s", printed)
		}
	}
	if got := table.Mask["slug"].Reveal(); got != "hunter2" {
		t.Errorf("got %q", got)
	}
}

func TestSkippedOperations(t *testing.T) {
	style := config.RecordStyle{Skipped: []string{"t", "d"}}
	for op, want := range map[schema.Op]bool{
		schema.OpCreate: false, schema.OpUpdate: false, schema.OpDelete: true, schema.OpTruncate: true, schema.OpRead: false,
	} {
		if got := style.Skips(op); got != want {
			t.Errorf("%c: got %v, want %v", op, got, want)
		}
	}
}

func TestPlaceOfATablesKey(t *testing.T) {
	const file = "source: {dsn: x, slot: s, publication: p, tables: ['\"a.b\".c', d, e]}\nkafka: {brokers: [a:1]}\n" +
		"records:\n  tables:\n    '\"a.b\".c':\n      exclude: [x,\n        y]\n      mask: { email: s }\n"
	cfg, err := config.Parse("penstock.yaml", []byte(file), nil, []config.Override{
		{Key: "records.tables.public.d.key", Value: "a,b", Origin: "flag --set"},
	}, config.RoleCapture)
	if err != nil {
		t.Fatal(err)
	}
	odd, d := schema.TableName{Schema: "a.b", Name: "c"}, schema.TableName{Schema: "public", Name: "d"}
	for want, got := range map[string]string{
		`records.tables."a.b".c.exclude[1] (penstock.yaml:7:9)`:  cfg.Place(odd, "exclude[1]"),
		`records.tables."a.b".c.exclude (penstock.yaml:6:7)`:     cfg.Place(odd, "exclude"),
		`records.tables."a.b".c.mask.email (penstock.yaml:8:22)`: cfg.Place(odd, "mask.email"),
		`records.tables.public.d.key[1] (flag --set)`:            cfg.Place(d, "key[1]"),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
