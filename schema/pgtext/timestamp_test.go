package pgtext_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"penstock/schema/pgtext"
)

func TestParseDate(t *testing.T) {
	for _, c := range []struct {
		text string
		days int64
		inf  pgtext.Infinity
		java string
	}{
		{"1970-01-01", 0, 0, "1970-01-01"},
		{"2025-08-25", 20325, 0, "2025-08-25"},
		{"2024-02-29", 19782, 0, "2024-02-29"},
		{"1582-10-10", -141432, 0, "1582-10-10"}, // proleptic: the day that other calendars skip
		{"0001-01-01", -719162, 0, "0001-01-01"},
		{"0001-12-31 BC", -719163, 0, "0000-12-31"},
		{"0001-02-29 BC", -719469, 0, "0000-02-29"}, // 1 BC is a leap year
		{"0044-03-15 BC", -735160, 0, "-0043-03-15"},
		{"4714-11-24 BC", -2440588, 0, "-4713-11-24"},
		{"10000-01-01", 2932897, 0, "+10000-01-01"},
		{"5874897-12-31", 2145042905, 0, "+5874897-12-31"},
		{"infinity", 0, 1, ""},
		{"-infinity", 0, -1, ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			days, inf, err := pgtext.ParseDate([]byte(c.text))
			if days != c.days || inf != c.inf || err != nil {
				t.Errorf("got %d, %d, %v, want %d, %d", days, inf, err, c.days, c.inf)
			}
			if got := string(pgtext.AppendDate(nil, days)); inf == 0 && got != c.java {
				t.Errorf("printed %s, want %s", got, c.java)
			}
		})
	}
}

func TestParseDateErrors(t *testing.T) {
	for _, text := range []string{
		"", "2025", "2025-08", "2025-08-", "2025-8-25", "2025-08-2", "25-08-25", "2025-08-25 ", "2025-08-25x", "2025-08-25 AD", "2025-08-25 BCE",
		"2025-00-01", "2025-13-01", "2025-01-00", "2025-04-31", "2025-02-29", "1900-02-29", "0002-02-29 BC", "0000-01-01", "-2025-01-01",
		"5874898-01-01", "4714-11-23 BC", "99999999-01-01", "infinityx", "-inf", "2025/08/25", "25.08.2025",
	} {
		if days, inf, err := pgtext.ParseDate([]byte(text)); err == nil {
			t.Errorf("%q: got %d, %d, want an error", text, days, inf)
		}
	}
}

// All days of the Gregorian calendar as package time knows it, one in 97.
func TestDaysAgreeWithPackageTime(t *testing.T) {
	for days := int64(-719162); days < 2932897; days += 97 {
		want := time.Unix(days*86400, 0).UTC().Format(time.DateOnly)
		text := pgtext.AppendDate(nil, days)
		got, _, err := pgtext.ParseDate(text)
		if string(text) != want || got != days || err != nil {
			t.Fatalf("day %d: printed %s, want %s; read back %d, %v", days, text, want, got, err)
		}
	}
}

type timestampCase struct {
	text         string
	days, micros int64
	java         string
}

const hour = 3_600_000_000

func TestSplitTimestamp(t *testing.T) {
	for _, c := range []timestampCase{
		{"1970-01-01 00:00:00", 0, 0, "1970-01-01T00:00:00"},
		{"2025-08-25 16:13:40.436907", 20325, 16*hour + 820_436_907, "2025-08-25T16:13:40.436907"},
		{"2025-08-25 16:13:40.4", 20325, 16*hour + 820_400_000, "2025-08-25T16:13:40.4"},
		{"1969-12-31 23:59:59.999999", -1, 24*hour - 1, "1969-12-31T23:59:59.999999"},
		{"0044-03-15 12:00:00 BC", -735160, 12 * hour, "-0043-03-15T12:00:00"},
		{"4714-11-24 00:00:00 BC", -2440588, 0, "-4713-11-24T00:00:00"},
		{"294247-01-10 04:00:54.775807", 106751991, 4*hour + 54_775_807, "+294247-01-10T04:00:54.775807"},
		{"294276-12-31 23:59:59.999999", 106762939, 24*hour - 1, "+294276-12-31T23:59:59.999999"},
	} {
		t.Run(c.text, func(t *testing.T) {
			days, micros, inf, err := pgtext.SplitTimestamp([]byte(c.text))
			if days != c.days || micros != c.micros || inf != 0 || err != nil {
				t.Errorf("got %d, %d, %d, %v, want %d, %d", days, micros, inf, err, c.days, c.micros)
			}
			if got := string(pgtext.AppendTimestamp(nil, days, micros)); got != c.java {
				t.Errorf("printed %s, want %s", got, c.java)
			}
		})
	}
}

