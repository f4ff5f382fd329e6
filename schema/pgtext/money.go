package pgtext

import (
	"bytes"
	"unicode/utf8"
)

// maxMoney is the number of digits of the longest money value, an int8.
const maxMoney = 19

// ParseMoney reads a money value as the database's lc_monetary prints it:
// $1,234.56, -$12.30, ($12.30), 1.234,56 €, Fr. 1'234.50, ¥1,235.
//
// The value is negative when a minus or an opening parenthesis stands before or
// after the digits. Between digits, one sign (of any script, or a space) at a
// time may stand. The last is the decimal point when it differs from an earlier
// one, or when other than three digits follow it, or when what stands before it
// cannot be a group (0 or more than three digits); else it parts groups. So one
// case is read wrong: a currency with three decimals, and a value of 1 to 999
// without groups, such as 1.234 for one Tunisian dinar and a bit.
func ParseMoney(text []byte) (Numeric, error) {
	r := reader{kind: "money", text: text}
	first, last := bytes.IndexAny(text, "0123456789"), bytes.LastIndexAny(text, "0123456789")
	if first < 0 {
		return Numeric{}, r.fail("no digits")
	}
	var amount moneyAmount
	r.at = first
	for r.at <= last {
		if err := amount.step(&r); err != nil {
			return Numeric{}, err
		}
	}
	digits := trimZeros(amount.digits)
	before, after := text[:first], text[last+1:]
	negative := bytes.ContainsAny(before, "-(−") || bytes.ContainsAny(after, "-−")
	return Numeric{Negative: negative && len(digits) > 0, Digits: digits, Scale: amount.scale()}, nil
}

// moneyAmount is what is read between the first digit and the last.
type moneyAmount struct {
	digits []byte
	signs  int  // between digits
	mixed  bool // the last sign differs from the one before it
	sign   rune // the last one
	before int  // digits up to the last sign
}

// step reads a digit, or a sign that a digit follows.
func (m *moneyAmount) step(r *reader) error {
	if b := r.text[r.at]; isDigit(b) {
		if len(m.digits) == maxMoney {
			return r.fail("more digits than a money has")
		}
		m.digits = append(m.digits, b)
		r.at++
		return nil
	}
	sign, size := utf8.DecodeRune(r.text[r.at:])
	if !isDigit(r.text[r.at+size]) { // there is one: the last digit is still ahead
		return r.fail("more than one sign between two digits")
	}
	if m.mixed {
		return r.fail("a sign after the decimal point")
	}
	m.mixed = m.signs > 0 && sign != m.sign
	m.signs++
	m.sign, m.before = sign, len(m.digits)
	r.at += size
	return nil
}

// scale decides whether the last sign is a decimal point.
func (m *moneyAmount) scale() int {
	after := len(m.digits) - m.before
	lone := m.signs == 1 && (after != 3 || m.before > 3 || m.digits[0] == '0')
	if m.mixed || lone {
		return after
	}
	return 0
}
