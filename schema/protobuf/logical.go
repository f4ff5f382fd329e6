package protobuf

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendDate appends the fields of a google.type.Date. days count from 1970-01-01.
func appendDate(dst []byte, days int32) []byte {
	year, month, day := civil(int64(days))
	dst = appendInt(dst, 1, year)
	dst = appendInt(dst, 2, month)
	return appendInt(dst, 3, day)
}

// appendTime appends the fields of a google.type.TimeOfDay. What lies outside one
// day wraps around, so 24:00:00 is midnight.
func appendTime(dst []byte, millis int32) []byte {
	const day = 24 * 60 * 60 * 1000
	rest := (int64(millis)%day + day) % day
	dst = appendInt(dst, 1, rest/3_600_000)
	dst = appendInt(dst, 2, rest/60_000%60)
	dst = appendInt(dst, 3, rest/1000%60)
	return appendInt(dst, 4, rest%1000*1_000_000)
}

// appendTimestamp appends the fields of a google.protobuf.Timestamp. millis count
// from the Unix epoch.
func appendTimestamp(dst []byte, millis int64) []byte {
	seconds, rest := millis/1000, millis%1000
	if rest < 0 {
		seconds, rest = seconds-1, rest+1000
	}
	dst = appendInt(dst, 1, seconds)
	return appendInt(dst, 2, rest*1_000_000)
}

// appendInt appends an integer field unless it is zero.
func appendInt(dst []byte, number protowire.Number, n int64) []byte {
	if n == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, number, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(n))
}

// civil is the date in the calendar of its time, as Java's is: Gregorian from
// 1582-10-15, Julian before. The year before 1 is 0.
func civil(days int64) (year, month, day int64) {
	const reform = -141427
	if days >= reform {
		y, m, d := time.Unix(days*24*60*60, 0).UTC().Date()
		return int64(y), int64(m), int64(d)
	}
	// Count from 1 March of a leap year before every date: whole cycles of four
	// years, then months of which only the last, February, is odd.
	const cycle, cycles = 4*365 + 1, 1_500_000
	const march = 2440588 + 32082 // days from 1 March of the year -4800 to 1970-01-01
	n := days + march + cycle*cycles
	years := (4*n + 3) / cycle
	dayOfYear := n - cycle*years/4
	m := (5*dayOfYear + 2) / 153
	day = dayOfYear - (153*m+2)/5 + 1
	return years - 4800 - 4*cycles + m/10, m + 3 - 12*(m/10), day
}
