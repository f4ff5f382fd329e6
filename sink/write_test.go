package sink_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/storetest"
)

func TestCoalesceKeepsWhatIsNewestSomewhere(t *testing.T) {
	here := engagement.Row{Event: someEvent(1, 1)}
	there := here
	there.Time += 1_000_000
	p := storetest.Engagement("").Plan
	put := func(version int64, row engagement.Row) sink.Write { return storetest.Put(version, row.Slots()) }
	gone := storetest.Remove(p, 30, there.Slots())
	cases := []struct {
		name   string
		writes []sink.Write
		want   []int // indexes that stay
	}{
		{"an older row at the same place", []sink.Write{put(10, here), put(20, here)}, []int{1}},
		{"an older row at another place that nobody cleared", []sink.Write{put(10, there), put(20, here)}, []int{0, 1}},
		{"a row that moved", append(storetest.Move(p, 20, here.Slots(), there.Slots()), put(10, here)), []int{0, 1}},
		{"a row that was deleted", append([]sink.Write{put(20, there)}, gone...), []int{1, 2}},
		{"a row above its delete", append([]sink.Write{put(40, there)}, gone...), []int{0}},
		{"a repeated write", []sink.Write{gone[0], gone[0]}, []int{0, 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var want []sink.Write
			for _, i := range c.want {
				want = append(want, c.writes[i])
			}
			if diff := cmp.Diff(want, sink.Coalesce(p, c.writes)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
