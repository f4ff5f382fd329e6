package cdc_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/sr"

	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
)

// alteration is a change of the table's columns, and one row behind it.
type alteration struct {
	ddl, values string
	versions    int  // of the subject, afterwards
	refused     bool // at first, by a registry that demands that new readers can read old records
}

// TestSchemasEvolve: each change of the columns is a new version of the subject if a
// real registry says that it is compatible. Else the capture stops, and goes on without
// a loss once the registry takes the schema.
func TestSchemasEvolve(t *testing.T) {
	url := stacktest.Registry(t)
	for _, test := range []struct {
		kind  format.Kind
		steps []alteration
	}{
		{format.Avro, []alteration{
			{"ALTER TABLE t ADD COLUMN more text", "2, 'b', 2, 'x'", 2, false},
			{"ALTER TABLE t DROP COLUMN v", "3, 3, 'y'", 3, false},
			{"ALTER TABLE t RENAME COLUMN more TO other", "4, 4, 'z'", 4, false},
			{"ALTER TABLE t ALTER COLUMN n TYPE bigint", "5, 5, 'z'", 5, false},
			{"ALTER TABLE t ADD COLUMN must int NOT NULL DEFAULT 7", "6, 6, 'z', 6", 6, false},
			{"ALTER TABLE t DROP COLUMN must", "7, 7, 'z'", 6, false}, // as version 5
			{"ALTER TABLE t ALTER COLUMN n TYPE text", "8, 'eight', 'z'", 7, true},
		}},
		// The fields of Protobuf are numbered in the order of the columns, as Confluent's
		// converter does it, so a column can only be added behind all others.
		{format.Protobuf, []alteration{
			{"ALTER TABLE t ADD COLUMN more text", "2, 'b', 2, 'x'", 2, false},
			{"ALTER TABLE t DROP COLUMN more", "3, 'c', 3", 2, false}, // as version 1
			{"ALTER TABLE t ALTER COLUMN n TYPE bigint", "4, 'd', 4", 3, true},
			{"ALTER TABLE t ADD COLUMN more numeric", "5, 'e', 5, 5.5", 4, false},
			{"ALTER TABLE t DROP COLUMN v", "6, 6, 6.5", 5, true},
		}},
	} {
		t.Run(test.kind.String(), func(t *testing.T) { evolves(t, url, test.kind, test.steps) })
	}
}

func evolves(t *testing.T, url string, kind format.Kind, steps []alteration) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, v text, n int)", "t")
	r, err := registry.Open(registry.Config{URLs: []string{url}, AutoRegister: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s.cfg.Tables[0].Format = format.Format{Kind: kind, Registry: r}
	admin, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	topic := s.cfg.Tables[0].Topic
	demand := func(level sr.CompatibilityLevel) {
		t.Helper()
		for _, result := range admin.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}, topic+"-value") {
			if result.Err != nil {
				t.Fatal(result.Err)
			}
		}
	}
	versionsAre := func(n int) {
		t.Helper()
		got, err := admin.SubjectVersions(t.Context(), topic+"-value")
		if err != nil {
			t.Fatal(err)
		}
		want := []int{}
		for i := range n {
			want = append(want, i+1)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("versions (-want +got):\n%s", diff)
		}
	}
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'a', 1)")
	s.read(topic, 1)
	demand(sr.CompatBackward)
	versions := 1
	for i, step := range steps {
		s.exec(step.ddl)
		s.exec("INSERT INTO t VALUES (" + step.values + ")")
		if step.refused {
			expect(t, c.wait(), fault.Refused, "subject "+topic+"-value", "not compatible")
			versionsAre(versions)
			demand(sr.CompatNone)
			c = s.startStreaming()
		}
		if got := len(s.read(topic, i+2)); got != i+2 {
			t.Errorf("%s: %d records, want %d", step.ddl, got, i+2)
		}
		versions = step.versions
		versionsAre(versions)
		demand(sr.CompatBackward)
	}
	c.finish()
}
