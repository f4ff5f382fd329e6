package debezium

import (
	"math"
	"strconv"

	"penstock/schema/connect"
	"penstock/schema/pgtext"
)

// moneyScale is the connector's default of money.fraction.digits.
const moneyScale = 2

// numeric maps a numeric by its modifier: numeric(p,s) to Connect's Decimal, one
// without to a struct that holds the scale of each value.
func (m *mapping) numeric(mod int32) codec {
	precision, scale, fixed := numericMod(mod)
	switch m.Decimal {
	case DecimalDouble:
		return m.numericDouble()
	case DecimalString:
		return m.numericString(scale, fixed)
	case DecimalPrecise:
	}
	if !fixed {
		return m.variableScale()
	}
	s := decimalSchema(scale)
	s.Parameters = append(s.Parameters, connect.Parameter{Key: "connect.decimal.precision", Value: strconv.Itoa(precision)})
	return codec{
		schema:    s,
		unchanged: connect.Raw(m.placeholder.octets),
		absent:    connect.Raw([]byte{0}),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			n, err := parseNumeric(a, text)
			if err != nil || special(n) {
				return connect.Value{}, err
			}
			if n, err = n.Rescale(scale); err != nil {
				return connect.Value{}, err
			}
			return unscaled(a, n), nil
		},
	}
}

// numericMod reads the modifier of numeric(precision, scale). A scale below zero,
// which Connect's Decimals cannot have in every format, becomes zero: the number
// is then an integer with more digits.
func numericMod(mod int32) (precision, scale int, fixed bool) {
	const header = 4
	if mod < header {
		return 0, 0, false
	}
	precision = int((mod - header) >> 16 & 0xffff)
	scale = int((mod-header)&0x7ff^1024) - 1024 // 11 bits with a sign
	if scale < 0 {
		return precision - scale, 0, true
	}
	return precision, scale, true
}

func decimalSchema(scale int) connect.Schema {
	s := named(connect.Bytes, "org.apache.kafka.connect.data.Decimal")
	s.Parameters = []connect.Parameter{{Key: "scale", Value: strconv.Itoa(scale)}}
	return s
}

// variableScale drops zeros at the end of the fraction, as the connector does.
func (m *mapping) variableScale() codec {
	s := named(connect.Struct, "io.debezium.data.VariableScaleDecimal")
	s.Doc = "Variable scaled decimal"
	s.Fields = []connect.Field{
		{Name: "scale", Schema: &connect.Schema{Kind: connect.Int32}},
		{Name: "value", Schema: &connect.Schema{Kind: connect.Bytes}},
	}
	return codec{
		schema:    s,
		unchanged: connect.List([]connect.Value{connect.Int(0), connect.Raw(m.placeholder.octets)}),
		absent:    connect.List([]connect.Value{connect.Int(0), connect.Raw([]byte{0})}),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			n, err := parseNumeric(a, text)
			if err != nil || special(n) {
				return connect.Value{}, err
			}
			for n.Scale > 0 && (len(n.Digits) == 0 || n.Digits[len(n.Digits)-1] == '0') {
				n.Scale--
				n.Digits = n.Digits[:max(len(n.Digits)-1, 0)]
			}
			fields := a.Values(2)
			fields[0] = connect.Int(int64(n.Scale))
			fields[1] = unscaled(a, n)
			return connect.List(fields), nil
		},
	}
}

func (m *mapping) numericDouble() codec {
	return codec{
		schema:    connect.Schema{Kind: connect.Float64},
		unchanged: connect.Float(math.NaN()),
		absent:    connect.Float(0),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			n, err := parseNumeric(a, text)
			if err != nil {
				return connect.Value{}, err
			}
			return connect.Float(double(n, text)), nil
		},
	}
}

// double rounds a number whose plain decimal form is text.
func double(n pgtext.Numeric, text []byte) float64 {
	switch {
	case n.NaN:
		return math.NaN()
	case n.Infinity != 0:
		return math.Inf(int(n.Infinity))
	}
	f, _ := strconv.ParseFloat(string(text), 64) // the only error is one too large: f is then infinite, as Java's
	return f
}

