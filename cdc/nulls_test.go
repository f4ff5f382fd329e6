package cdc_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
)

// TestNullOlderThanNotNull: rows that held a NULL when they were written say so,
// although their column takes none by the time they are read, and their schema allows it. Rows
// after the next change of the table have a schema that does not.
func TestNullOlderThanNotNull(t *testing.T) {
	const ddl = "CREATE TABLE t (id int PRIMARY KEY, n int, s text DEFAULT 'x', d numeric(9, 2)); ALTER TABLE t REPLICA IDENTITY FULL"
	const changes = `INSERT INTO t VALUES (1, NULL, NULL, NULL), (2, 5, 'y', 1.5);
		UPDATE t SET n = 6, s = 'z', d = 2 WHERE id = 1;
		ALTER TABLE t ALTER n SET NOT NULL, ALTER s SET NOT NULL, ALTER d SET NOT NULL;
		INSERT INTO t VALUES (3, 7, 'w', 3)`
	for name, test := range map[string]struct {
		format format.Format
		want   []string // the images, and in debezium with schemas whether n, s and d are optional
	}{
		"json": {format.Format{Kind: format.JSON}, []string{
			`null {"id":1,"n":null,"s":null,"d":null}`, `null {"id":2,"n":5,"s":"y","d":1.50}`,
			`null {"id":1,"n":6,"s":"z","d":2.00}`, `null {"id":3,"n":7,"s":"w","d":3.00}`,
		}},
		"debezium": {format.Format{Schemas: true}, []string{
			`null {"id":1,"n":null,"s":null,"d":null} true true true`, `null {"id":2,"n":5,"s":"y","d":"AJY="} true true true`,
			`{"id":1,"n":null,"s":null,"d":null} {"id":1,"n":6,"s":"z","d":"AMg="} true true true`,
			`null {"id":3,"n":7,"s":"w","d":"ASw="} false false false`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), ddl, "t")
			s.cfg.Tables[0].Format, s.cfg.Partitions = test.format, 1
			s.startStreaming().finish()
			s.exec(changes)
			c := s.startStreaming()
			var got []string
			for _, r := range s.read(s.cfg.Tables[0].Topic, len(test.want)) {
				got = append(got, images(t, r.Value))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			c.finish()
		})
	}
}

// images prints the row images of a record, and which of its columns but the first take a null.
func images(t *testing.T, value []byte) string {
	t.Helper()
	var envelope struct {
		Schema struct {
			Fields []struct{ Fields []struct{ Optional bool } }
		}
		Payload struct{ Before, After json.RawMessage }
	}
	if err := json.Unmarshal(value, &envelope); err != nil {
		t.Fatal(err)
	}
	if envelope.Payload.After == nil {
		return "null " + string(value)
	}
	line := string(envelope.Payload.Before) + " " + string(envelope.Payload.After)
	for _, column := range envelope.Schema.Fields[0].Fields[1:] {
		line += map[bool]string{true: " true", false: " false"}[column.Optional]
	}
	return line
}
