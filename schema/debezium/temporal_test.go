package debezium_test

import (
	"testing"

	"penstock/schema/debezium"
)

func in(mode debezium.Time) debezium.Options { return debezium.Options{Time: mode} }

func TestDates(t *testing.T) {
	date := columnOf(pgType(1082, "date"), -1)
	const days, iso = "int32? io.debezium.time.Date v1", "string? io.debezium.time.IsoDate v1"
	run(t, []conversion{
		{"adaptive", date, in(debezium.TimeAdaptive), "2016-11-04", days, "17109"},
		{"before Christ", date, in(debezium.TimeMicroseconds), "0044-03-15 BC", "", "-735160"},
		{"the last", date, in(debezium.TimeNanoseconds), "5874897-12-31", "", "2145042905"},
		{"infinity", date, in(debezium.TimeAdaptive), "infinity", "", "-2147472692"},
		{"minus infinity", date, in(debezium.TimeAdaptiveTimeMicroseconds), "-infinity", "", "-2147472691"},
		{"none", date, in(debezium.TimeAdaptive), "2016-02-30", "", "error: date text, byte 0: there is no such date"},
		{"connect", date, in(debezium.TimeConnect), "1969-12-31", "int32? org.apache.kafka.connect.data.Date v1", "-1"},
		{"isostring", date, in(debezium.TimeISOString), "2016-11-04", iso, `"2016-11-04Z"`},
		{"isostring, before Christ", date, in(debezium.TimeISOString), "0044-03-15 BC", "", `"-0043-03-15Z"`},
		{"isostring, five digits", date, in(debezium.TimeISOString), "10000-01-01", "", `"+10000-01-01Z"`},
		{"isostring, infinity", date, in(debezium.TimeISOString), "infinity", "", `"-5877611-06-21Z"`},
	})
}

func TestTimes(t *testing.T) {
	micros, millis, zoned := columnOf(pgType(1083, "time"), -1), columnOf(pgType(1083, "time"), 3), columnOf(pgType(1266, "timetz"), -1)
	run(t, []conversion{
		{"adaptive", micros, in(debezium.TimeAdaptive), "13:51:30.123456", "int64? io.debezium.time.MicroTime v1", "49890123456"},
		{"adaptive, end of the day", micros, in(debezium.TimeAdaptive), "24:00:00", "", "86400000000"},
		{"adaptive, three digits", millis, in(debezium.TimeAdaptive), "13:51:30.123", "int32? io.debezium.time.Time v1", "49890123"},
		{"microseconds, three digits", millis, in(debezium.TimeAdaptiveTimeMicroseconds), "13:51:30.123", "int64? io.debezium.time.MicroTime v1", "49890123000"},
		{"nanoseconds", micros, in(debezium.TimeNanoseconds), "13:51:30.123456", "int64? io.debezium.time.NanoTime v1", "49890123456000"},
		{"connect", micros, in(debezium.TimeConnect), "13:51:30.123999", "int32? org.apache.kafka.connect.data.Time v1", "49890123"},
		{"isostring", micros, in(debezium.TimeISOString), "13:51:30.12", "string? io.debezium.time.IsoTime v1", `"13:51:30.12Z"`},
		{"isostring, end of the day", micros, in(debezium.TimeISOString), "24:00:00", "", `"00:00:00Z"`},
		{"none", micros, in(debezium.TimeISOString), "25:00:00", "", "error: time text, byte 0: the time is after 24:00:00"},
		{"with zone", zoned, in(debezium.TimeAdaptive), "13:51:30.123789+02", "string? io.debezium.time.ZonedTime v1", `"11:51:30.123789Z"`},
		{"with zone, of the day before", zoned, in(debezium.TimeConnect), "01:00:00+05:30", "", `"19:30:00Z"`},
		{"with zone, end of the day", zoned, in(debezium.TimeAdaptive), "24:00:00+00", "", `"00:00:00Z"`},
	})
}

