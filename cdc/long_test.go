package cdc_test

import (
	"strings"
	"testing"

	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
)

// TestLongValuesOfTheServer: what Postgres takes, arrives: all digits of a numeric, and
// JSON deeper than many a parser goes.
func TestLongValuesOfTheServer(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, n numeric, j json, b jsonb)", "t")
	const digits, levels = 100_000, 12_000
	number := strings.Repeat("1234567891", digits/10)
	deep := strings.Repeat("[", levels) + strings.Repeat("]", levels)
	for i, test := range []struct {
		format format.Format
		want   []string
	}{
		{format.Format{Kind: format.JSON}, []string{`"n":` + number + `,"j":` + deep + `,"b":[[`}},
		{format.Format{Kind: format.Text}, []string{`"n":"` + number + `"`, `"j":"` + deep + `"`}},
		{format.Format{}, []string{`"j":"` + deep + `"`}},
	} {
		s.cfg.Tables[0].Format = test.format
		c := s.startStreaming()
		if _, err := s.db.Exec(t.Context(), "INSERT INTO t VALUES ($1::text::int, $2::text::numeric, $3::text::json, $4::text::jsonb)",
			string(rune('1'+i)), number, deep, strings.Repeat("[", 5000)+strings.Repeat("]", 5000)); err != nil {
			t.Fatal(err)
		}
		value := string(s.read(s.cfg.Tables[0].Topic, i+1)[i].Value)
		for _, want := range test.want {
			if !strings.Contains(value, want) {
				t.Errorf("%s: %d bytes, without %d that have to be in them", test.format.Kind, len(value), len(want))
			}
		}
		c.finish()
	}
}
