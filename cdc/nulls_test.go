package cdc_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"google.golang.org/protobuf/encoding/protowire"

	"penstock/cdc/format"
	"penstock/cdc/registry"
	"penstock/internal/stack/stacktest"
)

// What a table is that comes to take no NULL, after rows that have some.
const (
	strictDDL     = "CREATE TABLE t (id int PRIMARY KEY, n int, s text DEFAULT 'x', d numeric(9, 2)); ALTER TABLE t REPLICA IDENTITY FULL"
	strictChanges = `INSERT INTO t VALUES (1, NULL, NULL, NULL), (2, 0, '', 0);
		UPDATE t SET n = 6, s = 'z', d = 2 WHERE id = 1;
		INSERT INTO t VALUES (4, NULL, NULL, NULL); DELETE FROM t WHERE id = 4;
		ALTER TABLE t ALTER n SET NOT NULL, ALTER s SET NOT NULL, ALTER d SET NOT NULL;
		INSERT INTO t VALUES (3, 7, 'w', 3)`
)

// TestNullOlderThanNotNull: rows that held a NULL when they were written say so,
// although their column takes none by the time they are read, and their schema allows it. Rows
// after the next change of the table have a schema that does not.
func TestNullOlderThanNotNull(t *testing.T) {
	for name, test := range map[string]struct {
		format format.Format
		want   []string // the images, and in debezium with schemas whether n, s and d are optional
	}{
		"json": {format.Format{Kind: format.JSON}, []string{
			`null {"id":1,"n":null,"s":null,"d":null}`, `null {"id":2,"n":0,"s":"","d":0.00}`,
			`null {"id":1,"n":6,"s":"z","d":2.00}`, `null {"id":4,"n":null,"s":null,"d":null}`, `null `, `null {"id":3,"n":7,"s":"w","d":3.00}`,
		}},
		"debezium": {format.Format{Schemas: true}, []string{
			`null {"id":1,"n":null,"s":null,"d":null} true true true`, `null {"id":2,"n":0,"s":"","d":"AA=="} true true true`,
			`{"id":1,"n":null,"s":null,"d":null} {"id":1,"n":6,"s":"z","d":"AMg="} true true true`,
			`null {"id":4,"n":null,"s":null,"d":null} true true true`, `{"id":4,"n":null,"s":null,"d":null} null true true true`, `null `,
			`null {"id":3,"n":7,"s":"w","d":"ASw="} false false false`,
		}},
		"text": {format.Format{Kind: format.Text}, []string{
			`null {"id":1,"n":null,"s":null,"d":null}`, `null {"id":2,"n":0,"s":"","d":"0.00"}`,
			`{"id":1,"n":null,"s":null,"d":null} {"id":1,"n":6,"s":"z","d":"2.00"}`,
			`null {"id":4,"n":null,"s":null,"d":null}`, `{"id":4,"n":null,"s":null,"d":null} null`, `null `,
			`null {"id":3,"n":7,"s":"w","d":"3.00"}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), strictDDL, "t")
			s.cfg.Tables[0].Format, s.cfg.Partitions = test.format, 1
			s.startStreaming().finish()
			s.exec(strictChanges)
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
	type rows struct{ Before, After json.RawMessage }
	var envelope struct {
		Schema *struct {
			Fields []struct{ Fields []struct{ Optional bool } }
		}
		Payload rows
		rows
	}
	if len(value) == 0 {
		return "null "
	}
	if err := json.Unmarshal(value, &envelope); err != nil {
		t.Fatal(err)
	}
	switch {
	case envelope.Schema == nil && envelope.Before == nil && envelope.After == nil:
		return "null " + string(value)
	case envelope.Schema == nil:
		return string(envelope.Before) + " " + string(envelope.After)
	}
	line := string(envelope.Payload.Before) + " " + string(envelope.Payload.After)
	for _, column := range envelope.Schema.Fields[0].Fields[1:] {
		line += map[bool]string{true: " true", false: " false"}[column.Optional]
	}
	return line
}

// TestNullOlderThanNotNullWithARegistry: in Avro as in Protobuf a NULL is none of the zeros.
func TestNullOlderThanNotNullWithARegistry(t *testing.T) {
	url := stacktest.Registry(t)
	admin, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kind format.Kind
		read func(t *testing.T, admin *sr.Client, value []byte) string
		want []string
	}{
		{format.Avro, avroImages, []string{
			`null {"d":null,"id":1,"n":null,"s":null}`, `null {"d":0,"id":2,"n":0,"s":""}`,
			`{"d":null,"id":1,"n":null,"s":null} {"d":2,"id":1,"n":6,"s":"z"}`,
			`null {"d":null,"id":4,"n":null,"s":null}`, `{"d":null,"id":4,"n":null,"s":null} null`, ``, `null {"d":3,"id":3,"n":7,"s":"w"}`,
		}},
		{format.Protobuf, protobufImages, []string{"[] [1]", "[] [1 2 3 4]", "[1] [1 2 3 4]", "[] [1]", "[1] []", "", "[] [1 2 3 4]"}},
	} {
		t.Run(test.kind.String(), func(t *testing.T) {
			r, err := registry.Open(registry.Config{URLs: []string{url}, AutoRegister: true})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			s := newTables(t, stacktest.Database(t), strictDDL, "t")
			s.cfg.Tables[0].Format = format.Format{Kind: test.kind, Registry: r}
			s.startStreaming().finish()
			s.exec(strictChanges)
			c := s.startStreaming()
			var got []string
			for _, record := range s.read(s.cfg.Tables[0].Topic, len(test.want)) {
				line := ""
				if record.Value != nil {
					line = test.read(t, admin, record.Value)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			c.finish()
		})
	}
}

// avroImages prints the row images by the registered schema.
func avroImages(t *testing.T, admin *sr.Client, value []byte) string {
	t.Helper()
	id, rest, err := new(sr.ConfluentHeader).DecodeID(value)
	if err != nil {
		t.Fatal(err)
	}
	known, err := admin.SchemaByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := avro.Parse(known.Schema)
	if err != nil {
		t.Fatal(err)
	}
	var envelope map[string]any
	if _, err := s.Decode(rest, &envelope); err != nil {
		t.Fatal(err)
	}
	var line []string
	for _, row := range []any{envelope["before"], envelope["after"]} {
		if columns, is := row.(map[string]any); is {
			if d, is := columns["d"].(*big.Rat); is {
				columns["d"] = json.Number(d.RatString())
			}
		}
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		line = append(line, string(text))
	}
	return strings.Join(line, " ")
}

// protobufImages prints which columns, by their numbers, the row images have.
func protobufImages(t *testing.T, _ *sr.Client, value []byte) string {
	t.Helper()
	_, rest, err := new(sr.ConfluentHeader).DecodeID(value)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, err = new(sr.ConfluentHeader).DecodeIndex(rest, 1)
	if err != nil {
		t.Fatal(err)
	}
	images := make([][]protowire.Number, 2) // before is the envelope's first field, after the second
	each := func(message []byte, use func(protowire.Number, []byte)) {
		for len(message) > 0 {
			number, _, n := protowire.ConsumeField(message)
			if n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			_, _, tag := protowire.ConsumeTag(message)
			use(number, message[tag:n])
			message = message[n:]
		}
	}
	each(rest, func(number protowire.Number, field []byte) {
		if int(number) > len(images) {
			return
		}
		row, _ := protowire.ConsumeBytes(field)
		each(row, func(column protowire.Number, _ []byte) { images[number-1] = append(images[number-1], column) })
	})
	return fmt.Sprint(images[0], images[1])
}
