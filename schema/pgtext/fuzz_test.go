package pgtext_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"penstock/schema/pgtext"
)

func FuzzDateTime(f *testing.F) {
	for _, text := range []string{
		"2025-08-25", "5874897-12-31", "0044-03-15 BC", "infinity", "-infinity", "2025-08-25 16:13:40.436907", "294276-12-31 23:59:59.999999",
		"4714-11-24 00:00:00 BC", "2025-08-25 16:13:40+00", "0001-12-31 23:30:00-01:30:15 BC", "24:00:00", "16:13:40.4-07", "12:00:00+05:30",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if days, inf, err := pgtext.ParseDate(text); err == nil && inf == 0 {
			if printed := printDate(days, ""); printed != string(text) && text[0] != '0' {
				t.Fatalf("date %q is day %d, printed %s", text, days, printed)
			}
		}
		if days, micros, inf, err := pgtext.SplitTimestamp(text); err == nil && inf == 0 {
			checkInstant(t, text, days, micros, pgtext.SplitTimestamp, "")
			checkJoined(t, text, days, micros, pgtext.ParseTimestamp)
		}
		if days, micros, inf, err := pgtext.SplitTimestamptz(text); err == nil && inf == 0 {
			checkInstant(t, text, days, micros, pgtext.SplitTimestamptz, "+00")
			checkJoined(t, text, days, micros, pgtext.ParseTimestamptz)
		}
		if micros, err := pgtext.ParseTime(text); err == nil {
			again(t, micros, string(pgtext.AppendTime(nil, micros)), pgtext.ParseTime)
		}
		if micros, offset, err := pgtext.ParseTimetz(text); err == nil && (micros < 0 || micros > 24*hour || offset <= -16*3600 || offset >= 16*3600) {
			t.Fatalf("timetz %q: %d µs, offset %d s", text, micros, offset)
		}
	})
}

// printDate prints as Postgres does, with what stands between the day and the era.
func printDate(days int64, clock string) string {
	java := string(pgtext.AppendDate(nil, days))
	monthDay, year := java[len(java)-6:], java[:len(java)-6]
	n, err := strconv.Atoi(year)
	if err != nil {
		panic(err)
	}
	if n < 1 {
		return fmt.Sprintf("%04d%s%s BC", 1-n, monthDay, clock)
	}
	return fmt.Sprintf("%04d%s%s", n, monthDay, clock)
}

func checkInstant(t *testing.T, text []byte, days, micros int64, split func([]byte) (int64, int64, pgtext.Infinity, error), offset string) {
	t.Helper()
	if micros < 0 || micros >= 24*hour {
		t.Fatalf("%q: %d µs of a day", text, micros)
	}
	printed := printDate(days, " "+string(pgtext.AppendTime(nil, micros))+offset)
	d, m, _, err := split([]byte(printed))
	if d != days || m != micros || err != nil {
		t.Fatalf("%q: day %d and %d µs, printed %s, read as %d, %d, %v", text, days, micros, printed, d, m, err)
	}
}

func checkJoined(t *testing.T, text []byte, days, micros int64, parse func([]byte) (int64, pgtext.Infinity, error)) {
	t.Helper()
	got, _, err := parse(text)
	if want := time.Unix(days*86400, micros*1000).UnixMicro(); err == nil && got != want {
		t.Fatalf("%q: got %d µs, want %d", text, got, want)
	}
	if fits := days < math.MaxInt64/(24*hour); err != nil && fits {
		t.Fatalf("%q: %v", text, err)
	}
}

func FuzzInterval(f *testing.F) {
	for _, text := range []string{
		"00:00:00", "1 mon", "-1 years -2 mons +3 days -04:05:06.789", "-178956970 years -8 mons", "-2562047788:00:54.775808", "infinity", "9999999999:59:59.999999",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := pgtext.ParseInterval(text)
		if err != nil || v.Infinity != 0 {
			return
		}
		sign, micros := "", new(big.Int).Abs(big.NewInt(v.Micros)).Uint64()
		if v.Micros < 0 {
			sign = "-"
		}
		again(t, v, fmt.Sprintf("%d mons %d days %s%02d:%02d:%02d.%06d", v.Months, v.Days, sign,
			micros/hour, micros/60_000_000%60, micros/1_000_000%60, micros%1_000_000), pgtext.ParseInterval)
	})
}

