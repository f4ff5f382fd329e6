package debezium

import (
	"math"
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

func (m *mapping) interval() codec {
	if m.Interval == IntervalString {
		k := printed("io.debezium.time.Interval", "P0Y0M0DT0H0M0S", 64, appendISOInterval)
		k.alone = true
		return k
	}
	k := number(named(connect.Int64, "io.debezium.time.MicroDuration"), intervalMicros)
	k.alone = true
	return k
}

// intervalMicros goes through doubles in the connector's order of operations, so
// that it rounds as it does.
func intervalMicros(text []byte) (int64, error) {
	iv, err := pgtext.ParseInterval(text)
	switch {
	case err != nil:
		return 0, err
	case iv.Infinity > 0:
		return math.MaxInt64, nil
	case iv.Infinity < 0:
		return math.MinInt64, nil
	}
	const daysPerMonth = 365.25 / 12
	hours, minutes, seconds, micros := clock(iv.Micros)
	// The conversions keep the compiler from fusing a product with a sum.
	days := float64(float64(iv.Months)*daysPerMonth) + float64(iv.Days)
	inMinutes := float64((float64(days*24)+float64(hours))*60) + float64(minutes)
	inSeconds := float64(inMinutes*60) + (float64(seconds) + float64(micros)/1e6)
	return truncate(float64(inSeconds * 1e6)), nil
}

// truncate is Java's cast of a double to a long.
func truncate(f float64) int64 {
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// clock parts microseconds; all parts have their sign.
func clock(total int64) (hours, minutes, seconds, micros int64) {
	return total / (3600 * microsPerSecond), total / (60 * microsPerSecond) % 60,
		total / microsPerSecond % 60, total % microsPerSecond
}

// appendISOInterval appends all parts, also those that are 0: P1Y2M3DT4H5M6.78S.
func appendISOInterval(dst, text []byte) ([]byte, error) {
	iv, err := pgtext.ParseInterval(text)
	switch {
	case err != nil:
		return dst, err
	case iv.Infinity > 0:
		return append(dst, "infinity"...), nil
	case iv.Infinity < 0:
		return append(dst, "-infinity"...), nil
	}
	hours, minutes, seconds, micros := clock(iv.Micros)
	part := func(before string, n int64, unit byte) {
		dst = append(strconv.AppendInt(append(dst, before...), n, 10), unit)
	}
	part("P", int64(iv.Months/12), 'Y')
	part("", int64(iv.Months%12), 'M')
	part("", int64(iv.Days), 'D')
	part("T", hours, 'H')
	part("", minutes, 'M')
	if seconds < 0 || micros < 0 {
		dst = append(dst, '-')
		seconds, micros = -seconds, -micros
	}
	dst = strconv.AppendInt(dst, seconds, 10)
	return append(pgtext.AppendFraction(dst, micros), 'S'), nil
}
