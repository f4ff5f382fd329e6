package cdc_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema/shape"
)

// TestNothingLeaks: what is excluded, masked or cut is in no byte that leaves the
// process: not in keys, old rows, headers, dead letters, marks, log lines or errors; a
// column that the table gets later is masked too if the pattern matches it.
func TestNothingLeaks(t *testing.T) {
	const secret = "S3CR3T"
	const ddl = `CREATE TABLE t (id int, ssn text, card text, note text, big text, PRIMARY KEY (id, ssn)); ALTER TABLE t REPLICA IDENTITY FULL`
	changes := []string{
		`INSERT INTO t VALUES (1, 'S3CR3T-1', 'S3CR3T-2', 'abcS3CR3T-3', 'x'), (2, 'S3CR3T-4', NULL, 'S3', '')`,
		`UPDATE t SET card = 'S3CR3T-5', note = 'defS3CR3T' WHERE id = 1`,
		`UPDATE t SET ssn = 'S3CR3T-6', id = 3 WHERE id = 1`,
		`ALTER TABLE t ADD ssn_of_spouse text DEFAULT 'S3CR3T-7'`,
		`INSERT INTO t VALUES (4, 'S3CR3T-8', 'S3CR3T-9', 'ghiS3CR3T', '', 'S3CR3T-10')`,
		`DELETE FROM t WHERE id = 2`,
	}
	const large = `INSERT INTO t VALUES (5, 'S3CR3T-11', 'S3CR3T-12', 'jklS3CR3T', repeat('x', 2000000), 'S3CR3T-13')`
	for _, test := range []struct {
		format    format.Format
		oversized cdc.Oversized
	}{
		{format.Format{Schemas: true, Events: format.BinaryEvents}, cdc.OversizedDeadLetter},
		{format.Format{Kind: format.JSON}, cdc.OversizedTruncate},
		{format.Format{Kind: format.Text}, cdc.OversizedStop},
	} {
		t.Run(test.format.Kind.String(), func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), ddl, "t")
			table := &s.cfg.Tables[0]
			table.Format, table.Oversized, table.Transactions, s.cfg.MarkCommits = test.format, test.oversized, true, true
			table.Rules = shape.Rules{
				Exclude:  []string{"ca*"},
				Truncate: map[string]int{"no?e": 3},
				Mask:     map[string]shape.Mask{"ssn*": {Salt: []byte("a salt of the test")}},
			}
			s.cfg.DeadLetterTopic = s.cfg.Name + ".letters"
			var logged bytes.Buffer
			core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&logged), zap.DebugLevel)
			c := s.startWith(zap.New(core))
			s.awaitStreaming()
			for _, sql := range changes {
				s.exec(sql)
			}
			records := 2 + 1 + 3 + 1 + 2
			if test.format.Kind == format.JSON {
				records -= 2 // a delete is its tombstone
			}
			s.read(table.Topic, records)
			s.exec(large)
			var out []*kgo.Record
			if test.oversized == cdc.OversizedStop {
				err := c.wait()
				expect(t, err, fault.Refused, "2000")
				logged.WriteString(err.Error())
				out = s.read(table.Topic, records)
			} else {
				s.exec("INSERT INTO t (id, ssn) VALUES (6, 'S3CR3T-14')")
				out = s.read(table.Topic, records+1)
				c.finish()
			}
			out = append(out, s.read(s.cfg.TransactionTopic, 2*len(changes)-2)...)
			if test.oversized == cdc.OversizedDeadLetter {
				out = append(out, s.read(s.cfg.DeadLetterTopic, 1)...)
			}
			if logged.Len() == 0 || bytes.Contains(logged.Bytes(), []byte(secret)) {
				t.Errorf("logged: %.2000s", logged.Bytes())
			}
			for _, r := range out {
				all := fmt.Appendf(nil, "%s %s %s", r.Key, r.Value, r.Headers)
				if bytes.Contains(all, []byte(secret)) {
					t.Errorf("%s/%d@%d: %.2000s", r.Topic, r.Partition, r.Offset, all)
				}
			}
		})
	}
}