func TestTimestamps(t *testing.T) {
	six, three := columnOf(pgType(1114, "timestamp"), -1), columnOf(pgType(1114, "timestamp"), 3)
	const micros, millis = "int64? io.debezium.time.MicroTimestamp v1", "int64? io.debezium.time.Timestamp v1"
	const nanos, iso = "int64? io.debezium.time.NanoTimestamp v1", "string? io.debezium.time.IsoTimestamp v1"
	run(t, []conversion{
		{"adaptive", six, in(debezium.TimeAdaptive), "2016-11-04 13:51:30.123456", micros, "1478267490123456"},
		{"before Christ", six, in(debezium.TimeMicroseconds), "4713-12-31 23:59:59.999999 BC", "", "-210831897600000001"},
		{"late", six, in(debezium.TimeAdaptive), "294247-01-01 23:59:59.999999", "", "9223371331199999999"},
		{"later than an int64 holds", six, in(debezium.TimeAdaptive), "294276-12-31 23:59:59.999999", "", "9223372036854775807"},
		{"infinity", six, in(debezium.TimeAdaptive), "infinity", "", "9223372036825200000"},
		{"minus infinity", six, in(debezium.TimeAdaptive), "-infinity", "", "-9223372036832400000"},
		{"none", six, in(debezium.TimeAdaptive), "2016-11-04", "", "error: timestamp text, byte 10: no space between date and time"},
		{"adaptive, three digits", three, in(debezium.TimeAdaptive), "1936-10-25 22:10:12.608", millis, "-1047174587392"},
		{"adaptive, three digits, infinity", three, in(debezium.TimeAdaptiveTimeMicroseconds), "infinity", "", "9223372036825200"},
		{"adaptive, three digits, minus infinity", three, in(debezium.TimeAdaptive), "-infinity", "", "-9223372036832400"},
		{"connect rounds down", six, in(debezium.TimeConnect), "1969-12-31 23:59:59.999999", "int64? org.apache.kafka.connect.data.Timestamp v1", "-1"},
		{"nanoseconds", six, in(debezium.TimeNanoseconds), "2016-11-04 13:51:30.123456", nanos, "1478267490123456000"},
		{"nanoseconds, infinity", six, in(debezium.TimeNanoseconds), "infinity", "", "9223372036854775807"},
		{"nanoseconds, minus infinity", six, in(debezium.TimeNanoseconds), "-infinity", "", "-9223372036854775808"},
		{"nanoseconds, the first", six, in(debezium.TimeNanoseconds), "1677-09-22 00:00:00", "", "-9223286400000000000"},
		{"nanoseconds, too early", six, in(debezium.TimeNanoseconds), "1677-09-21 23:59:59", "", "null"},
		{"nanoseconds, the last", six, in(debezium.TimeNanoseconds), "2262-04-11 23:47:16.854775", "", "9223372036854775000"},
		{"nanoseconds, too late", six, in(debezium.TimeNanoseconds), "2262-04-11 23:47:16.854776", "", "null"},
		{"isostring", six, in(debezium.TimeISOString), "2016-11-04 13:51:30.12", iso, `"2016-11-04T13:51:30.12Z"`},
		{"isostring, infinity", six, in(debezium.TimeISOString), "infinity", "", `"+294247-01-10T04:00:25.2Z"`},
		{"isostring, minus infinity", six, in(debezium.TimeISOString), "-infinity", "", `"-290308-12-21T19:59:27.6Z"`},
	})
}

func TestTimestamptz(t *testing.T) {
	six, three, none := columnOf(pgType(1184, "timestamptz"), -1), columnOf(pgType(1184, "timestamptz"), 3), columnOf(pgType(1184, "timestamptz"), 0)
	run(t, []conversion{
		{"six digits", six, in(debezium.TimeAdaptive), "2016-11-04 13:51:30.123456+02", "string? io.debezium.time.ZonedTimestamp v1", `"2016-11-04T11:51:30.123456Z"`},
		{"zeros", six, in(debezium.TimeConnect), "21016-11-04 13:51:30+07", "", `"+21016-11-04T06:51:30.000000Z"`},
		{"three digits", three, in(debezium.TimeAdaptive), "2016-11-04 13:51:30.1+00", "", `"2016-11-04T13:51:30.100Z"`},
		{"no digits", none, in(debezium.TimeAdaptive), "2016-11-04 13:51:30+00", "", `"2016-11-04T13:51:30Z"`},
		{"before Christ", six, in(debezium.TimeAdaptive), "4714-12-31 23:59:59.999999+00 BC", "", `"-4713-12-31T23:59:59.999999Z"`},
		{"an offset with seconds", six, in(debezium.TimeAdaptive), "1892-01-01 00:00:00-00:44:30", "", `"1892-01-01T00:44:30.000000Z"`},
		{"infinity", six, in(debezium.TimeNanoseconds), "infinity", "", `"infinity"`},
		{"minus infinity", six, in(debezium.TimeAdaptive), "-infinity", "", `"-infinity"`},
		{"no offset", six, in(debezium.TimeAdaptive), "2016-11-04 13:51:30", "", "error: timestamptz text, byte 19: no offset"},
	})
}

func TestIntervals(t *testing.T) {
	interval := columnOf(pgType(1186, "interval"), -1)
	numeric, text := debezium.Options{}, debezium.Options{Interval: debezium.IntervalString}
	run(t, []conversion{
		{"numeric", interval, numeric, "1 year 2 mons 3 days 04:05:06.78", "int64? io.debezium.time.MicroDuration v1", "37091106780000"},
		{"numeric, negative", interval, numeric, "-1 years -2 mons +3 days -04:05:06.789", "", "-36572706789000"},
		{"numeric, nothing", interval, numeric, "00:00:00", "", "0"},
		{"numeric, one month", interval, numeric, "1 mon", "", "2629800000000"},
		{"numeric, longer than an int64 holds", interval, numeric, "178000000 years", "", "9223372036854775807"},
		{"numeric, infinity", interval, numeric, "infinity", "", "9223372036854775807"},
		{"numeric, minus infinity", interval, numeric, "-infinity", "", "-9223372036854775808"},
		{"none", interval, numeric, "1 week", "", "error: interval text, byte 2: neither year, mon nor day, in this order"},
		{"string", interval, text, "1 year 2 mons 3 days 04:05:06.78", "string? io.debezium.time.Interval v1", `"P1Y2M3DT4H5M6.78S"`},
		{"string, nothing", interval, text, "00:00:00", "", `"P0Y0M0DT0H0M0S"`},
		{"string, mixed signs", interval, text, "-1 years -2 mons +3 days -04:05:06.789", "", `"P-1Y-2M3DT-4H-5M-6.789S"`},
		{"string, a fraction below zero", interval, text, "-00:00:00.000001", "", `"P0Y0M0DT0H0M-0.000001S"`},
		{"string, exact", interval, text, "00:00:01.005467", "", `"P0Y0M0DT0H0M1.005467S"`},
		{"string, infinity", interval, text, "infinity", "", `"infinity"`},
	})
}