func FuzzNumeric(f *testing.F) {
	for _, text := range []string{"0", "-12.50", "NaN", "-Infinity", "0.05", "-9223372036854775809", "$1,234.56", "-1.234,50 €", "1\u202f234 F", strings.Repeat("9", 40) + ".5"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := pgtext.ParseMoney(text); err == nil {
			again(t, spelled(n), printNumeric(n), func(b []byte) (string, error) { n, err := pgtext.ParseNumeric(b); return spelled(n), err })
		}
		n, err := pgtext.ParseNumeric(text)
		if err != nil || n.NaN || n.Infinity != 0 {
			return
		}
		want, _ := new(big.Int).SetString(strings.Replace(string(text), ".", "", 1), 10)
		if got := bigOf(n.AppendUnscaled(nil)); got.Cmp(want) != 0 {
			t.Fatalf("%q: got %s unscaled, want %s", text, got, want)
		}
		wider, err := n.Rescale(min(n.Scale+7, 16383))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := wider.Rescale(n.Scale); err != nil || spelled(back) != spelled(n) {
			t.Fatalf("%q: rescaled there and back to %s, %v", text, spelled(back), err)
		}
	})
}

func printNumeric(n pgtext.Numeric) string {
	digits := fmt.Sprintf("%0*s", n.Scale+1, n.Digits)
	whole, fraction := digits[:len(digits)-n.Scale], digits[len(digits)-n.Scale:]
	if n.Negative {
		whole = "-" + whole
	}
	if n.Scale == 0 {
		return whole
	}
	return whole + "." + fraction
}

func FuzzBytea(f *testing.F) {
	for _, text := range []string{`\xdeadbeef`, `abc\\x\000\377`, `\x`, "", "10110", "000000001"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := pgtext.AppendBytea(nil, text); err == nil {
			back, err := pgtext.AppendBytea(nil, []byte(`\x`+hex.EncodeToString(got)))
			if err != nil || !bytes.Equal(back, got) {
				t.Fatalf("%q: got %x, read back %x, %v", text, got, back, err)
			}
		}
		if got, err := pgtext.AppendBits(nil, text); err == nil && len(text) > 0 {
			var printed strings.Builder
			for i := range text {
				at := len(text) - 1 - i
				bit := at/8 < len(got) && got[at/8]>>(at%8)&1 == 1
				printed.WriteByte("01"[map[bool]int{true: 1}[bit]])
			}
			if printed.String() != string(text) || len(got) > 0 && got[len(got)-1] == 0 {
				t.Fatalf("%q: got %x, which is %s", text, got, printed.String())
			}
		}
	})
}

func FuzzGeometry(f *testing.F) {
	for _, text := range []string{
		"(1,-2.5)", "(Infinity,NaN)", "(1e+300,-0)", "[(1,2),(3,4)]", "(3,4),(1,2)", "((1,2),(3,4))", "[(1,2)]", "((0,0),(0,1),(1,0))", "{1,-1,0}", "<(1,2),3.5>",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := pgtext.ParsePoint(text); err == nil {
			again(t, p, printPoint(p), pgtext.ParsePoint, cmpopts.EquateNaNs())
		}
		if s, err := pgtext.ParseLSeg(text); err == nil {
			again(t, s, "["+printPoint(s[0])+","+printPoint(s[1])+"]", pgtext.ParseLSeg, cmpopts.EquateNaNs())
		}
		if b, err := pgtext.ParseBox(text); err == nil {
			again(t, b, printPoint(b[0])+","+printPoint(b[1]), pgtext.ParseBox, cmpopts.EquateNaNs())
		}
		if p, err := pgtext.ParsePath(text); err == nil {
			printed := "[" + printPoints(p.Points) + "]"
			if p.Closed {
				printed = "(" + printPoints(p.Points) + ")"
			}
			again(t, p, printed, pgtext.ParsePath, cmpopts.EquateNaNs())
		}
		if p, err := pgtext.ParsePolygon(text); err == nil {
			again(t, p, "("+printPoints(p)+")", pgtext.ParsePolygon, cmpopts.EquateNaNs())
		}
		if l, err := pgtext.ParseLine(text); err == nil {
			again(t, l, "{"+printFloats(l.A, l.B, l.C)+"}", pgtext.ParseLine, cmpopts.EquateNaNs())
		}
		if c, err := pgtext.ParseCircle(text); err == nil {
			again(t, c, "<"+printPoint(c.Center)+","+printFloats(c.Radius)+">", pgtext.ParseCircle, cmpopts.EquateNaNs())
		}
	})
}

func printFloats(floats ...float64) string {
	texts := make([]string, len(floats))
	for i, f := range floats {
		texts[i] = strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+")
		if math.IsInf(f, 0) {
			texts[i] = strings.Replace(texts[i], "Inf", "Infinity", 1)
		}
	}
	return strings.Join(texts, ",")
}

func printPoint(p pgtext.Point) string { return "(" + printFloats(p.X, p.Y) + ")" }

func printPoints(points []pgtext.Point) string {
	texts := make([]string, len(points))
	for i, p := range points {
		texts[i] = printPoint(p)
	}
	return strings.Join(texts, ",")
}
