package schema_test

import (
	"math"
	"testing"

	"penstock/schema"
)

func TestLSNRoundTrip(t *testing.T) {
	cases := []struct {
		text string
		lsn  schema.LSN
	}{
		{"0/0", 0},
		{"0/1", 1},
		{"16/B374D848", 0x16_B374D848},
		{"FFFFFFFF/FFFFFFFF", math.MaxUint64},
		{"80000000/0", 1 << 63}, // the sign bit: an LSN is not a signed number
	}
	for _, c := range cases {
		t.Run(c.text, func(t *testing.T) {
			got, err := schema.ParseLSN(c.text)
			if err != nil || got != c.lsn {
				t.Errorf("parse: got %d, %v, want %d", got, err, c.lsn)
			}
			if got := c.lsn.String(); got != c.text {
				t.Errorf("string: got %s, want %s", got, c.text)
			}
		})
	}
}

func TestLSNRefuses(t *testing.T) {
	for _, text := range []string{"", "/", "0", "0/", "/0", "0/0 ", " 0/0", "0/0/0", "G/0", "100000000/0", "0/100000000", "-1/0", "0x1/0"} {
		t.Run(text, func(t *testing.T) {
			if got, err := schema.ParseLSN(text); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

func FuzzParseLSN(f *testing.F) {
	f.Add("16/B374D848")
	f.Add("0/")
	f.Fuzz(func(t *testing.T, text string) {
		lsn, err := schema.ParseLSN(text)
		if err != nil {
			return
		}
		again, err := schema.ParseLSN(lsn.String())
		if err != nil || again != lsn {
			t.Errorf("%q: %s reads back as %s, %v", text, lsn, again, err)
		}
	})
}

func TestClockNeverGoesBack(t *testing.T) {
	clock := schema.Clock{Last: 1000}
	previous := clock.Last
	for _, commitTime := range []int64{2000, 2000, 2001, 500, -1, 3000, math.MinInt64} {
		v := clock.Tick(commitTime)
		if v < previous+2 || v < commitTime {
			t.Errorf("tick at %d: got %d after %d, want at least 2 more and not before the commit", commitTime, v, previous)
		}
		previous = v
	}
}
