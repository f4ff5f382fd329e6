package debezium

import (
	"math"
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86400 * microsPerSecond

	// maxPrecision is the digits of a fraction of a second without a modifier.
	maxPrecision = 6
)

// What the connector emits for the infinities: java.time values that pgjdbc's
// stand for, -5877611-06-21 and -5877611-06-22 of all dates.
const (
	dateInfinity         = -2147472692
	dateMinusInfinity    = -2147472691
	instantInfinity      = 9223372036825200000 // microseconds
	instantMinusInfinity = -9223372036832400000
)

// number is the codec of what becomes an integer.
func number(s connect.Schema, convert func(text []byte) (int64, error)) codec {
	return codec{
		schema: s,
		absent: connect.Int(0),
		convert: func(_ *connect.Arena, text []byte) (connect.Value, error) {
			i, err := convert(text)
			return connect.Int(i), err
		},
		appendJSON: func(dst, text []byte) ([]byte, error) {
			i, err := convert(text)
			return strconv.AppendInt(dst, i, 10), err
		},
	}
}

// printed is the codec of what is printed into the arena, in size bytes or so, none of which JSON escapes.
func printed(name, zero string, size int, appendTo func(dst, text []byte) ([]byte, error)) codec {
	return codec{
		schema: named(connect.String, name),
		absent: connect.Text([]byte(zero)),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			out, err := appendTo(a.Buffer(size), text)
			return connect.Text(a.Keep(out)), err
		},
		appendJSON: func(dst, text []byte) ([]byte, error) {
			dst, err := appendTo(append(dst, '"'), text)
			return append(dst, '"'), err
		},
	}
}

func (m *mapping) date() codec {
	if m.Time == TimeISOString {
		return printed("io.debezium.time.IsoDate", "1970-01-01Z", 16, func(dst, text []byte) ([]byte, error) {
			days, err := parseDate(text)
			return append(pgtext.AppendDate(dst, days), 'Z'), err
		})
	}
	name := "io.debezium.time.Date"
	if m.Time == TimeConnect {
		name = "org.apache.kafka.connect.data.Date"
	}
	return number(named(connect.Int32, name), parseDate)
}

func parseDate(text []byte) (int64, error) {
	days, inf, err := pgtext.ParseDate(text)
	switch inf {
	case 1:
		return dateInfinity, err
	case -1:
		return dateMinusInfinity, err
	}
	return days, err
}

func (m *mapping) time(mod int32) codec {
	scaled := func(kind connect.Kind, name string, divide, multiply int64) codec {
		return number(named(kind, name), func(text []byte) (int64, error) {
			micros, err := pgtext.ParseTime(text)
			return micros / divide * multiply, err
		})
	}
	switch m.Time {
	case TimeConnect:
		return scaled(connect.Int32, "org.apache.kafka.connect.data.Time", 1000, 1)
	case TimeISOString:
		return printed("io.debezium.time.IsoTime", "00:00:00Z", 16, func(dst, text []byte) ([]byte, error) {
			micros, err := pgtext.ParseTime(text)
			return append(pgtext.AppendTime(dst, micros%microsPerDay), 'Z'), err // 24:00:00 is 00:00:00
		})
	case TimeNanoseconds:
		return scaled(connect.Int64, "io.debezium.time.NanoTime", 1, 1000)
	case TimeAdaptive:
		if precision(mod) <= 3 {
			return scaled(connect.Int32, "io.debezium.time.Time", 1000, 1)
		}
	case TimeAdaptiveTimeMicroseconds, TimeMicroseconds:
	}
	return scaled(connect.Int64, "io.debezium.time.MicroTime", 1, 1)
}

func precision(mod int32) int {
	if mod < 0 {
		return maxPrecision
	}
	return int(mod)
}

func (m *mapping) timetz() codec {
	return printed("io.debezium.time.ZonedTime", "00:00:00Z", 16, func(dst, text []byte) ([]byte, error) {
		micros, offset, err := pgtext.ParseTimetz(text)
		utc := (micros - int64(offset)*microsPerSecond) % microsPerDay
		if utc < 0 {
			utc += microsPerDay
		}
		return append(pgtext.AppendTime(dst, utc), 'Z'), err
	})
}

