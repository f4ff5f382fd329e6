package record_test

import (
	"testing"

	"penstock/schema"
	"penstock/schema/record"
)

func TestMarks(t *testing.T) {
	source := schema.Source{CommitLSN: 0x16_B374D848, XID: 571, CommitTime: 1756138420436907}
	cases := []struct {
		name string
		mark record.Mark
		want string
	}{
		{
			"begin", record.Mark{Source: source},
			`{"status":"BEGIN","id":"571:97500059720","ts_ms":1756138420436,"event_count":null,"data_collections":null}`,
		},
		{
			"end", record.Mark{End: true, Source: source, Counts: []record.ChangedTable{
				{Table: schema.TableName{Schema: "public", Name: "a"}, Changes: 2},
				{Table: schema.TableName{Schema: "public", Name: `b"`}, Changes: 3},
			}},
			`{"status":"END","id":"571:97500059720","ts_ms":1756138420436,"event_count":5,"data_collections":[` +
				`{"data_collection":"public.a","event_count":2},{"data_collection":"public.b\"","event_count":3}]}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := string(record.AppendMark(nil, &c.mark)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if got, want := string(record.AppendMarkKey(nil, &c.mark)), `{"id":"571:97500059720"}`; got != want {
				t.Errorf("key %s, want %s", got, want)
			}
		})
	}
}
