package pgtext

import "encoding/hex"

// AppendBytea appends the bytes of a bytea, of which text is the hex form,
// \xdeadbeef, or the escape form, a\\b\377. After an error dst is as it was.
func AppendBytea(dst, text []byte) ([]byte, error) {
	r := reader{kind: "bytea", text: text}
	if r.skipWord(`\x`) {
		out, err := hex.AppendDecode(dst, text[r.at:])
		if err != nil {
			return dst, r.fail("an odd number of digits, or one that is not hexadecimal")
		}
		return out, nil
	}
	out := dst
	for !r.done() {
		b := r.text[r.at]
		r.at++
		if b == '\\' && !r.skip('\\') {
			var ok bool
			if b, ok = r.octal(); !ok {
				return dst, r.failAt(r.at-1, "neither a backslash nor three octal digits after a backslash")
			}
		}
		out = append(out, b)
	}
	return out, nil
}

// octal reads three octal digits, 000 to 377.
func (r *reader) octal() (byte, bool) {
	if len(r.text)-r.at < 3 {
		return 0, false
	}
	n := 0
	for _, d := range r.text[r.at : r.at+3] {
		if d < '0' || d > '7' {
			return 0, false
		}
		n = 8*n + int(d-'0')
	}
	if n > 0xff {
		return 0, false
	}
	r.at += 3
	return byte(n), true
}

// AppendBits appends a bit string, such as 10110, as Debezium's Bits do: the last
// bit of the text is the lowest bit of the first byte, and there are only as many
// bytes as the highest 1 needs, so none for zeros. After an error dst is as it was.
func AppendBits(dst, text []byte) ([]byte, error) {
	out := dst
	used := len(dst) // length up to the last byte that is not 0
	for i := range text {
		bit := text[len(text)-1-i]
		if bit != '0' && bit != '1' {
			return dst, &Error{Type: "bit", Offset: len(text) - 1 - i, Reason: "neither 0 nor 1"}
		}
		if i%8 == 0 {
			out = append(out, 0)
		}
		if bit == '1' {
			out[len(out)-1] |= 1 << (i % 8)
			used = len(out)
		}
	}
	return out[:used], nil
}
