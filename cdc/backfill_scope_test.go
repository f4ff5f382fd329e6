package cdc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/schema"
	"penstock/schema/record"
	"penstock/schema/shape"
)

// backfillOf starts a backfill of a part of a table and waits until it is as it should be.
func (s *source) backfillOf(table schema.TableName, id string, scope backfill.Scope, state backfill.State) *backfill.Job {
	s.t.Helper()
	if err := cdc.Send(s.t.Context(), s.cfg, cdc.Command{ID: id, Do: cdc.DoStart, Tables: []schema.TableName{table}, Scope: scope}); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, fmt.Sprintf("backfill %s of %s is %s", id, table, state), func() bool {
		job := s.job(table)
		return job != nil && job.ID == id && job.State == state
	})
	return s.job(table)
}

// TestARangeOfKeysIsRead, by a key of two columns, and no more blocks than it lies in.
func TestARangeOfKeysIsRead(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("parts", `CREATE TABLE parts (shop text, id int, note text, PRIMARY KEY (shop, id));
		INSERT INTO parts SELECT 'it''s ' || i / 10000, i % 10000, repeat('x', 100) FROM generate_series(0, 29999) i; ANALYZE parts`)
	s.cfg.Backfill = cdc.Backfill{Readers: 2, ChunkBlocks: 16}
	c := s.startStreaming()
	next := map[int32]int64{} // offsets, by partition
	keys := func() map[string]bool {
		found := map[string]bool{}
		for _, r := range s.all(s.cfg.Tables[0].Topic) {
			if r.Offset < next[r.Partition] {
				continue
			}
			next[r.Partition] = r.Offset + 1
			var e struct {
				Op    string
				After struct {
					Shop string
					ID   int
				}
			}
			if err := json.Unmarshal(r.Value, &e); err != nil {
				t.Fatal(err)
			}
			if key := fmt.Sprintf("%s/%d", e.After.Shop, e.After.ID); e.Op != "r" || found[key] {
				t.Errorf("%s %s: want each row once, as it was read", e.Op, key)
			} else {
				found[key] = true
			}
		}
		return found
	}
	for i, c := range []struct {
		scope backfill.Scope
		where string
	}{
		{backfill.Scope{From: []string{"it's 1", "500"}, To: []string{"it's 1", "700"}}, "shop = 'it''s 1' AND id >= 500 AND id < 700"},
		{backfill.Scope{From: []string{"it's 1", "9990"}, To: []string{"it's 2", "10"}}, "shop = 'it''s 1' AND id >= 9990 OR shop = 'it''s 2' AND id < 10"},
		{backfill.Scope{From: []string{"it's 2"}, Where: "id % 1000 = 0 -- of each thousand"}, "shop = 'it''s 2' AND id % 1000 = 0"},
		{backfill.Scope{From: []string{"it's 1"}, To: []string{"it's 1", "9"}}, "shop = 'it''s 1' AND id < 9"},
		{backfill.Scope{To: []string{"it's 1"}}, "shop < 'it''s 1'"},
		{backfill.Scope{From: []string{"j"}}, "false"},
	} {
		job := s.backfillOf(table, fmt.Sprint("range ", i), c.scope, backfill.Done)
		want := map[string]bool{}
		for key := range s.rows("SELECT shop || '/' || id, '' FROM parts WHERE " + c.where) {
			want[key] = true
		}
		got := keys()
		if !cmp.Equal(want, got) || job.Rows != int64(len(want)) {
			t.Errorf("%+v: got %d rows, the job says %d, want %d", c.scope, len(got), job.Rows, len(want))
		}
		if most := int64(len(want)/800 + 2); c.scope.Where == "" && job.Chunks > most { // some 900 rows lie in 16 blocks
			t.Errorf("%+v: %d rows were read in %d chunks, want at most %d", c.scope, len(want), job.Chunks, most)
		}
	}
	c.finish()
}

