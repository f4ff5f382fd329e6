package cdc_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

func (s *source) compact(topic string) {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cfg.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	policy := "compact,delete"
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}
	results, err := kadm.NewClient(cl).AlterTopicConfigs(s.t.Context(), alter, topic)
	if err != nil || results[0].Err != nil {
		s.t.Fatal(err, results)
	}
}

// TestCompactedTopicsAreRefused at the start, all at once, each with what would be in its
// way; with what the refusals name the capture runs, and delivers.
func TestCompactedTopicsAreRefused(t *testing.T) {
	s := newTables(t, stacktest.Database(t), `
		CREATE TABLE keyed (id int PRIMARY KEY, v text);
		CREATE TABLE indexed (id int NOT NULL UNIQUE, v text);
		CREATE TABLE keyless (id int, v text); ALTER TABLE keyless REPLICA IDENTITY FULL`, "keyed", "indexed", "keyless")
	for _, table := range s.cfg.Tables {
		s.createTopic(table.Topic, "compact")
	}
	err := s.refusal()
	expect(t, err, fault.Usage,
		"a TRUNCATE of table public.keyed is a record without a key", "records.tables.public.keyed.skipped.operations: [t]",
		"a TRUNCATE of table public.indexed", "a TRUNCATE of table public.keyless",
		"table public.keyless has no key", "records.tables.public.keyless.key: [columns of the key]", "cleanup.policy=delete")
	for _, table := range []string{"keyed", "indexed"} {
		if strings.Contains(err.Error(), "table public."+table+" has no key") {
			t.Errorf("table %s has one: %v", table, err)
		}
	}
	for i := range s.cfg.Tables {
		s.cfg.Tables[i].Skip = []schema.Op{schema.OpTruncate}
	}
	s.cfg.Tables[2].Rules.Key = []string{"id"}
	c := s.startStreaming()
	s.exec("INSERT INTO keyed VALUES (1); INSERT INTO indexed VALUES (1); INSERT INTO keyless VALUES (1); TRUNCATE keyed, indexed, keyless; INSERT INTO keyed VALUES (2)")
	for i, want := range []int{2, 1, 1} {
		if got := s.read(s.cfg.Tables[i].Topic, want); len(got) != want {
			t.Errorf("%s: %d records, want %d", s.cfg.Tables[i].Name, len(got), want)
		}
	}
	c.finish()
}

// TestCompactedInputIsRefused: compaction would drop events.
func TestCompactedInputIsRefused(t *testing.T) {
	s := newSource(t)
	s.createTopic(s.cfg.Pipelines[0].Topic, "compact,delete")
	expect(t, s.refusal(), fault.Usage, "topic "+s.cfg.Pipelines[0].Topic+": is compacted; it is the input of pipeline metrics", "cleanup.policy=delete")
}

// TestTopicThatIsCompactedLater stops the capture at the first record without a key,
// with its place; the next start says what to do.
func TestTopicThatIsCompactedLater(t *testing.T) {
	s := newSource(t)
	c := s.startStreaming()
	s.exec("INSERT INTO content VALUES ('a', 'A')")
	s.read(s.cfg.Tables[0].Topic, 1)
	s.compact(s.cfg.Tables[0].Topic)
	s.exec("TRUNCATE content")
	err := c.wait()
	if err == nil {
		t.Fatal("the capture ended without an error")
	}
	expect(t, err, fault.Refused, "topic "+s.cfg.Tables[0].Topic, "penstock.lsn", "has no key", "compact", "start again")
	expect(t, s.refusal(), fault.Usage, "a TRUNCATE of table public.content is a record without a key")
	s.cfg.Tables[0].Skip = []schema.Op{schema.OpTruncate}
	c = s.startStreaming()
	s.exec("INSERT INTO content VALUES ('b', 'B')")
	s.read(s.cfg.Tables[0].Topic, 2)
	c.finish()
}
