package plan_test

import (
	"testing"

	"penstock/schema"
	"penstock/sink/plan"
)

// keyed is a pipeline of which only the key of the hash is of interest.
func keyed(t testing.TB, key string) *plan.Plan {
	t.Helper()
	p, problems := plan.Compile(&plan.Declaration{
		Name: "keyed",
		Stream: plan.Side{Table: schema.TableName{Schema: "s", Name: "s"}, Join: "a", Columns: []plan.Column{
			{Name: "a", Type: plan.Text, NotNull: true}, {Name: "b", Type: plan.Text, NotNull: true}, {Name: "at", Type: plan.Time, NotNull: true},
		}},
		Key:       []string{"a", "b"},
		Lookup:    plan.Side{Table: schema.TableName{Schema: "s", Name: "l"}, Join: "a", Columns: []plan.Column{{Name: "a", Type: plan.Text, NotNull: true}}},
		Columns:   []plan.Output{{Name: "a", Expr: "stream.a"}, {Name: "b", Expr: "stream.b"}, {Name: "at", Expr: "stream.at"}},
		Cassandra: plan.Target{Table: "t", Partition: []string{"a", "b"}},
		Redis:     plan.Hash{Key: key},
	})
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	return p
}

func FuzzParseKey(f *testing.F) {
	plans := []*plan.Plan{keyed(f, "p:{a}:{b}"), keyed(f, "p{b}-x:y{a}: {at}:end"), keyed(f, "q{at}:{a}:{b}")}
	f.Add("a", "b", int64(0), "p:a:b")
	f.Add("a:b", "%3A%25:", int64(1_756_138_420_436_907), "p:%")
	f.Add("", "-x:y", int64(-1), "p:::")
	f.Fuzz(func(t *testing.T, a, b string, at int64, other string) {
		const years9999 = 253_402_300_799_000_000
		for _, p := range plans {
			row := p.NewRow()
			row[p.Slot("stream.a")], row[p.Slot("stream.b")], row[p.Slot("stream.at")] = plan.TextOf(a), plan.TextOf(b), plan.TimeOf(at%years9999/4)
			key := p.Redis.AppendKey(nil, row)
			got, err := p.ParseKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if again := p.Redis.AppendKey(nil, got); string(again) != string(key) || got[p.Slot("stream.a")] != row[p.Slot("stream.a")] {
				t.Fatalf("key %q was read as %v", key, got)
			}
			if got, err := p.ParseKey([]byte(other)); err == nil && string(p.Redis.AppendKey(nil, got)) != other {
				t.Fatalf("key %q was read as %v", other, got)
			}
		}
	})
}

func TestKeptIsAtThePrecisionOfTheColumn(t *testing.T) {
	p := plan.Engagement(schema.TableName{}, schema.TableName{}, "")
	row := p.NewRow()
	row[p.Slot("stream.event_ts")] = plan.TimeOf(-1)
	want := map[string]plan.Value{"day": plan.TimeOf(-86_400_000_000), "event_ts": plan.TimeOf(-1000), "event_ts_us": plan.TimeOf(-1), "content_id": {}}
	for i := range p.History.Columns {
		c := &p.History.Columns[i]
		if w, asked := want[c.Name]; asked && p.Kept(c, row) != w {
			t.Errorf("%s is %v, want %v", c.Name, p.Kept(c, row), w)
		}
	}
}
