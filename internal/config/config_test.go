package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
)

// smallest is the smallest useful file; cases add to it or spoil it.
const smallest = `source:
  dsn: ${PG_DSN}
  slot: engagement
  publication: engagement
  tables: [public.content, public.engagement_events]
kafka:
  brokers: [localhost:9092]
pipelines:
  engagement_metrics: { preset: engagement }
cassandra: { hosts: [localhost], username: cassandra, password: "${file:%s}" }
redis: { address: localhost:6379 }
api: { listen: 127.0.0.1:8080 }
`

func smallestFile(t *testing.T) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "cassandra")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(smallest, secret)
}

func parse(t *testing.T, text string, env ...string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("penstock.yaml", []byte(text), append(env, "PG_DSN=postgres://a:hunter2@db/x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSmallestFileIsFilledWithDefaults(t *testing.T) {
	cfg := parse(t, smallestFile(t))
	content, events := schema.TableName{Schema: "public", Name: "content"}, schema.TableName{Schema: "public", Name: "engagement_events"}
	source := config.Source{
		DSN: "postgres://a:hunter2@db/x", Name: "engagement", Slot: "engagement", Publications: []string{"engagement"},
		Tables: []schema.TableName{content, events},
	}
	if diff := cmp.Diff(source, cfg.Source); diff != "" {
		t.Error(diff)
	}
	kafka := config.Kafka{
		Brokers: []string{"localhost:9092"}, Topic: "{name}.{schema}.{table}", Partitions: 12, ReplicationFactor: -1,
		PositionTopic: "penstock.position", TransactionTopic: "penstock.transactions", TransactionalID: "penstock.engagement",
		HeartbeatTopic: "__debezium-heartbeat.engagement", OutboxTopics: []string{"outbox.*"}, BadMessages: "stop",
		DeadLetterTopic: "penstock.dead-letters",
		Transaction: config.Transaction{
			Records: 10_000, Bytes: 8 << 20, Age: 250 * time.Millisecond, Idle: 10 * time.Second,
			SplitRecords: 100_000, SplitBytes: 64 << 20, SplitAge: 15 * time.Second, Timeout: time.Minute,
		},
	}
	if diff := cmp.Diff(kafka, cfg.Kafka); diff != "" {
		t.Error(diff)
	}
	pipelines := map[string]config.Pipeline{"engagement_metrics": {
		Preset: "engagement", Topic: "penstock.engagement_metrics.input", Group: "penstock.engagement_metrics",
		Stream: config.Side{Table: events, Column: "content_id"}, Lookup: config.Side{Table: content, Column: "id"}, Totals: true, OnError: "stop",
	}}
	if diff := cmp.Diff(pipelines, cfg.Pipelines); diff != "" {
		t.Error(diff)
	}
	if cfg.Cassandra.Password.Reveal() != "hunter2" || cfg.Redis.TombstoneTTL != 168*time.Hour || cfg.Wait != time.Minute {
		t.Errorf("got %+v %+v %s", cfg.Cassandra, cfg.Redis, cfg.Wait)
	}
	if got := cfg.Topic(events); got != "engagement.public.engagement_events" {
		t.Errorf("topic %s", got)
	}
}

func TestFileMayComeFromWindows(t *testing.T) {
	unix := smallestFile(t)
	windows := "\xef\xbb\xbf" + strings.ReplaceAll(unix, "\n", "\r\n")
	a, errA := parse(t, unix).YAML()
	b, errB := parse(t, windows).YAML()
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("%v %v\n%s", errA, errB, cmp.Diff(string(a), string(b)))
	}
}

func TestValuesKeepTheirSpelling(t *testing.T) {
	cases := map[string]string{
		"0123":                       "0123",
		"1e3":                        "1e3",
		"true":                       "true",
		"'a: b'":                     "a: b",
		`"a\tb"`:                     "a\tb",
		"${NAME}-${NAME}":            "ada-ada",
		"${GONE:-x}":                 "x",
		"${EMPTY:-x}":                "x",
		"${EMPTY}":                   "",
		"${GONE:-${NAME}}":           "ada",
		"$NAME$":                     "$NAME$",
		"$${NAME}":                   "${NAME}",
		"!!str 12":                   "12",
		"|-\n      two\n      lines": "two\nlines",
	}
	for text, want := range cases {
		t.Run(text, func(t *testing.T) {
			file := strings.Replace(smallestFile(t), "redis: { address: localhost:6379 }", "redis:\n  address: localhost:6379\n  username: "+text, 1)
			cfg := parse(t, file, "NAME=ada", "EMPTY=")
			if cfg.Redis.Username != want {
				t.Errorf("got %q, want %q", cfg.Redis.Username, want)
			}
		})
	}
}

func TestAnchorsAndCommaListsAreRead(t *testing.T) {
	cfg := parse(t, strings.Replace(smallestFile(t), "[localhost:9092]", "&b a:1, b:2,", 1))
	if diff := cmp.Diff([]string{"a:1", "b:2"}, cfg.Kafka.Brokers); diff != "" {
		t.Error(diff)
	}
	cfg = parse(t, strings.Replace(strings.Replace(smallestFile(t), "localhost:9092", "&b kafka:1", 1), "hosts: [localhost]", "hosts: [*b]", 1))
	if cfg.Cassandra.Hosts[0] != "kafka:1" {
		t.Errorf("got %v", cfg.Cassandra.Hosts)
	}
}

func TestFlagsOverrideEnvironmentOverridesFile(t *testing.T) {
	env := []string{
		"PG_DSN=x", "PENSTOCK_SOURCE_NAME=fromenv", "PENSTOCK_KAFKA_BROKERS=a:1, b:2", "PENSTOCK_KAFKA_PARTITIONS=3",
		"PENSTOCK_REDIS_TOMBSTONE_TTL=1h", "PENSTOCK_WAIT=5s",
		"PENSTOCK_KAFKA=stack:1", "PENSTOCK_POSTGRES=x", "PENSTOCK_STACK=native", "PENSTOCK_CACHE=/tmp", // not ours to read
	}
	overrides := []config.Override{
		{Key: "kafka.partitions", Value: "5", Origin: "flag --set"},
		{Key: "kafka.topics.public.content", Value: "content", Origin: "flag --set"},
		{Key: "pipelines.engagement_metrics.group", Value: "g", Origin: "flag --set"},
		{Key: "pipelines.second.preset", Value: "engagement", Origin: "flag --set"},
	}
	cfg, err := config.Parse("penstock.yaml", []byte(smallestFile(t)), env, overrides, config.RoleCapture) // the sink refuses a second
	if err != nil {
		t.Fatal(err)
	}
	got := []any{
		cfg.Source.Name, cfg.Kafka.Brokers, cfg.Kafka.Partitions, cfg.Redis.TombstoneTTL, cfg.Wait, cfg.Kafka.Topics,
		cfg.Pipelines["engagement_metrics"].Group, cfg.Pipelines["second"].Topic, cfg.Kafka.TransactionalID,
	}
	want := []any{
		"fromenv", []string{"a:1", "b:2"}, int32(5), time.Hour, 5 * time.Second, map[config.TableKey]string{"public.content": "content"},
		"g", "penstock.second.input", "penstock.fromenv",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	cfg := parse(t, smallestFile(t))
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	text, _ := cfg.Source.DSN.MarshalText()
	for _, printed := range []string{
		string(asJSON), string(asYAML), string(text),
		fmt.Sprintf("%v %+v %#v %v %q", cfg, *cfg, cfg, cfg.Source, cfg.Cassandra),
	} {
		if strings.Contains(printed, "hunter2") {
			t.Errorf("the secret is in %s", printed)
		}
	}
	if s := config.Secret(""); s.String() != "" {
		t.Errorf("an empty secret prints as %q", s)
	}
}

func TestRenderedFileLoadsAgain(t *testing.T) {
	first, err := parse(t, smallestFile(t)).YAML()
	if err != nil {
		t.Fatal(err)
	}
	second, err := parse(t, string(first)).YAML()
	if err != nil || string(first) != string(second) {
		t.Errorf("%v\n%s", err, cmp.Diff(string(first), string(second)))
	}
}

func TestRoleAsksForItsSectionsOnly(t *testing.T) {
	capture := "source: {dsn: x, slot: s, publication: p, tables: [a]}\nkafka: {brokers: [a:1]}\n"
	sink := "kafka: {brokers: [a:1]}\npipelines: {m: {preset: engagement}}\ncassandra: {hosts: [c]}\nredis: {address: r:1}\n"
	for _, c := range []struct {
		name, file string
		role       config.Role
		ok         bool
	}{
		{"capture alone", capture, config.RoleCapture, true},
		{"sink alone", sink, config.RoleSink, true},
		{"sink with a capture's file", capture, config.RoleSink, false},
		{"capture with a sink's file", sink, config.RoleCapture, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := config.Parse("f", []byte(c.file), nil, nil, c.role); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMissingFileIsAUsageFault(t *testing.T) {
	_, err := config.Load(filepath.Join(t.TempDir(), "none.yaml"), nil, nil)
	if fault.KindOf(err) != fault.Usage || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// TestTopicsOfOddNames: what Kafka does not allow becomes what Debezium makes of it.
func TestTopicsOfOddNames(t *testing.T) {
	cfg := config.Config{Source: config.Source{Name: "shop"}, Kafka: config.Kafka{
		Topic: "{name}.{schema}.{table}", Topics: map[config.TableKey]string{`"a.b"."c""d"`: "own"},
	}}
	for table, want := range map[schema.TableName]string{
		{Schema: "a.b", Name: `c"d`}:       "own",
		{Schema: "a", Name: `c"d`}:         "shop.a.c_d",
		{Schema: "päy ments", Name: "😀.T"}: "shop.p_y_ments.__.T",
	} {
		if got := cfg.Topic(table); got != want {
			t.Errorf("%s: got %s, want %s", table, got, want)
		}
	}
}

func TestTableNames(t *testing.T) {
	cases := map[string]string{
		"content": "public content", "public.content": "public content", "Odd Schema.t": "Odd Schema t", `"a.b"."c.d"`: "a.b c.d", `s."t"`: "s t",
		`"a""b".c`: `a"b c`, `s."""t"""`: `s "t"`, `"Case".MATTERS`: "Case MATTERS", `" a"." "`: " a  ", `😀."ü.ö"`: "😀 ü.ö",
		`"a""`: "error", `"a"".b`: "error", `"".b`: "error", "a\x00": "error", `"a` + "\x00" + `"`: "error",
		"": "error", ".": "error", "a.": "error", ".a": "error", "a.b.c": "error", `"a`: "error", `"a"b.c`: "error", " a": "error",
	}
	for text, want := range cases {
		table, err := config.ParseTable(text)
		got := table.Schema + " " + table.Name
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
		if again, err2 := config.ParseTable(config.FormatTable(table)); err == nil && (err2 != nil || again != table) {
			t.Errorf("%q: formats as %s", text, config.FormatTable(table))
		}
	}
}

// A declared pipeline that is rendered is the same when it is loaded again.
func TestADeclaredPipelineIsRendered(t *testing.T) {
	const file = "source: {dsn: x, slot: s, publication: p, tables: [shop.orders, shop.customers]}\nkafka: {brokers: [a:1]}\ncassandra: {hosts: [c]}\nredis: {address: r:1}\n" +
		"pipelines: {orders: {stream: {table: shop.orders, column: customer, key: [id], columns: {id: bigint not null, customer: integer, Odd Name: text}}, " +
		"lookup: {table: shop.customers, column: id, columns: {id: integer not null, name: text}}, columns: {id: stream.id, name: 'lookup.name ?? \"-\"'}, " +
		"filter: stream.id > 0, cassandra: {table: shop.o, partition_key: [id], ttl: 1h}, redis: {key: 'o:{id}', fields: [name]}}}\n"
	cfg := parse(t, file)
	text, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again := parse(t, strings.ReplaceAll(string(text), "dsn: '***'", "dsn: x"))
	if diff := cmp.Diff(cfg.Pipelines, again.Pipelines, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("rendered\n%s\n%s", text, diff)
	}
	if p, problems := again.Plan("orders"); p == nil || len(problems) > 0 {
		t.Errorf("got %v", problems)
	}
}
