package cdc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/schema"
)

// tableOf makes the capture one of a single table.
func (s *source) tableOf(name, ddl string) schema.TableName {
	s.t.Helper()
	s.exec(ddl)
	table := schema.TableName{Schema: "public", Name: name}
	s.cfg.Pipelines, s.cfg.Tables = nil, []cdc.Table{{Name: table, Topic: s.cfg.Name + "." + name}}
	return table
}

// rowsOf folds records of Debezium's envelope to the last image of each id, as JSON of the
// named columns.
func rowsOf(t *testing.T, records []*kgo.Record, columns ...string) (rows map[string]string, read int) {
	t.Helper()
	rows = map[string]string{}
	for _, r := range records {
		if r.Value == nil {
			continue
		}
		var e struct {
			Op            string
			Before, After map[string]any
		}
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		if e.Op == "r" {
			read++
		}
		if e.After == nil {
			delete(rows, fmt.Sprint(e.Before["id"]))
			continue
		}
		var texts []string
		for _, c := range columns {
			texts = append(texts, fmt.Sprint(e.After[c]))
		}
		rows[fmt.Sprint(e.After["id"])] = strings.Join(texts, "/")
	}
	return rows, read
}

// atCopied calls do once, when the first chunk is handed over.
func (s *source) atCopied(do func()) {
	var once sync.Once
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if p == cdc.FailCopied {
			once.Do(do)
		}
	}
}

// TestTOASTedValuesThatTheStreamLeavesOut: an update without them overtakes the row, which
// is read once more.
func TestTOASTedValuesThatTheStreamLeavesOut(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("docs", `CREATE TABLE docs (id int PRIMARY KEY, n int, body text); ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		INSERT INTO docs SELECT i, 0, repeat(md5(i::text), 100) FROM generate_series(1, 5000) i`)
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 1, ChunkBlocks: 4}
	s.atCopied(func() {
		s.exec("UPDATE docs SET n = 1 WHERE id > 4900; DELETE FROM docs WHERE id = 5000; UPDATE docs SET id = 6000 WHERE id = 4999")
	})
	c := s.startStreaming()
	job := s.awaitJob(table, backfill.Done)
	c.finish()
	got, read := rowsOf(t, s.all(s.cfg.Tables[0].Topic), "n", "body")
	want := s.rows("SELECT id::text, n || '/' || body FROM docs")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-Postgres +Kafka):\n%.1000s", diff)
	}
	if int64(read) != job.Rows || read < 4999 || len(job.Again) != 0 {
		t.Errorf("%d rows read, job %+v", read, job)
	}
}

// TestARowThatIsTornDuringAPause moves to a block that was read already.
func TestARowThatIsTornDuringAPause(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("docs", `CREATE TABLE docs (id int PRIMARY KEY, n int, body text); ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		INSERT INTO docs SELECT i, 0, repeat(md5(i::text), 100) FROM generate_series(1, 5000) i; DELETE FROM docs WHERE id < 100`)
	s.exec("VACUUM docs")
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 1, ChunkBlocks: 4}
	var paused sync.Once
	s.cfg.Failpoint = func(p cdc.Failpoint) {
		if p == cdc.FailCopied {
			paused.Do(func() { s.command(cdc.DoPause, "pause", "", table) })
			<-time.After(400 * time.Millisecond) // a chunk takes so long that the command is met before the last
		}
	}
	c := s.startStreaming()
	s.awaitJob(table, backfill.Paused)
	s.exec("UPDATE docs SET n = 1 WHERE id > 4500")
	s.exec("INSERT INTO docs VALUES (0, 0, '')")
	eventually(t, "the update is delivered", func() bool {
		rows, _ := rowsOf(t, s.all(s.cfg.Tables[0].Topic), "n")
		return rows["0"] != ""
	})
	if moved := s.one("SELECT count(*)::text FROM docs WHERE id > 4500 AND ctid < '(4,0)'"); moved == "0" {
		t.Fatal("no row has moved to a block that was read, which shows nothing")
	}
	s.command(cdc.DoResume, "resume", "", table)
	s.awaitJob(table, backfill.Done)
	c.finish()
	got, _ := rowsOf(t, s.all(s.cfg.Tables[0].Topic), "n", "body")
	if diff := cmp.Diff(s.rows("SELECT id::text, n || '/' || body FROM docs"), got); diff != "" {
		t.Errorf("(-Postgres +Kafka):\n%.1000s", diff)
	}
}

