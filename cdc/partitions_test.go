package cdc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// partedDDL has two partitions, and two tables that can become some: with columns in
// another order, and one that was dropped.
const partedDDL = `CREATE TABLE parted (id int, region text, v text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
	CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a'); CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
	CREATE TABLE parted_c (gone int, v text, region text NOT NULL, id int NOT NULL, PRIMARY KEY (id, region)); ALTER TABLE parted_c DROP COLUMN gone;
	INSERT INTO parted_c VALUES ('from before', 'c', 0);`

// partedChanges are a row that moves, and partitions that come and go.
var partedChanges = []string{
	"INSERT INTO parted VALUES (1, 'a', 'x'), (2, 'b', 'y')",
	"UPDATE parted SET region = 'b' WHERE id = 1",
	"ALTER TABLE parted ATTACH PARTITION parted_c FOR VALUES IN ('c')",
	"INSERT INTO parted VALUES (3, 'c', 'z')",
	"UPDATE parted SET v = 'Z' WHERE id = 3",
	"ALTER TABLE parted DETACH PARTITION parted_b",
	"INSERT INTO parted_b VALUES (4, 'b', 'unpublished')",
	"DELETE FROM parted WHERE id = 0",
	"TRUNCATE parted",
}

func (s *source) summarised(topic string, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, summary(s.t, s.read(topic, len(want)))); diff != "" {
		s.t.Errorf("topic %s (-want +got):\n%s", topic, diff)
	}
}

// TestPartitionsUnderTheRootsName: the columns are in the root's order, whatever that of
// the partition is.
func TestPartitionsUnderTheRootsName(t *testing.T) {
	s := newTables(t, stacktest.Database(t), partedDDL, "parted")
	s.cfg.Tables[0].Format.Kind, s.cfg.Tables[0].NoTombstones = format.Text, true
	c := s.startStreaming()
	for _, sql := range partedChanges {
		s.exec(sql)
	}
	s.exec("INSERT INTO parted VALUES (9, 'a', 'last')")
	s.summarised(s.cfg.Tables[0].Topic,
		`{"id":1,"region":"a"} c  -> {"id":1,"region":"a","v":"x"}`,
		`{"id":2,"region":"b"} c  -> {"id":2,"region":"b","v":"y"}`,
		`{"id":1,"region":"a"} d {"id":1,"region":"a","v":null} -> `,
		`{"id":1,"region":"b"} c  -> {"id":1,"region":"b","v":"x"}`,
		`{"id":3,"region":"c"} c  -> {"id":3,"region":"c","v":"z"}`,
		`{"id":3,"region":"c"} u  -> {"id":3,"region":"c","v":"Z"}`,
		`{"id":0,"region":"c"} d {"id":0,"region":"c","v":null} -> `,
		` t  -> `,
		`{"id":9,"region":"a"} c  -> {"id":9,"region":"a","v":"last"}`,
	)
	c.finish()
}

// TestPartitionsUnderTheirOwnNames: one that is attached is captured from its first
// change on, one that is detached is not published any more.
func TestPartitionsUnderTheirOwnNames(t *testing.T) {
	s := newTables(t, stacktest.Database(t), partedDDL+"CREATE PUBLICATION p FOR TABLE parted")
	prefix := s.cfg.Name
	s.cfg.Match = func(name schema.TableName) (cdc.Table, bool) {
		return cdc.Table{Topic: prefix + "." + name.Name, Format: format.Format{Kind: format.Text}, NoTombstones: true}, strings.HasPrefix(name.Name, "parted_")
	}
	c := s.startStreaming()
	for _, sql := range partedChanges {
		s.exec(sql)
	}
	s.exec("INSERT INTO parted VALUES (9, 'a', 'last')")
	s.summarised(prefix+".parted_a",
		`{"id":1,"region":"a"} c  -> {"id":1,"region":"a","v":"x"}`,
		`{"id":1,"region":"a"} d {"id":1,"region":"a","v":null} -> `,
		` t  -> `,
		`{"id":9,"region":"a"} c  -> {"id":9,"region":"a","v":"last"}`,
	)
	s.summarised(prefix+".parted_b",
		`{"id":2,"region":"b"} c  -> {"id":2,"region":"b","v":"y"}`,
		`{"id":1,"region":"b"} c  -> {"id":1,"region":"b","v":"x"}`,
	)
	s.summarised(prefix+".parted_c",
		`{"id":3,"region":"c"} c  -> {"v":"z","region":"c","id":3}`,
		`{"id":3,"region":"c"} u  -> {"v":"Z","region":"c","id":3}`,
		`{"id":0,"region":"c"} d {"v":null,"region":"c","id":0} -> `,
		` t  -> `,
	)
	c.finish()
}
