package plan

import (
	"strconv"
	"strings"
	"time"
)

// The layouts of a time without zone, as Python's str(datetime) prints one in UTC.
const (
	layoutSeconds = "2006-01-02 15:04:05"
	layoutMicros  = "2006-01-02 15:04:05.000000"
)

// FormatTime prints microseconds since the Unix epoch as Python does: with six
// digits of fraction, or none when it is zero.
func FormatTime(micros int64) string {
	at := time.UnixMicro(micros).UTC()
	if at.Nanosecond() == 0 {
		return at.Format(layoutSeconds)
	}
	return at.Format(layoutMicros)
}

// FormatFloat prints the shortest text that reads back as v, as Python's repr
// does: always with a fraction or an exponent.
func FormatFloat(v float64) string {
	text := strconv.FormatFloat(v, 'e', -1, 64)
	_, exponent, found := strings.Cut(text, "e")
	if !found {
		return strings.ToLower(strings.TrimPrefix(text, "+")) // nan, inf
	}
	if n, err := strconv.Atoi(exponent); err != nil || n < -4 || n >= 16 {
		return text
	}
	text = strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// ParseText reads what [Value.String] prints of a value of the type.
func ParseText(t Type, text string) (Value, error) {
	switch t {
	case Bool:
		b, err := strconv.ParseBool(text)
		return BoolOf(b), err
	case Int:
		n, err := strconv.ParseInt(text, 10, 64)
		return IntOf(n), err
	case Float:
		f, err := strconv.ParseFloat(text, 64)
		return FloatOf(f), err
	case Time:
		at, err := time.Parse(layoutSeconds, text) // also takes a fraction
		return TimeOf(at.UnixMicro()), err
	case UUID:
		return UUIDOf(text)
	default:
		return TextOf(text), nil
	}
}