// TestSomeColumnsAreRead: of the others a record says that it does not say them.
func TestSomeColumnsAreRead(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("users", `CREATE TABLE users (id int PRIMARY KEY, email text, phone text, region text);
		ALTER TABLE users REPLICA IDENTITY FULL; INSERT INTO users VALUES (1, 'a@example.com', NULL, 'eu'), (2, 'b@example.com', '42', 'us')`)
	s.cfg.Tables[0].Rules = shape.Rules{Key: []string{"region", "id"}}
	c := s.startStreaming()
	if job := s.backfillOf(table, "one", backfill.Scope{Columns: []string{"phone"}}, backfill.Done); job.Rows != 2 {
		t.Errorf("%d rows, want 2", job.Rows)
	}
	job := s.backfillOf(table, "two", backfill.Scope{Columns: []string{"phone", "fax"}}, backfill.Failed)
	if !strings.Contains(job.Why, "no column fax") || !strings.Contains(job.Why, "email") {
		t.Errorf("the job failed of: %s", job.Why)
	}
	c.finish()
	got := map[string]string{}
	for _, r := range s.all(s.cfg.Tables[0].Topic) {
		var e struct{ After map[string]any }
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		got[fmt.Sprint(e.After["id"])] = fmt.Sprintf("%v %v %v %s", e.After["email"], e.After["phone"], e.After["region"], headerOf(r, record.HeaderUnchanged))
	}
	want := map[string]string{
		"1": record.UnavailableValue + ` <nil> eu ["email"]`,
		"2": record.UnavailableValue + ` 42 us ["email"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestScopesThatARelationCannotHave fail with what mends them, and nothing is read.
func TestScopesThatARelationCannotHave(t *testing.T) {
	s := newSource(t)
	s.exec("CREATE SEQUENCE counted; INSERT INTO events VALUES (1, 'c', 1)")
	c := s.startStreaming()
	for i, refused := range []struct {
		scope    backfill.Scope
		why, fix string
	}{
		{backfill.Scope{From: []string{"1", "2"}}, "2 values", "at most"},
		{backfill.Scope{To: []string{"many"}}, "bigint", "range"},
		{backfill.Scope{From: []string{"10"}, To: []string{"5"}}, "no key is in the range from ('10') to ('5')", "--from below --to"},
		{backfill.Scope{From: []string{"5"}, To: []string{"5"}}, "not above the beginning", "--from below --to"},
		{backfill.Scope{Where: "n >"}, "syntax", "condition"},
		{backfill.Scope{Where: "nextval('counted') > 0"}, "read-only", "may only read"},
		{backfill.Scope{Where: "true)); COMMIT; CREATE TABLE planted AS SELECT 1 AS a; SELECT ((true"}, "multiple commands", "condition"},
		{backfill.Scope{Columns: []string{"n"}}, "takes whole rows", "without --columns"},
	} {
		job := s.backfillOf(events, fmt.Sprint("refused ", i), refused.scope, backfill.Failed)
		if !strings.Contains(job.Why, refused.why) || !strings.Contains(job.Fix, refused.fix) || job.Rows != 0 {
			t.Errorf("%+v: why %q, fix %q, %d rows; want %q, %q", refused.scope, job.Why, job.Fix, job.Rows, refused.why, refused.fix)
		}
	}
	if s.one("SELECT (to_regclass('planted') IS NULL)::text") != "true" {
		t.Error("a condition has carried out a statement of its own")
	}
	c.finish()
	s.cfg.Backfill.Initial = true
	core, logs := observer.New(zap.WarnLevel)
	c = s.startWith(zap.New(core))
	eventually(t, "it is told that content was never read", func() bool {
		return logs.FilterMessageSnippet("no effect after the first start").FilterField(zap.String("tables", "public.content")).Len() == 1
	})
	c.finish()
}

// TestKeysWithBackslashes are found, also where the database takes these for escapes.
func TestKeysWithBackslashes(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("paths", `CREATE TABLE paths (id text PRIMARY KEY); INSERT INTO paths VALUES ('a\b'), ('it''s'), ('c:\')`)
	c := s.startStreaming()
	if job := s.backfillOf(table, "all", backfill.Scope{}, backfill.Done); job.Rows != 3 {
		t.Errorf("%d rows, want 3", job.Rows)
	}
	c.finish()
	s.exec("ALTER DATABASE " + s.one("SELECT quote_ident(current_database())") + " SET standard_conforming_strings = off")
	c = s.startStreaming()
	if err := cdc.Send(t.Context(), s.cfg, cdc.Command{ID: "swept", Do: cdc.DoStart, Tables: []schema.TableName{table}, Sweep: true}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sweep is done", func() bool { job := s.job(table); return job.ID == "swept" && job.State == backfill.Done })
	if job := s.job(table); job.Deleted != 0 || job.Rows != 3 {
		t.Errorf("%d rows deleted that are there, %d read, want 3", job.Deleted, job.Rows)
	}
	if job := s.backfillOf(table, "range", backfill.Scope{From: []string{`a\b`}, To: []string{`a\c`}}, backfill.Done); job.Rows != 1 {
		t.Errorf("%d rows in the range, want 1", job.Rows)
	}
	c.finish()
}

// TestTheRateOfABackfill is kept also where the table is smaller than a chunk: 8000 rows, of which the last second's
// may come at once, at 2000 a second.
func TestTheRateOfABackfill(t *testing.T) {
	s := newSource(t)
	table := s.tableOf("slow", "CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow SELECT generate_series(1, 8000)")
	s.cfg.Backfill = cdc.Backfill{Readers: 2, Rate: 2000}
	c := s.startStreaming()
	begun := time.Now()
	job := s.backfillOf(table, "slow", backfill.Scope{}, backfill.Done)
	if took := time.Since(begun); job.Rows != 8000 || took < 2*time.Second {
		t.Errorf("%d rows in %s, want 8000 in no less than 2 s", job.Rows, took)
	}
	c.finish()
}