func TestPartitionsListsAndFilters(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("parts", `CREATE TABLE parts (secret text, id int, v text, kind text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
		CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a'); CREATE TABLE parts_b (id int NOT NULL, kind text NOT NULL, v text, secret text);
		ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b'); CREATE TABLE parts_c PARTITION OF parts FOR VALUES IN ('c') PARTITION BY RANGE (id);
		CREATE TABLE parts_c1 PARTITION OF parts_c FOR VALUES FROM (0) TO (1000000);
		INSERT INTO parts SELECT 'secret', i, 'v' || i, chr(97 + i % 3) FROM generate_series(1, 3000) i;
		CREATE PUBLICATION p FOR TABLE parts (id, v, kind) WHERE (id % 10 <> 0) WITH (publish_via_partition_root = true)`)
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 3, ChunkBlocks: 2}
	c := s.startStreaming()
	job := s.awaitJob(table, backfill.Done)
	c.finish()
	records := s.all(s.cfg.Tables[0].Topic)
	got, read := rowsOf(t, records, "v", "kind")
	if diff := cmp.Diff(s.rows("SELECT id::text, v || '/' || kind FROM parts WHERE id % 10 <> 0"), got); diff != "" {
		t.Errorf("(-Postgres +Kafka):\n%.1000s", diff)
	}
	if read != 2700 || job.Rows != 2700 {
		t.Errorf("%d rows read, job %+v", read, job)
	}
	for _, r := range records {
		if strings.Contains(string(r.Value), "secret") {
			t.Fatalf("a column came that is not published: %s", r.Value)
		}
	}
}

// TestATableThatIsRewritten: its rows lie in other blocks now.
func TestATableThatIsRewritten(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("moved", `CREATE TABLE moved (id int PRIMARY KEY, v text); INSERT INTO moved SELECT i, repeat('x', 100) FROM generate_series(1, 20000) i;
		DELETE FROM moved WHERE id % 2 = 0`)
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 1, ChunkBlocks: 16}
	s.atCopied(func() { s.exec("VACUUM FULL moved") })
	c := s.startStreaming()
	job := s.awaitJob(table, backfill.Done)
	c.finish()
	got, _ := rowsOf(t, s.all(s.cfg.Tables[0].Topic), "v")
	if len(got) != 10_000 || job.Rows <= 10_000 {
		t.Errorf("%d rows in Kafka, job %+v", len(got), job)
	}
}

// TestATableThatIsAltered: a column comes and one goes in the middle.
func TestATableThatIsAltered(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("altered", `CREATE TABLE altered (id int PRIMARY KEY, old text, v text); INSERT INTO altered SELECT i, 'old', repeat('x', 100) FROM generate_series(1, 20000) i`)
	s.cfg.Backfill = cdc.Backfill{Initial: true, Readers: 2, ChunkBlocks: 16}
	s.atCopied(func() {
		s.exec("ALTER TABLE altered DROP old; ALTER TABLE altered ADD fresh int DEFAULT 7; UPDATE altered SET fresh = 8 WHERE id = 20000")
	})
	c := s.startStreaming()
	job := s.awaitJob(table, backfill.Done)
	c.finish()
	got, read := rowsOf(t, s.all(s.cfg.Tables[0].Topic), "id", "fresh")
	if len(got) != 20_000 || int64(read) != job.Rows || got["20000"] != "20000/8" || got["19000"] != "19000/7" {
		t.Errorf("%d rows in Kafka, the last ones %s and %s; job %+v", len(got), got["19000"], got["20000"], job)
	}
}

// TestWhatMendsAFailedBackfill: each is refused with what to do, and works then.
func TestWhatMendsAFailedBackfill(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("strange", `CREATE TABLE strange (id int, other int NOT NULL, v text); ALTER TABLE strange REPLICA IDENTITY FULL;
		INSERT INTO strange SELECT i, i, 'v' FROM generate_series(1, 10) i`)
	c := s.startStreaming()
	failed := func(id string, parts ...string) {
		t.Helper()
		s.command(cdc.DoStart, id, "", table)
		eventually(t, id+" has failed", func() bool { job := s.job(table); return job != nil && job.ID == id && job.State == backfill.Failed })
		job := s.job(table)
		for _, part := range parts {
			if !strings.Contains(job.Why+" fix: "+job.Fix, part) {
				t.Errorf("%s: got %q, fix %q, want %q", id, job.Why, job.Fix, part)
			}
		}
	}
	failed("no key", "no key", "primary key")
	s.exec("ALTER TABLE strange ADD PRIMARY KEY (id); CREATE UNIQUE INDEX o ON strange (other); ALTER TABLE strange REPLICA IDENTITY USING INDEX o")
	failed("other identity", "column id of the key is not in the replica identity", "REPLICA IDENTITY")
	s.exec("ALTER TABLE strange REPLICA IDENTITY DEFAULT")
	s.command(cdc.DoStart, "good", "", table)
	if job := s.awaitJob(table, backfill.Done); job.Rows != 10 || job.ID != "good" {
		t.Errorf("got %+v", job)
	}
	c.finish()
}
