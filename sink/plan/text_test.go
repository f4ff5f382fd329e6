package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestTextsAreReadAsRecordsAre holds rows as Postgres prints them against their images
// in records, word for word.
func TestTextsAreReadAsRecordsAre(t *testing.T) {
	b, _ := exprPlan(t)
	p := b.plan
	columns, _ := p.SourceColumns()
	for _, c := range []struct{ image, texts string }{
		{
			`{"i":7,"n":null,"f":2.5,"s":"Äbc","b":true,"t":"2025-08-25T16:13:40.436907Z","u":"11111111-aaaa-1111-1111-111111111111","max":9223372036854775807,"odd name":"x"}`,
			`i=7|f=2.5|s=Äbc|b=t|t=2025-08-25 16:13:40.436907+00|u=11111111-aaaa-1111-1111-111111111111|max=9223372036854775807|odd name=x`,
		}, {
			`{"i":-7,"n":1,"f":"NaN","s":"","b":false,"t":"0001-01-01T00:00:00Z","u":"11111111-aaaa-1111-1111-111111111111","max":1,"odd name":"x"}`,
			`i=-7|n=1|f=NaN|s=|b=f|t=0001-01-01 00:00:00+00|u=11111111-aaaa-1111-1111-111111111111|max=1|odd name=x`,
		}, {
			`{"i":1,"n":1,"f":"-Infinity","s":"x","b":null,"t":"2025-08-25T16:13:40Z","u":null,"max":1,"odd name":"x"}`,
			`i=1|n=1|f=-Infinity|s=x|t=2025-08-25 16:13:40+00|max=1|odd name=x`,
		}, {
			`{"i":1,"n":1,"f":1e-300,"s":"x","b":null,"t":"infinity","u":null,"max":1,"odd name":"x"}`,
			`i=1|n=1|f=1e-300|s=x|t=infinity|max=1|odd name=x`,
		}, {
			`{"i":null,"n":1,"f":1,"s":"x","b":null,"t":"2025-08-25T16:13:40Z","u":null,"max":1,"odd name":"x"}`,
			`n=1|f=1|s=x|t=2025-08-25 16:13:40+00|max=1|odd name=x`,
		},
	} {
		texts := make([][]byte, len(columns))
		for pair := range strings.SplitSeq(c.texts, "|") {
			name, text, _ := strings.Cut(pair, "=")
			texts[slices.Index(columns, name)] = []byte(text)
		}
		want, wantErr := p.DecodeStream(json.RawMessage(c.image))
		got, err := p.ReadStream(texts)
		if (err == nil) != (wantErr == nil) || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; the record: %v, %v", c.texts, got, err, want, wantErr)
		}
	}
}

func FuzzParseValues(f *testing.F) {
	f.Add([]byte{}, "a", int64(-1))
	f.Add([]byte{4, 200}, "", int64(1)<<62)
	f.Fuzz(func(t *testing.T, any []byte, text string, n int64) {
		if _, err := ParseValues(any); err != nil && len(any) == 0 {
			t.Fatal(err) // and no panic
		}
		want := []Value{TextOf(text), {}, IntOf(n), BoolOf(n > 0), TimeOf(n), FloatOf(float64(n))}
		var key []byte
		for _, v := range want {
			key = AppendValue(key, v)
		}
		if got, err := ParseValues(key); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v was read as %v, error %v", want, got, err)
		}
	})
}
