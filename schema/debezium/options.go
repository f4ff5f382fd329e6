package debezium

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Options are the connector's properties that decide how values look. The zero
// Options are its defaults.
type Options struct {
	Decimal  Decimal  // decimal.handling.mode
	Time     Time     // time.precision.mode
	Interval Interval // interval.handling.mode
	Binary   Binary   // binary.handling.mode
	HStore   HStore   // hstore.handling.mode

	// Unavailable is unavailable.value.placeholder: what stands for a value that
	// the log does not hold. Octets in hexadecimal after hex:, else the text itself;
	// empty means __debezium_unavailable_value.
	Unavailable string
}

// Validate reports a placeholder that begins with hex: and is not hexadecimal.
func (o *Options) Validate() error {
	if digits, ok := strings.CutPrefix(o.Unavailable, "hex:"); ok {
		if _, err := hex.DecodeString(digits); err != nil {
			return fmt.Errorf("unavailable.value.placeholder: %w", err)
		}
	}
	return nil
}

// Decimal says what a numeric and a money become.
type Decimal uint8

// The modes of decimal.handling.mode.
const (
	DecimalPrecise Decimal = iota // Connect's Decimal, or a struct with scale and value
	DecimalDouble                 // a double, which rounds
	DecimalString                 // the digits
)

// String is the connector's name of the mode.
func (d Decimal) String() string { return nameOf(decimalModes, d) }

// ParseDecimal is the mode with the connector's name.
func ParseDecimal(name string) (Decimal, error) {
	return modeOf[Decimal]("decimal.handling.mode", decimalModes, name)
}

const decimalModes = "precise double string"

// Time says what dates and times without a zone become.
type Time uint8

// The modes of time.precision.mode.
const (
	TimeAdaptive                 Time = iota // milliseconds or microseconds, as the column's precision asks
	TimeAdaptiveTimeMicroseconds             // the same, but a time is always in microseconds
	TimeConnect                              // Connect's own types, in milliseconds
	TimeISOString                            // ISO 8601
	TimeMicroseconds
	TimeNanoseconds
)

// String is the connector's name of the mode.
func (t Time) String() string { return nameOf(timeModes, t) }

// ParseTime is the mode with the connector's name.
func ParseTime(name string) (Time, error) {
	return modeOf[Time]("time.precision.mode", timeModes, name)
}

const timeModes = "adaptive adaptive_time_microseconds connect isostring microseconds nanoseconds"

// Interval says what an interval becomes.
type Interval uint8

// The modes of interval.handling.mode.
const (
	IntervalNumeric Interval = iota // microseconds, a month being 30.4375 days
	IntervalString                  // ISO 8601
)

// String is the connector's name of the mode.
func (i Interval) String() string { return nameOf(intervalModes, i) }

// ParseInterval is the mode with the connector's name.
func ParseInterval(name string) (Interval, error) {
	return modeOf[Interval]("interval.handling.mode", intervalModes, name)
}

const intervalModes = "numeric string"

// Binary says what a bytea becomes.
type Binary uint8

// The modes of binary.handling.mode.
const (
	BinaryBytes Binary = iota
	BinaryBase64
	BinaryBase64URLSafe
	BinaryHex
)

// String is the connector's name of the mode.
func (b Binary) String() string { return nameOf(binaryModes, b) }

// ParseBinary is the mode with the connector's name.
func ParseBinary(name string) (Binary, error) {
	return modeOf[Binary]("binary.handling.mode", binaryModes, name)
}

const binaryModes = "bytes base64 base64-url-safe hex"

// HStore says what an hstore becomes.
type HStore uint8

// The modes of hstore.handling.mode.
const (
	HStoreJSON HStore = iota // an object in a string
	HStoreMap
)

// String is the connector's name of the mode.
func (h HStore) String() string { return nameOf(hstoreModes, h) }

// ParseHStore is the mode with the connector's name.
func ParseHStore(name string) (HStore, error) {
	return modeOf[HStore]("hstore.handling.mode", hstoreModes, name)
}

const hstoreModes = "json map"

// nameOf returns the name of a mode: the one at its place among names.
func nameOf[M ~uint8](names string, mode M) string {
	if all := strings.Fields(names); int(mode) < len(all) {
		return all[mode]
	}
	return fmt.Sprintf("mode %d", mode)
}

// modeOf finds a name among names without regard to case, as the connector does.
func modeOf[M ~uint8](option, names, name string) (M, error) {
	all := strings.Fields(names)
	i := slices.IndexFunc(all, func(known string) bool { return strings.EqualFold(known, strings.TrimSpace(name)) })
	if i < 0 {
		return 0, fmt.Errorf("%s is %q: want one of %s", option, name, strings.Join(all, ", "))
	}
	return M(i), nil
}

// placeholder is what the option Unavailable means.
type placeholder struct {
	octets []byte
	text   []byte // octets as UTF-8: a byte that is none becomes U+FFFD
}

func (o *Options) placeholder() placeholder {
	text := o.Unavailable
	if text == "" {
		text = "__debezium_unavailable_value"
	}
	octets := []byte(text)
	if digits, ok := strings.CutPrefix(text, "hex:"); ok {
		if decoded, err := hex.DecodeString(digits); err == nil { // Validate says when not
			octets = decoded
		}
	}
	if utf8.Valid(octets) {
		return placeholder{octets, octets}
	}
	return placeholder{octets, []byte(string([]rune(string(octets))))}
}
