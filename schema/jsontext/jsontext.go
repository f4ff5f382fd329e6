// Package jsontext appends JSON to a buffer, without reflection and without
// allocating: what encoding/json does too slowly for a row. All of it is pure and
// safe for concurrent use.
package jsontext

import (
	"math/bits"
	"unicode/utf8"
)

// AppendString appends text as a JSON string. Bytes that are not UTF-8, which
// only SQL_ASCII databases hold, become U+FFFD, as encoding/json does.
func AppendString[T ~string | ~[]byte](dst []byte, text T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := plain(text, 0); i < len(text); i = plain(text, i) {
		b := text[i]
		if b >= utf8.RuneSelf {
			size := runeSize(text[i:])
			if size == 0 {
				dst = append(dst, text[start:i]...)
				dst = append(dst, `\ufffd`...)
				i++
				start = i
				continue
			}
			i += size
			continue
		}
		dst = append(dst, text[start:i]...)
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&0xF])
		}
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// plain returns where the first octet from i on is that JSON may escape, or that is not ASCII; len(text) when
// there is none. It looks at eight at once: below, an octet's highest bit is set if it is such a one, and the
// lowest of these bits is right, because a borrow only spoils what lies above it.
func plain[T ~string | ~[]byte](text T, i int) int {
	const ones = 0x0101010101010101
	for ; len(text)-i >= 8; i += 8 {
		b := text[i : i+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		found := (w | (w - ones*' ') | ((w ^ ones*'"') - ones) | ((w ^ ones*'\\') - ones)) & (ones * 0x80)
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if b := text[i]; b < ' ' || b >= utf8.RuneSelf || b == '"' || b == '\\' {
			break
		}
	}
	return i
}

// runeSize returns the length of the valid UTF-8 sequence at the start of text,
// or 0 when there is none.
func runeSize[T ~string | ~[]byte](text T) int {
	r, size := utf8.DecodeRuneInString(string(text[:min(len(text), utf8.UTFMax)]))
	if r == utf8.RuneError && size <= 1 {
		return 0
	}
	return size
}

// AppendFloat appends a number as Postgres prints it, which is JSON too, and
// quotes NaN and the infinities, which JSON does not have.
func AppendFloat(dst, text []byte) []byte {
	if IsSpecial(text) {
		return AppendString(dst, text)
	}
	return append(dst, text...)
}

// IsSpecial is true for Postgres' numbers that JSON does not have: NaN, Infinity
// and -Infinity.
func IsSpecial(text []byte) bool {
	switch string(text) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}

// IsNumber is true for a number as JSON spells it.
func IsNumber(text []byte) bool {
	i := 0
	if i < len(text) && text[i] == '-' {
		i++
	}
	whole := digits(text[i:])
	if whole == 0 || whole > 1 && text[i] == '0' {
		return false
	}
	i += whole
	if i < len(text) && text[i] == '.' {
		fraction := digits(text[i+1:])
		if fraction == 0 {
			return false
		}
		i += 1 + fraction
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '-' || text[i] == '+') {
			i++
		}
		exponent := digits(text[i:])
		if exponent == 0 {
			return false
		}
		i += exponent
	}
	return i == len(text)
}

// digits returns how many digits text starts with.
func digits(text []byte) int {
	for i, b := range text {
		if b < '0' || b > '9' {
			return i
		}
	}
	return len(text)
}
