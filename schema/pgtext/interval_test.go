package pgtext_test

import (
	"math"
	"testing"

	"penstock/schema/pgtext"
)

func TestParseInterval(t *testing.T) {
	for _, c := range []struct {
		text string
		want pgtext.Interval
	}{
		{"00:00:00", pgtext.Interval{}},
		{"1 mon", pgtext.Interval{Months: 1}},
		{"1 year", pgtext.Interval{Months: 12}},
		{"1 year 2 mons 3 days 04:05:06.789", pgtext.Interval{Months: 14, Days: 3, Micros: 4*hour + 306_789_000}},
		{"-1 years -2 mons +3 days -04:05:06.789", pgtext.Interval{Months: -14, Days: 3, Micros: -4*hour - 306_789_000}},
		{"-1 days +02:03:04", pgtext.Interval{Days: -1, Micros: 2*hour + 184_000_000}},
		{"1 mon -1 days", pgtext.Interval{Months: 1, Days: -1}},
		{"-00:00:00.000001", pgtext.Interval{Micros: -1}},
		{"100:00:00", pgtext.Interval{Micros: 100 * hour}},
		{"-178956970 years -8 mons", pgtext.Interval{Months: math.MinInt32}},
		{"178956970 years 7 mons 2147483647 days 2562047788:00:54.775807", pgtext.Interval{Months: math.MaxInt32, Days: math.MaxInt32, Micros: math.MaxInt64}},
		{"-2562047788:00:54.775808", pgtext.Interval{Micros: math.MinInt64}},
		{"infinity", pgtext.Interval{Infinity: 1}},
		{"-infinity", pgtext.Interval{Infinity: -1}},
	} {
		t.Run(c.text, func(t *testing.T) {
			got, err := pgtext.ParseInterval([]byte(c.text))
			if got != c.want || err != nil {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestParseIntervalErrors(t *testing.T) {
	for _, text := range []string{
		"", "1", "1 ", "1 day ", "1 dayx", "1 days 2 days", "1 mon 1 year", "1 hour", "day", "1day", "@ 1 day ago", "P1D", "1 day04:00:00", "04:05", "04:05:06 1 day",
		"04:60:00", "04:00:60", "--1 days", "2147483648 days", "178956970 years 8 mons", "2562047788:00:54.775808", "-2562047788:00:54.775809",
		"9999999999:00:00", "99999999999:00:00", "5124095577:00:00", "infinity 1 day",
	} {
		if got, err := pgtext.ParseInterval([]byte(text)); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}