func (m *mapping) timestamp(mod int32) codec {
	switch m.Time {
	case TimeConnect:
		return number(named(connect.Int64, "org.apache.kafka.connect.data.Timestamp"), epochMillis)
	case TimeISOString:
		return printed("io.debezium.time.IsoTimestamp", "1970-01-01T00:00:00Z", 32, appendISOTimestamp)
	case TimeNanoseconds:
		return nanoTimestamp()
	case TimeAdaptive, TimeAdaptiveTimeMicroseconds:
		if precision(mod) <= 3 {
			return number(named(connect.Int64, "io.debezium.time.Timestamp"), epochMillis)
		}
	case TimeMicroseconds:
	}
	return number(named(connect.Int64, "io.debezium.time.MicroTimestamp"), epochMicros)
}

// epochMillis rounds down.
func epochMillis(text []byte) (int64, error) {
	days, micros, inf, err := pgtext.SplitTimestamp(text)
	switch inf {
	case 1:
		return instantInfinity / 1000, err
	case -1:
		return instantMinusInfinity / 1000, err
	}
	return days*(microsPerDay/1000) + micros/1000, err
}

// epochMicros is the largest int64 for the last 29 years that a timestamp can hold.
func epochMicros(text []byte) (int64, error) {
	days, micros, inf, err := pgtext.SplitTimestamp(text)
	switch inf {
	case 1:
		return instantInfinity, err
	case -1:
		return instantMinusInfinity, err
	}
	sum, ok := epoch(days, micros, microsPerDay)
	if !ok {
		return math.MaxInt64, err
	}
	return sum, err
}

// epoch adds days, which hold perDay units each, and units of a day.
func epoch(days, ofDay, perDay int64) (int64, bool) {
	if days < math.MinInt64/perDay || days > math.MaxInt64/perDay {
		return 0, false
	}
	sum := days*perDay + ofDay
	return sum, days < 0 || sum >= 0
}

// nanoTimestamp has nothing for what is not between 1677-09-22 and 2262-04-11.
func nanoTimestamp() codec {
	return codec{
		schema: named(connect.Int64, "io.debezium.time.NanoTimestamp"),
		absent: connect.Int(0),
		convert: func(_ *connect.Arena, text []byte) (connect.Value, error) {
			days, micros, inf, err := pgtext.SplitTimestamp(text)
			switch {
			case err != nil:
				return connect.Value{}, err
			case inf > 0:
				return connect.Int(math.MaxInt64), nil
			case inf < 0:
				return connect.Int(math.MinInt64), nil
			}
			nanos, ok := epoch(days, micros*1000, microsPerDay*1000)
			if !ok {
				return connect.Value{}, nil
			}
			return connect.Int(nanos), nil
		},
	}
}

func appendISOTimestamp(dst, text []byte) ([]byte, error) {
	days, micros, inf, err := pgtext.SplitTimestamp(text)
	switch inf {
	case 1:
		days, micros = instantInfinity/microsPerDay, instantInfinity%microsPerDay
	case -1: // rounded down: the remainder is negative
		days, micros = instantMinusInfinity/microsPerDay-1, instantMinusInfinity%microsPerDay+microsPerDay
	}
	return append(pgtext.AppendTimestamp(dst, days, micros), 'Z'), err
}

// timestamptz prints as many digits of the fraction as the column has, zeros too.
func (m *mapping) timestamptz(mod int32) codec {
	digits := precision(mod)
	return printed("io.debezium.time.ZonedTimestamp", "1970-01-01T00:00:00Z", 40, func(dst, text []byte) ([]byte, error) {
		days, micros, inf, err := pgtext.SplitTimestamptz(text)
		switch inf {
		case 1:
			return append(dst, "infinity"...), err
		case -1:
			return append(dst, "-infinity"...), err
		}
		return appendInstant(dst, days, micros, digits), err
	})
}

func appendInstant(dst []byte, days, micros int64, digits int) []byte {
	fraction := micros % microsPerSecond
	if digits <= 0 {
		return append(pgtext.AppendTimestamp(dst, days, micros), 'Z')
	}
	dst = append(pgtext.AppendTimestamp(dst, days, micros-fraction), '.')
	for unit := int64(microsPerSecond / 10); digits > 0; digits-- {
		dst = append(dst, '0'+byte(fraction/max(unit, 1)%10))
		unit /= 10
	}
	return append(dst, 'Z')
}
