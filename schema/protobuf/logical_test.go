package protobuf_test

import (
	"bytes"
	"math"
	"math/big"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"penstock/schema/connect"
)

// The dates are what java.util.Calendar prints, but for the era.
func TestDates(t *testing.T) {
	c := compile(t, record("R", column("d", &connect.Schema{Kind: connect.Int32, Name: dateName})))
	for _, d := range []struct {
		name             string
		days             int64
		year, month, day int64
	}{
		{"the epoch", 0, 1970, 1, 1},
		{"the first Gregorian day", -141427, 1582, 10, 15},
		{"the last Julian day", -141428, 1582, 10, 4},
		{"two days after Christ", -719163, 1, 1, 2},
		{"the first day after Christ", -719164, 1, 1, 1},
		{"1 January of 1 BC, a leap year", -719530, 0, 1, 1},
		{"2 BC", -719893, -1, 1, 3},
		{"222 BC", -800000, -221, 9, 8},
		{"3507 BC", -2000000, -3506, 4, 7},
		{"the last day of four digits", 2932896, 9999, 12, 31},
		{"beyond", 5000000, 15659, 7, 15},
		{"the least", math.MinInt32, -5877520, 3, 3},
		{"the greatest", math.MaxInt32, 5881580, 7, 11},
	} {
		t.Run(d.name, func(t *testing.T) {
			m := first(decode(t, c, connect.List([]connect.Value{connect.Int(d.days)}))).Message()
			got := [3]int64{}
			for i := range got {
				got[i] = m.Get(m.Descriptor().Fields().Get(i)).Int()
			}
			if want := [3]int64{d.year, d.month, d.day}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	c := compile(t, record("R", column("t", &connect.Schema{Kind: connect.Int32, Name: timeName})))
	for _, d := range []struct {
		name   string
		millis int64
		want   []byte
	}{
		{"midnight", 0, []byte{1<<3 | 2, 0}},
		{"the last millisecond", 86_399_999, []byte{1<<3 | 2, 12, 1 << 3, 23, 2 << 3, 59, 3 << 3, 59, 4 << 3, 0xC0, 0x8F, 0xAE, 0xDC, 0x03}},
		{"24:00:00", 86_400_000, []byte{1<<3 | 2, 0}},
		{"before midnight", -1000, []byte{1<<3 | 2, 6, 1 << 3, 23, 2 << 3, 59, 3 << 3, 59}},
	} {
		t.Run(d.name, func(t *testing.T) {
			if got := c.Append(nil, connect.List([]connect.Value{connect.Int(d.millis)})); !bytes.Equal(got, d.want) {
				t.Errorf("got % x, want % x", got, d.want)
			}
		})
	}
}

// Every count of digits around every power of ten, and both signs.
func TestDecimalPrecision(t *testing.T) {
	s := decimal("-3", "")
	c := compile(t, record("R", column("d", s)))
	check := func(n *big.Int) {
		t.Helper()
		m := decode(t, c, connect.List([]connect.Value{connect.Raw(append([]byte{sign(n), sign(n)}, raw(n)...))}))
		sameItem(t, n.String(), s, connect.Raw(raw(n)), first(m), true)
	}
	for _, exponent := range []int{0, 1, 2, 17, 18, 19, 20, 27, 38, 100, 1000, 5000} {
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
		for delta := int64(-1); delta <= 1; delta++ {
			n := new(big.Int).Add(power, big.NewInt(delta))
			check(n)
			check(n.Neg(n))
			check(n.Mul(n, big.NewInt(3)))
		}
	}
	for bits := range 200 {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits))
		check(n)
		check(n.Neg(n))
	}
	// 100,000 digits, as numeric allows.
	m := decode(t, c, connect.List([]connect.Value{connect.Raw(raw(parse(t, "1"+strings.Repeat("0", 99_999))))}))
	decoded := first(m).Message()
	if got := decoded.Get(decoded.Descriptor().Fields().ByName(protoreflect.Name("precision"))).Uint(); got != 100_000 {
		t.Errorf("got precision %d, want 100000", got)
	}
}

// first is the value of a message's first field.
func first(m protoreflect.Message) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().Get(0))
}

func parse(t *testing.T, digits string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		t.Fatalf("%q is no number", digits)
	}
	return n
}

// sign is a byte that may precede a number without changing it.
func sign(n *big.Int) byte {
	if n.Sign() < 0 {
		return 0xFF
	}
	return 0
}