func TestSplitTimestamptz(t *testing.T) {
	for _, c := range []timestampCase{
		{"2025-08-25 16:13:40.436907+00", 20325, 16*hour + 820_436_907, ""},
		{"2025-08-25 00:30:00+05:30", 20324, 19 * hour, ""},
		{"2025-08-25 23:00:00-07", 20326, 6 * hour, ""},
		{"1890-01-01 00:00:00+00:57:44", -29220, 23*hour + 136_000_000, ""}, // Prague's mean time
		{"0044-03-15 12:00:00+00 BC", -735160, 12 * hour, ""},
		{"0001-01-01 00:30:00+01", -719163, 23*hour + hour/2, ""},
		{"0001-12-31 23:30:00-01 BC", -719162, hour / 2, ""},
		{"4714-11-24 05:30:00+05:30 BC", -2440588, 0, ""},
		{"294276-12-31 23:59:59.999999+00", 106762939, 24*hour - 1, ""},
		{"294277-01-01 00:59:59.999999+01", 106762939, 24*hour - 1, ""},
	} {
		t.Run(c.text, func(t *testing.T) {
			days, micros, inf, err := pgtext.SplitTimestamptz([]byte(c.text))
			if days != c.days || micros != c.micros || inf != 0 || err != nil {
				t.Errorf("got %d, %d, %d, %v, want %d, %d", days, micros, inf, err, c.days, c.micros)
			}
		})
	}
}

func TestParseTimestamp(t *testing.T) {
	for _, c := range []struct {
		text   string
		micros int64
		inf    pgtext.Infinity
	}{
		{"2025-08-25 16:13:40.436907", 1756138420436907, 0},
		{"1969-12-31 23:59:59.999999", -1, 0},
		{"4714-11-24 00:00:00 BC", -210866803200000000, 0},
		{"294247-01-10 04:00:54.775807", math.MaxInt64, 0},
		{"infinity", 0, 1},
		{"-infinity", 0, -1},
	} {
		micros, inf, err := pgtext.ParseTimestamp([]byte(c.text))
		if micros != c.micros || inf != c.inf || err != nil {
			t.Errorf("%s: got %d, %d, %v, want %d, %d", c.text, micros, inf, err, c.micros, c.inf)
		}
		zoned := c.text
		if inf == 0 {
			zoned = "2025-08-25 18:13:40.436907+02"
			c.micros = 1756138420436907
		}
		micros, inf, err = pgtext.ParseTimestamptz([]byte(zoned))
		if micros != c.micros || inf != c.inf || err != nil {
			t.Errorf("%s: got %d, %d, %v, want %d, %d", zoned, micros, inf, err, c.micros, c.inf)
		}
	}
	for _, text := range []string{"294247-01-10 04:00:54.775808", "294247-01-11 00:00:00", "294276-12-31 23:59:59.999999"} {
		if micros, _, err := pgtext.ParseTimestamp([]byte(text)); !errors.Is(err, pgtext.ErrOverflow) {
			t.Errorf("%s: got %d, %v, want ErrOverflow", text, micros, err)
		}
		if micros, _, err := pgtext.ParseTimestamptz([]byte(text + "+00")); !errors.Is(err, pgtext.ErrOverflow) {
			t.Errorf("%s+00: got %d, %v, want ErrOverflow", text, micros, err)
		}
	}
}

