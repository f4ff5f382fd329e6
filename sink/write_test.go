package sink_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/storetest"
)

func TestCoalesceKeepsWhatIsNewestSomewhere(t *testing.T) {
	here := sink.Row{Engagement: someEvent(1, 1)}
	there := here
	there.Time += 1_000_000
	gone := storetest.Remove(30, there)
	cases := []struct {
		name   string
		writes []sink.Write
		want   []int // indexes that stay
	}{
		{"an older row at the same place", []sink.Write{storetest.Put(10, here), storetest.Put(20, here)}, []int{1}},
		{"an older row at another place that nobody cleared", []sink.Write{storetest.Put(10, there), storetest.Put(20, here)}, []int{0, 1}},
		{"a row that moved", append(storetest.Move(20, here, there), storetest.Put(10, here)), []int{0, 1}},
		{"a row that was deleted", append([]sink.Write{storetest.Put(20, there)}, gone...), []int{1, 2}},
		{"a row above its delete", append([]sink.Write{storetest.Put(40, there)}, gone...), []int{0}},
		{"a repeated write", []sink.Write{gone[0], gone[0]}, []int{0, 1}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var want []sink.Write
			for _, i := range c.want {
				want = append(want, c.writes[i])
			}
			if diff := cmp.Diff(want, sink.Coalesce(c.writes)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUUIDRoundTrip(t *testing.T) {
	const text = "11111111-aaaa-1111-1111-111111111111"
	u, err := sink.ParseUUID(text)
	if err != nil || u.String() != text {
		t.Errorf("got %s, %v", u, err)
	}
	for _, bad := range []string{"", "11111111", "11111111-aaaa-1111-1111-11111111111g", "111111111aaaa-1111-1111-111111111111", text + "1"} {
		if _, err := sink.ParseUUID(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
