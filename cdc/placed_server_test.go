package cdc_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema/shape"
)

// TestTenantsHaveTheirPartition: all rows of one tenant are in one partition, in their
// order; a row that goes to another tenant leaves a tombstone behind, and no change is
// twice or lost over a restart.
func TestTenantsHaveTheirPartition(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, tenant text, n int); ALTER TABLE t REPLICA IDENTITY FULL", "t").plainly()
	s.cfg.Partitions = 4
	s.cfg.Tables[0].Rules.Partition = []string{"tenant"}
	c := s.startStreaming()
	s.exec("INSERT INTO t SELECT i, 'tenant ' || i % 8, 0 FROM generate_series(1, 80) i")
	s.exec("UPDATE t SET n = 1 WHERE id <= 40")
	s.read(s.cfg.Tables[0].Topic, 120)
	c.finish()
	c = s.startStreaming()
	s.exec("UPDATE t SET tenant = 'tenant 9' WHERE id = 1; DELETE FROM t WHERE id = 2")
	records := s.read(s.cfg.Tables[0].Topic, 123)
	c.finish()
	if len(records) != 123 {
		t.Errorf("%d records, want 123", len(records))
	}
	hash := kgo.StickyKeyPartitioner(nil).ForTopic(s.cfg.Tables[0].Topic)
	at := func(tenant int) int32 {
		return int32(hash.Partition(&kgo.Record{Key: fmt.Appendf(nil, `{"tenant":"tenant %d"}`, tenant)}, 4))
	}
	var first, second []string
	for _, r := range records {
		line := fmt.Sprintf("%d %s", r.Partition, r.Value)
		switch string(r.Key) {
		case `{"id":1}`:
			first = append(first, line)
		case `{"id":2}`:
			second = append(second, line)
		}
	}
	slices.Sort(first)
	want := []string{
		fmt.Sprintf("%d ", at(1)), fmt.Sprintf(`%d {"id":1,"tenant":"tenant 1","n":0}`, at(1)), fmt.Sprintf(`%d {"id":1,"tenant":"tenant 1","n":1}`, at(1)),
		fmt.Sprintf(`%d {"id":1,"tenant":"tenant 9","n":1}`, at(9)),
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("row 1 (-want +got):\n%s", diff)
	}
	want = []string{fmt.Sprintf(`%d {"id":2,"tenant":"tenant 2","n":0}`, at(2)), fmt.Sprintf(`%d {"id":2,"tenant":"tenant 2","n":1}`, at(2)), fmt.Sprintf("%d ", at(2))}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("row 2, in its order (-want +got):\n%s", diff)
	}
}

// TestPlacingOutsideTheIdentityIsRefused before anything is created, and again at rows that
// were written before the identity was changed for it; these go without the rule. From
// then on a row that gets another key or partition leaves the old one.
func TestPlacingOutsideTheIdentityIsRefused(t *testing.T) {
	for name, rules := range map[string]shape.Rules{"key": {Key: []string{"tenant", "id"}}, "partition": {Partition: []string{"tenant"}}} {
		t.Run(name, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, tenant text)", "t").plainly()
			s.cfg.Tables[0].Rules = rules
			expect(t, s.refusal(), fault.Usage, "records.tables.public.t."+name, "column tenant", "REPLICA IDENTITY DEFAULT",
				"name columns of the replica identity (id)", `ALTER TABLE "public"."t" REPLICA IDENTITY FULL`)
			if slots := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = '" + s.cfg.Slot + "'"); slots != "0" {
				t.Error("the slot was created")
			}
			s.cfg.Tables[0].Rules = shape.Rules{}
			s.startStreaming().finish()
			s.exec("INSERT INTO t VALUES (1, 'a'); ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET tenant = 'b'")
			s.cfg.Tables[0].Rules = rules
			expect(t, s.refusal(), fault.Refused, "column tenant", "take the column out of records.tables.public.t."+name)
			s.cfg.Tables[0].Rules = shape.Rules{}
			c := s.startStreaming()
			s.delivered("without the rule", `{"id":1} {"id":1,"tenant":"a"}`, `{"id":1} {"id":1,"tenant":"b"}`)
			c.finish()
			s.cfg.Tables[0].Rules = rules
			c = s.startStreaming()
			s.exec("UPDATE t SET tenant = 'c'")
			records := rows(s.read(s.cfg.Tables[0].Topic, 4))
			c.finish()
			want := []string{`{"id":1}`, `{"id":1} {"id":1,"tenant":"c"}`}
			if name == "key" {
				want = []string{`{"tenant":"b","id":1}`, `{"tenant":"c","id":1} {"id":1,"tenant":"c"}`}
			}
			if diff := cmp.Diff(want, records[2:]); diff != "" {
				t.Errorf("a row that leaves (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKeyOutsideTheIdentityIsRefused at the first change that may be one of the key, which the
// log would not show: a primary key, where an index of other columns is the identity.
func TestKeyOutsideTheIdentityIsRefused(t *testing.T) {
	s := newTables(t, stacktest.Database(t), `CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL UNIQUE);
		ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key`, "t").plainly()
	expect(t, s.refusal(), fault.Usage, "USING INDEX, which does not hold its primary key", "records.tables.public.t.key: [code]")
	s.exec("ALTER TABLE t REPLICA IDENTITY DEFAULT")
	s.startStreaming().finishAt(s)
	s.exec("ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key")
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'a')")
	s.delivered("an insert", `{"id":1} {"id":1,"code":"a"}`)
	s.exec("UPDATE t SET id = 2")
	s.exec("DELETE FROM t")
	expect(t, c.wait(), fault.Refused, "want one that holds the key", "records.tables.public.t.key: [code]")
	s.cfg.Tables[0].Rules.Key = []string{"code"}
	c = s.startStreaming()
	s.delivered("by the identity", `{"id":1} {"id":1,"code":"a"}`, `{"code":"a"} {"id":2,"code":"a"}`, `{"code":"a"}`)
	c.finish()
}

// TestWhatOldRowsHold is asked of the catalogue as the log has it: a column that an index
// only includes is not held; a table that nobody can update has no old rows.
func TestWhatOldRowsHold(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int, tenant int, PRIMARY KEY (id) INCLUDE (tenant))", "t").plainly()
	s.cfg.Tables[0].Rules.Key = []string{"id", "tenant"}
	expect(t, s.refusal(), fault.Usage, "key[1]", "column tenant", "name columns of the replica identity (id)")
	for name, ddl := range map[string]string{
		"no key": "CREATE TABLE t (id int NOT NULL, v int)", "a deferrable key": "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v int)",
	} {
		t.Run(name, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), ddl, "t").plainly()
			s.cfg.Tables[0].Rules.Key = []string{"id"}
			c := s.startStreaming()
			s.exec("INSERT INTO t VALUES (1, 2)")
			s.delivered("an insert", `{"id":1} {"id":1,"v":2}`)
			c.finish()
			if _, err := s.db.Exec(t.Context(), "UPDATE t SET v = 3"); err == nil {
				t.Error("the table can be updated")
			}
		})
	}
}