func (m *mapping) numericString(scale int, fixed bool) codec {
	nan, infinity, minusInfinity := []byte("NAN"), []byte("POSITIVE_INFINITY"), []byte("NEGATIVE_INFINITY")
	k := m.text("")
	k.absent = connect.Text(appendPlain(nil, pgtext.Numeric{Scale: scale}))
	return k.by(func(a *connect.Arena, text []byte) (connect.Value, error) {
		n, err := parseNumeric(a, text)
		switch {
		case err != nil:
			return connect.Value{}, err
		case n.NaN:
			return connect.Text(nan), nil
		case n.Infinity > 0:
			return connect.Text(infinity), nil
		case n.Infinity < 0:
			return connect.Text(minusInfinity), nil
		case !fixed || n.Scale == scale:
			return connect.Text(text), nil
		}
		if n, err = n.Rescale(scale); err != nil {
			return connect.Value{}, err
		}
		return connect.Text(a.Keep(appendPlain(a.Buffer(len(n.Digits)+3), n))), nil
	})
}

// money maps a money. What it looks like is the database's lc_monetary.
func (m *mapping) money() codec {
	k := codec{alone: true}
	switch m.Decimal {
	case DecimalPrecise:
		k.schema, k.absent = decimalSchema(moneyScale), connect.Raw([]byte{0})
	case DecimalDouble:
		k.schema, k.absent = connect.Schema{Kind: connect.Float64}, connect.Float(0)
	case DecimalString:
		k.schema, k.absent = connect.Schema{Kind: connect.String}, connect.Text([]byte("0.00"))
	}
	k.convert = func(a *connect.Arena, text []byte) (connect.Value, error) {
		n, err := pgtext.ParseMoney(text)
		if err != nil {
			return connect.Value{}, err
		}
		if m.Decimal == DecimalPrecise {
			return unscaled(a, rounded(n, moneyScale)), nil
		}
		plain := a.Keep(appendPlain(a.Buffer(len(text)+2), n))
		if m.Decimal == DecimalDouble {
			return connect.Float(double(n, plain)), nil
		}
		return connect.Text(plain), nil
	}
	return k
}

// parseNumeric keeps the digits in the arena when they are not a part of the text.
func parseNumeric(a *connect.Arena, text []byte) (pgtext.Numeric, error) {
	n, err := pgtext.ParseNumericIn(a.Buffer(len(text)), text)
	a.Keep(n.Digits)
	return n, err
}

func special(n pgtext.Numeric) bool { return n.NaN || n.Infinity != 0 }

func unscaled(a *connect.Arena, n pgtext.Numeric) connect.Value {
	return connect.Raw(a.Keep(n.AppendUnscaled(a.Buffer(len(n.Digits)/2 + 9))))
}

// rounded rounds half up, away from zero, to a scale.
func rounded(n pgtext.Numeric, scale int) pgtext.Numeric {
	drop := n.Scale - scale
	if drop <= 0 {
		for ; drop < 0 && len(n.Digits) > 0; drop++ {
			n.Digits = append(n.Digits, '0')
		}
		n.Scale = scale
		return n
	}
	kept := max(len(n.Digits)-drop, 0)
	up := drop <= len(n.Digits) && n.Digits[kept] >= '5'
	digits := append([]byte{'0'}, n.Digits[:kept]...)
	for i := len(digits) - 1; up; i-- {
		if up = digits[i] == '9'; up {
			digits[i] = '0'
		} else {
			digits[i]++
		}
	}
	if digits[0] == '0' {
		digits = digits[1:]
	}
	return pgtext.Numeric{Negative: n.Negative && len(digits) > 0, Digits: digits, Scale: scale}
}

// appendPlain appends a finite number with all its digits: -0.05, 12.
func appendPlain(dst []byte, n pgtext.Numeric) []byte {
	if n.Negative {
		dst = append(dst, '-')
	}
	whole := len(n.Digits) - n.Scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, n.Digits[:whole]...)
	}
	if n.Scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for i := whole; i < 0; i++ {
		dst = append(dst, '0')
	}
	return append(dst, n.Digits[max(whole, 0):]...)
}
