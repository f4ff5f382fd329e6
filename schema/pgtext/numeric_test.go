package pgtext_test

import (
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"penstock/schema/pgtext"
)

// spelled is a Numeric as sign, digits and scale.
func spelled(n pgtext.Numeric) string {
	switch {
	case n.NaN:
		return "NaN"
	case n.Infinity != 0:
		return map[pgtext.Infinity]string{1: "Infinity", -1: "-Infinity"}[n.Infinity]
	}
	sign := ""
	if n.Negative {
		sign = "-"
	}
	return sign + string(n.Digits) + "e-" + big.NewInt(int64(n.Scale)).String()
}

func TestParseNumeric(t *testing.T) {
	for _, c := range []struct{ text, want, unscaled string }{
		{"0", "e-0", "00"},
		{"0.00", "e-2", "00"},
		{"-0.0", "e-1", "00"}, // Postgres has no such zero
		{"1", "1e-0", "01"},
		{"-1", "-1e-0", "ff"},
		{"127", "127e-0", "7f"},
		{"128", "128e-0", "0080"},
		{"-128", "-128e-0", "80"},
		{"-129", "-129e-0", "ff7f"},
		{"12.50", "1250e-2", "04e2"},
		{"-0.05", "-5e-2", "fb"},
		{"100.10", "10010e-2", "271a"},
		{"999999999999999999", "999999999999999999e-0", "0de0b6b3a763ffff"},
		{"9223372036854775807", "9223372036854775807e-0", "7fffffffffffffff"},
		{"9223372036854775808", "9223372036854775808e-0", "008000000000000000"},
		{"-9223372036854775808", "-9223372036854775808e-0", "8000000000000000"},
		{"-9223372036854775809", "-9223372036854775809e-0", "ff7fffffffffffffff"},
		{"18446744073709551616.5", "184467440737095516165e-1", "0a0000000000000005"},
		{"NaN", "NaN", "00"},
		{"Infinity", "Infinity", "00"},
		{"-Infinity", "-Infinity", "00"},
	} {
		t.Run(c.text, func(t *testing.T) {
			n, err := pgtext.ParseNumeric([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if got := spelled(n); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if got := hex.EncodeToString(n.AppendUnscaled([]byte{0xaa})); got != "aa"+c.unscaled {
				t.Errorf("unscaled: got %s, want aa%s", got, c.unscaled)
			}
		})
	}
}

func TestParseNumericErrors(t *testing.T) {
	for _, text := range []string{
		"", "-", ".", "1.", ".5", "+1", "1e5", "1,5", " 1", "1 ", "--1", "nan", "infinity", "0x10",
		strings.Repeat("1", 131073), "0." + strings.Repeat("1", 16384),
	} {
		if n, err := pgtext.ParseNumeric([]byte(text)); err == nil {
			t.Errorf("%.20q: got %.20s, want an error", text, spelled(n))
		}
	}
}

// The longest numeric, both signs, against math/big.
func TestUnscaledOfManyDigits(t *testing.T) {
	for _, whole := range []int{1, 1023, 1024, 1025, 2048, 5000, 131072} {
		text := strings.Repeat("9081726354", whole/10+1)[:whole] + "." + strings.Repeat("7", 16383)
		for _, text := range []string{text, "-" + text} {
			n, err := pgtext.ParseNumeric([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			want, _ := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
			if got := bigOf(n.AppendUnscaled(nil)); got.Cmp(want) != 0 {
				t.Errorf("%d digits, %.1s: another number", whole, text)
			}
		}
	}
}

// bigOf reads what BigInteger.toByteArray writes.
func bigOf(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

func TestRescale(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale int
		want  string
	}{
		{"12.5", 1, "125e-1"},
		{"12.5", 3, "12500e-3"},
		{"12.500", 1, "125e-1"},
		{"-3", 2, "-300e-2"},
		{"0", 5, "e-5"},
		{"0.00", 0, "e-0"},
		{"12300", -2, "123e--2"},
		{"12.51", 1, ""},
		{"0.01", 0, ""},
		{"12300", -3, ""},
		{"NaN", 2, ""},
		{"-Infinity", 2, ""},
		{"1", 16384, ""},
	} {
		n, err := pgtext.ParseNumeric([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Rescale(c.scale)
		if c.want == "" && err == nil || c.want != "" && (err != nil || spelled(got) != c.want) {
			t.Errorf("%s to %d: got %s, %v, want %q", c.text, c.scale, spelled(got), err, c.want)
		}
	}
}

// A caller with a buffer pays no allocation, and none is paid for an integer.
func TestParseNumericInBuffer(t *testing.T) {
	buffer, text := make([]byte, 0, 64), []byte("-123456.78901")
	if n := testing.AllocsPerRun(100, func() {
		n, err := pgtext.ParseNumericIn(buffer, text)
		if err != nil || string(n.Digits) != "12345678901" {
			t.Fatalf("got %s, %v", n.Digits, err)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}

func TestParseMoney(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"dollars", "$1,234.56", "123456e-2"},
		{"cents", "$0.05", "5e-2"},
		{"zero", "$0.00", "e-2"},
		{"negative", "-$12.30", "-1230e-2"},
		{"in parentheses", "($1,234.56)", "-123456e-2"},
		{"sign behind", "12,30-€", "-1230e-2"},
		{"the largest", "$92,233,720,368,547,758.07", "9223372036854775807e-2"},
		{"the smallest", "-$92,233,720,368,547,758.08", "-9223372036854775808e-2"},
		{"euros in Germany", "1.234,56 €", "123456e-2"},
		{"euros in France", "1\u202f234\u202f567,89 €", "123456789e-2"},
		{"crowns with a no-break space", "-1\u00a0234,50 Kč", "-123450e-2"},
		{"Swiss francs", "Fr. 1'234.50", "123450e-2"},
		{"rupees", "₹ 12,34,567.89", "123456789e-2"},
		{"yen", "¥1,235", "1235e-0"},
		{"many yen", "¥1,234,567", "1234567e-0"},
		{"yen without groups", "¥5", "5e-0"},
		{"three decimals below one", "0.123 د.ك", "123e-3"},
		{"three decimals and groups", "1,234.567 KD", "1234567e-3"},
		{"three decimals, no groups, long", "12345.678", "12345678e-3"},
		{"a real minus sign", "−5,00", "-500e-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := pgtext.ParseMoney([]byte(c.text))
			if err != nil || spelled(n) != c.want {
				t.Errorf("got %s, %v, want %s", spelled(n), err, c.want)
			}
		})
	}
	for _, text := range []string{"", "$", "$1.23.4,5.6", "1 - 2", "$12345678901234567890", "1..2"} {
		if n, err := pgtext.ParseMoney([]byte(text)); err == nil {
			t.Errorf("%q: got %s, want an error", text, spelled(n))
		}
	}
}
