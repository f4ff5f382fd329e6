package pgtext

// Postgres' limits of a numeric's digits.
const (
	maxWhole    = 131072
	maxFraction = 16383
)

// Numeric is a decimal number: the integer that Digits spell, with its sign,
// divided by 10^Scale.
type Numeric struct {
	NaN      bool
	Infinity Infinity
	Negative bool
	Digits   []byte // no sign, point or leading zeros, so empty for 0; aliases the input when it can
	Scale    int    // digits after the point, also zeros; below 0 only after Rescale
}

// ParseNumeric reads a numeric, such as -12.50, NaN or -Infinity, with all its
// digits.
func ParseNumeric(text []byte) (Numeric, error) { return ParseNumericIn(nil, text) }

// ParseNumericIn is [ParseNumeric] that joins the digits before and after a point
// in buffer, when they fit, and so spares an allocation.
func ParseNumericIn(buffer, text []byte) (Numeric, error) {
	switch string(text) {
	case "NaN":
		return Numeric{NaN: true}, nil
	case "Infinity":
		return Numeric{Infinity: 1}, nil
	case "-Infinity":
		return Numeric{Infinity: -1}, nil
	}
	r := reader{kind: "numeric", text: text}
	negative := r.skip('-')
	whole, err := r.digits(maxWhole)
	if err != nil {
		return Numeric{}, err
	}
	var fraction []byte
	if r.skip('.') {
		if fraction, err = r.digits(maxFraction); err != nil {
			return Numeric{}, err
		}
	}
	if err := r.end(); err != nil {
		return Numeric{}, err
	}
	digits := trimZeros(whole)
	if len(digits) == 0 {
		digits = trimZeros(fraction)
	} else if len(fraction) > 0 {
		digits = append(append(sized(buffer, len(digits)+len(fraction)), digits...), fraction...)
	}
	return Numeric{Negative: negative && len(digits) > 0, Digits: digits, Scale: len(fraction)}, nil
}

// sized returns buffer empty, or a new one when it is too small.
func sized(buffer []byte, n int) []byte {
	if cap(buffer) < n {
		return make([]byte, 0, n)
	}
	return buffer[:0]
}

// digits reads one digit or more, and at most most.
func (r *reader) digits(most int) ([]byte, error) {
	start := r.at
	for !r.done() && isDigit(r.text[r.at]) {
		r.at++
	}
	switch n := r.at - start; {
	case n == 0:
		return nil, r.fail("a digit is missing")
	case n > most:
		return nil, r.failAt(start, "more digits than Postgres allows")
	}
	return r.span(start, r.at), nil
}

func trimZeros(digits []byte) []byte {
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	return digits
}

// Rescale returns the same number with another scale, -16383 to 16383. It is an
// error when that takes digits other than zeros away, and for what is not finite.
// The new digits are a copy where there are more of them.
func (n Numeric) Rescale(scale int) (Numeric, error) {
	fail := func(reason string) (Numeric, error) { return Numeric{}, &Error{Type: "numeric", Reason: reason} }
	switch {
	case n.NaN || n.Infinity != 0:
		return fail("NaN and the infinities have no scale")
	case scale < -maxFraction || scale > maxFraction:
		return fail("the scale is out of range")
	}
	more := scale - n.Scale
	n.Scale = scale
	if more >= 0 {
		if more == 0 || len(n.Digits) == 0 {
			return n, nil
		}
		digits := append(make([]byte, 0, len(n.Digits)+more), n.Digits...)
		for range more {
			digits = append(digits, '0')
		}
		n.Digits = digits
		return n, nil
	}
	kept := max(len(n.Digits)+more, 0)
	for _, d := range n.Digits[kept:] {
		if d != '0' {
			return fail("the scale is too small for the digits after the point")
		}
	}
	n.Digits = n.Digits[:kept]
	return n, nil
}
