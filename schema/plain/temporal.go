package plain

import (
	"bytes"
	"strconv"

	"penstock/schema/jsontext"
	"penstock/schema/pgtext"
)

// era is what Postgres prints after a year before Christ.
const era = " BC"

func appendDate(dst, text []byte) ([]byte, error) {
	if _, _, err := pgtext.ParseDate(text); err != nil {
		return dst, err
	}
	return jsontext.AppendString(dst, text), nil
}

func appendTime(dst, text []byte) ([]byte, error) {
	if _, err := pgtext.ParseTime(text); err != nil {
		return dst, err
	}
	return jsontext.AppendString(dst, text), nil
}

func appendTimetz(dst, text []byte) ([]byte, error) {
	if _, _, err := pgtext.ParseTimetz(text); err != nil {
		return dst, err
	}
	return jsontext.AppendString(dst, text), nil
}

// appendTimestamp keeps Postgres' digits: they hold all that it knows.
func appendTimestamp(dst, text []byte) ([]byte, error) {
	_, _, inf, err := pgtext.SplitTimestamp(text)
	if err != nil {
		return dst, err
	}
	if inf != 0 {
		return jsontext.AppendString(dst, text), nil
	}
	return append(appendDateTime(append(dst, '"'), text), '"'), nil
}

// appendTimestamptz also prints an offset other than UTC's, which only a session
// in another time zone has.
func appendTimestamptz(dst, text []byte) ([]byte, error) {
	_, _, inf, err := pgtext.SplitTimestamptz(text)
	if err != nil {
		return dst, err
	}
	if inf != 0 {
		return jsontext.AppendString(dst, text), nil
	}
	text, before := bytes.CutSuffix(text, []byte(era))
	sign := bytes.LastIndexAny(text, "+-")
	dst = appendDateTime(append(dst, '"'), text[:sign])
	switch offset := text[sign:]; {
	case string(offset) == "+00":
		dst = append(dst, 'Z')
	case len(offset) == len("+hh"):
		dst = append(append(dst, offset...), ":00"...)
	default:
		dst = append(dst, offset...)
	}
	if before {
		dst = append(dst, era...)
	}
	return append(dst, '"'), nil
}

// appendDateTime puts a T in the place of the space between date and time.
func appendDateTime(dst, text []byte) []byte {
	space := bytes.IndexByte(text, ' ')
	dst = append(append(dst, text[:space]...), 'T')
	return append(dst, text[space+1:]...)
}

// appendInterval prints what IntervalStyle iso_8601 would: years and months have
// the months' sign, hours, minutes and seconds the time's.
func appendInterval(dst, text []byte) ([]byte, error) {
	v, err := pgtext.ParseInterval(text)
	if err != nil {
		return dst, err
	}
	if v.Infinity != 0 {
		return jsontext.AppendString(dst, text), nil
	}
	dst = append(dst, '"', 'P')
	dst = appendPart(dst, int64(v.Months/12), 'Y')
	dst = appendPart(dst, int64(v.Months%12), 'M')
	dst = appendPart(dst, int64(v.Days), 'D')
	if v.Micros != 0 || v.Months == 0 && v.Days == 0 {
		dst = appendDuration(append(dst, 'T'), v.Micros)
	}
	return append(dst, '"'), nil
}

func appendDuration(dst []byte, micros int64) []byte {
	const second, minute, hour = 1_000_000, 60 * 1_000_000, 3600 * 1_000_000
	dst = appendPart(dst, micros/hour, 'H')
	dst = appendPart(dst, micros/minute%60, 'M')
	rest := micros % minute
	if rest == 0 {
		if micros == 0 {
			dst = append(dst, '0', 'S')
		}
		return dst
	}
	if rest < 0 {
		dst = append(dst, '-')
		rest = -rest
	}
	dst = strconv.AppendInt(dst, rest/second, 10)
	return append(pgtext.AppendFraction(dst, rest%second), 'S')
}

func appendPart(dst []byte, n int64, unit byte) []byte {
	if n == 0 {
		return dst
	}
	return append(strconv.AppendInt(dst, n, 10), unit)
}
