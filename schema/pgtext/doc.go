// Package pgtext reads the text forms of Postgres' types: what the output
// functions print under DateStyle 'ISO, YMD', IntervalStyle 'postgres', TimeZone
// UTC, bytea_output 'hex' and extra_float_digits 1.
//
// Every parser is total: any bytes give a value or an [Error], in linear time
// (a numeric's unscaled bytes aside) and with memory in proportion to
// the text. What is returned with an error is not valid. Nothing is kept between
// calls, so all are safe for concurrent use.
//
// Read error.go, then array.go, composite.go, range.go and hstore.go for what
// holds other values, civil.go, timestamp.go, clock.go and interval.go for time,
// numeric.go and money.go for numbers, bytes.go and geometry.go for the rest.
package pgtext
