package pgtext

import "strconv"

// The days since 1970-01-01 that Postgres' calendar has, proleptic Gregorian.
const (
	minDays      = -2440588   // 4714-11-24 BC, Julian day 0
	maxDate      = 2145042905 // 5874897-12-31
	maxTimestamp = 106762939  // 294276-12-31
)

const (
	microsPerSecond = 1_000_000
	microsPerMinute = 60 * microsPerSecond
	microsPerHour   = 60 * microsPerMinute
	microsPerDay    = 24 * microsPerHour
)

// The calendar repeats every 400 years. A year that starts in March has its leap
// day last, so that the months before it always have the same lengths.
const (
	daysPerEra       = 146097
	daysToUnix       = 719468 // from 0000-03-01 to 1970-01-01
	daysPerMarchUnit = 153    // five months from March on
)

// daysOf returns the days since 1970-01-01. The year 0 is 1 BC.
func daysOf(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	ofEra := year - era*400
	ofYear := (daysPerMarchUnit*(month-3)+2)/5 + day - 1
	return era*daysPerEra + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - daysToUnix
}

// civil is the inverse of daysOf.
func civil(days int64) (year, month, day int64) {
	days += daysToUnix
	era := floorDiv(days, daysPerEra)
	ofEra := days - era*daysPerEra
	year = (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	month = (5*ofYear + 2) / daysPerMarchUnit
	day = ofYear - (daysPerMarchUnit*month+2)/5 + 1
	year += era * 400
	if month += 3; month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func daysOfMonth(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// AppendDate appends days since 1970-01-01 as java.time prints a date
// (ISO_LOCAL_DATE): the year is the proleptic one, so 1 BC is 0000 and 44 BC is
// -0043, with four digits at least, and a plus sign when it has more.
func AppendDate(dst []byte, days int64) []byte {
	year, month, day := civil(days)
	switch {
	case year < 0:
		dst = append(dst, '-')
		year = -year
	case year > 9999:
		dst = append(dst, '+')
	}
	for limit := int64(1000); limit > 1 && year < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, year, 10)
	dst = appendTwo(append(dst, '-'), month)
	return appendTwo(append(dst, '-'), day)
}

// AppendTimestamp appends days since 1970-01-01 and microseconds of that day as
// java.time prints a date and time (ISO_LOCAL_DATE_TIME), without a zone:
// -0043-03-15T12:00:00, 2025-08-25T16:13:40.4.
func AppendTimestamp(dst []byte, days, micros int64) []byte {
	return AppendTime(append(AppendDate(dst, days), 'T'), micros)
}

// AppendTime appends microseconds of a day as java.time prints a time
// (ISO_LOCAL_TIME): hours, minutes and seconds, and of a fraction as many digits
// as there are up to the last that is not 0. 24:00:00, which java.time does not
// have, is printed as it is.
func AppendTime(dst []byte, micros int64) []byte {
	dst = appendTwo(dst, micros/microsPerHour)
	dst = appendTwo(append(dst, ':'), micros/microsPerMinute%60)
	dst = appendTwo(append(dst, ':'), micros/microsPerSecond%60)
	return AppendFraction(dst, micros%microsPerSecond)
}

// AppendFraction appends the point and the digits of a fraction of a second in
// microseconds, 0 to 999,999, without zeros at the end; nothing when it is 0.
func AppendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(microsPerSecond / 10); micros > 0; unit /= 10 {
		dst = append(dst, '0'+byte(micros/unit))
		micros %= unit
	}
	return dst
}

func appendTwo(dst []byte, n int64) []byte { return append(dst, '0'+byte(n/10%10), '0'+byte(n%10)) }
