package pgtext

import (
	"errors"
	"fmt"
	"math"
)

// Infinity is -1 for -infinity, +1 for infinity, and 0 for what is finite.
type Infinity int8

// ErrOverflow is what errors match of timestamps that Postgres holds and int64
// microseconds since the Unix epoch do not: those after 294247-01-10
// 04:00:54.775807. [SplitTimestamp] and [SplitTimestamptz] read them.
var ErrOverflow = errors.New("beyond int64 microseconds since 1970")

// ParseDate reads a date, such as 2025-08-25, 5874897-12-31, 0044-03-15 BC or
// -infinity, as days since 1970-01-01; 0 for the infinities.
func ParseDate(text []byte) (days int64, inf Infinity, err error) {
	r := reader{kind: "date", text: text}
	if inf = r.infinity(); inf != 0 {
		return 0, inf, r.end()
	}
	d, err := r.date()
	if err != nil {
		return 0, 0, err
	}
	days, err = r.daysBefore(d, maxDate)
	return days, 0, err
}

// ParseTimestamp reads a timestamp as microseconds since the Unix epoch, as if it
// were in UTC; 0 for the infinities. See [ErrOverflow].
func ParseTimestamp(text []byte) (micros int64, inf Infinity, err error) {
	days, ofDay, inf, err := SplitTimestamp(text)
	return join("timestamp", days, ofDay, inf, err)
}

// ParseTimestamptz reads a timestamp with any offset, +hh, +hh:mm or +hh:mm:ss, as
// microseconds since the Unix epoch; 0 for the infinities. See [ErrOverflow].
func ParseTimestamptz(text []byte) (micros int64, inf Infinity, err error) {
	days, ofDay, inf, err := SplitTimestamptz(text)
	return join("timestamptz", days, ofDay, inf, err)
}

// SplitTimestamp reads a timestamp, such as 2025-08-25 16:13:40.436907 or
// 0044-03-15 12:00:00 BC, as days since 1970-01-01 and microseconds of that day;
// both 0 for the infinities. It reads all that Postgres holds.
func SplitTimestamp(text []byte) (days, micros int64, inf Infinity, err error) {
	r := reader{kind: "timestamp", text: text}
	return r.timestamp(false)
}

// SplitTimestamptz is [SplitTimestamp] for a timestamp with an offset; days and
// microseconds are UTC's.
func SplitTimestamptz(text []byte) (days, micros int64, inf Infinity, err error) {
	r := reader{kind: "timestamptz", text: text}
	return r.timestamp(true)
}

func join(kind string, days, ofDay int64, inf Infinity, err error) (int64, Infinity, error) {
	if err != nil || inf != 0 {
		return 0, inf, err
	}
	const lastDay, lastMicros = math.MaxInt64 / microsPerDay, math.MaxInt64 % microsPerDay
	if days > lastDay || days == lastDay && ofDay > lastMicros {
		return 0, 0, fmt.Errorf("%s text: %w", kind, ErrOverflow)
	}
	return days*microsPerDay + ofDay, 0, nil
}

func (r *reader) timestamp(zoned bool) (days, micros int64, inf Infinity, err error) {
	if inf = r.infinity(); inf != 0 {
		return 0, 0, inf, r.end()
	}
	d, err := r.date()
	if err != nil {
		return 0, 0, 0, err
	}
	if !r.skip(' ') {
		return 0, 0, 0, r.fail("no space between date and time")
	}
	if micros, err = r.clock(); err != nil {
		return 0, 0, 0, err
	}
	if zoned {
		offset, err := r.offset()
		if err != nil {
			return 0, 0, 0, err
		}
		micros -= int64(offset) * microsPerSecond
	}
	shift := floorDiv(micros, microsPerDay)
	d.shift = shift
	days, err = r.daysBefore(d, maxTimestamp)
	return days, micros - shift*microsPerDay, 0, err
}

// infinity returns 0 when the text starts with neither of them.
func (r *reader) infinity() Infinity {
	switch {
	case r.skipWord("infinity"):
		return 1
	case r.skipWord("-infinity"):
		return -1
	}
	return 0
}

// day is a date whose era is not read yet: BC is the last word of the text.
type day struct {
	year, month, day int64 // the year of the era, from 1
	shift            int64 // days to add
}

func (r *reader) date() (d day, err error) {
	if d.year, err = r.number(4, 7); err != nil {
		return day{}, err
	}
	if !r.skip('-') {
		return day{}, r.fail("no hyphen after the year")
	}
	if d.month, err = r.number(2, 2); err != nil {
		return day{}, err
	}
	if !r.skip('-') {
		return day{}, r.fail("no hyphen after the month")
	}
	if d.day, err = r.number(2, 2); err != nil {
		return day{}, err
	}
	if d.year < 1 || d.month < 1 || d.month > 12 || d.day < 1 {
		return day{}, r.fail("there is no such date")
	}
	return d, nil
}

// daysBefore reads the era and the end of the text, and returns the day's number
// when it is not after last.
func (r *reader) daysBefore(d day, last int64) (int64, error) {
	year := d.year
	if r.skipWord(" BC") {
		year = 1 - year
	}
	if err := r.end(); err != nil {
		return 0, err
	}
	if d.day > daysOfMonth(year, d.month) {
		return 0, r.failAt(0, "there is no such date")
	}
	days := daysOf(year, d.month, d.day) + d.shift
	if days < minDays || days > last {
		return 0, r.failAt(0, "the date is out of range")
	}
	return days, nil
}