func TestTimestampErrors(t *testing.T) {
	for _, text := range []string{
		"", "2025-08-25", "2025-08-25 ", "2025-08-25 16", "2025-08-25 16:13", "2025-08-25 16:13:4", "2025-08-25 16:13:40.", "2025-08-25 16:13:40.1234567",
		"2025-08-25 16:60:00", "2025-08-25 16:00:60", "2025-08-25 25:00:00", "2025-08-25 24:00:01", "2025-08-25T16:13:40", "2025-08-25 16:13:40+00",
		"2025-08-25 16:13:40 AD", "2025-02-30 16:13:40", "294277-01-01 00:00:00", "4714-11-23 23:59:59 BC", "294276-12-31 24:00:00", "infinity BC",
	} {
		if days, micros, _, err := pgtext.SplitTimestamp([]byte(text)); err == nil {
			t.Errorf("%q: got %d, %d, want an error", text, days, micros)
		}
	}
	for _, text := range []string{
		"", "2025-08-25 16:13:40", "2025-08-25 16:13:40Z", "2025-08-25 16:13:40+0", "2025-08-25 16:13:40+16", "2025-08-25 16:13:40+01:", "2025-08-25 16:13:40+01:60",
		"2025-08-25 16:13:40+01:00:00:00", "2025-08-25 16:13:40 BC+00", "2025-08-25 16:13:40 CEST", "4714-11-24 00:00:00+01 BC", "294276-12-31 23:59:59-01",
	} {
		if days, micros, _, err := pgtext.SplitTimestamptz([]byte(text)); err == nil {
			t.Errorf("%q: got %d, %d, want an error", text, days, micros)
		}
	}
}

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		text   string
		micros int64
		java   string
	}{
		{"00:00:00", 0, "00:00:00"},
		{"16:13:40.436907", 16*hour + 820_436_907, "16:13:40.436907"},
		{"23:59:59.00001", 24*hour - 999_990, "23:59:59.00001"},
		{"24:00:00", 24 * hour, "24:00:00"},
	} {
		micros, err := pgtext.ParseTime([]byte(c.text))
		if micros != c.micros || err != nil {
			t.Errorf("%s: got %d, %v, want %d", c.text, micros, err, c.micros)
		}
		if got := string(pgtext.AppendTime(nil, micros)); got != c.java {
			t.Errorf("%s: printed %s, want %s", c.text, got, c.java)
		}
	}
	for _, text := range []string{"", "1:00:00", "24:00:00.000001", "12:00", "12:00:00 ", "12:00:00+00", "12:00:00,5", "-12:00:00"} {
		if micros, err := pgtext.ParseTime([]byte(text)); err == nil {
			t.Errorf("%q: got %d, want an error", text, micros)
		}
	}
}

func TestParseTimetz(t *testing.T) {
	for _, c := range []struct {
		text   string
		micros int64
		offset int32
	}{
		{"12:00:00+00", 12 * hour, 0},
		{"12:00:00-07", 12 * hour, -7 * 3600},
		{"12:00:00.5+05:30", 12*hour + 500_000, 19800},
		{"24:00:00-15:59:59", 24 * hour, -57599},
	} {
		micros, offset, err := pgtext.ParseTimetz([]byte(c.text))
		if micros != c.micros || offset != c.offset || err != nil {
			t.Errorf("%s: got %d, %d, %v, want %d, %d", c.text, micros, offset, err, c.micros, c.offset)
		}
	}
	for _, text := range []string{"", "12:00:00", "12:00:00Z", "12:00:00+", "12:00:00+1", "12:00:00+00x"} {
		if micros, offset, err := pgtext.ParseTimetz([]byte(text)); err == nil {
			t.Errorf("%q: got %d, %d, want an error", text, micros, offset)
		}
	}
}
