package engagement_test

import (
	"testing"

	"penstock/sink/engagement"
)

func TestUUIDRoundTrip(t *testing.T) {
	const text = "11111111-aaaa-1111-1111-111111111111"
	u, err := engagement.ParseUUID(text)
	if err != nil || u.String() != text {
		t.Errorf("got %s, %v", u, err)
	}
	for _, bad := range []string{"", "11111111", "11111111-aaaa-1111-1111-11111111111g", "111111111aaaa-1111-1111-111111111111", text + "1"} {
		if _, err := engagement.ParseUUID(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
