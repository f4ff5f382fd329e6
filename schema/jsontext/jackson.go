package jsontext

import (
	"unicode/utf16"
	"unicode/utf8"
)

// AppendJackson appends text as a JSON string, octet for octet as Jackson, which
// Kafka Connect writes JSON with, writes one in UTF-8: with short escapes also for
// \b and \f, others in capital hexadecimal, and what lies beyond U+FFFF as two
// escapes. Keys need that: their octets choose the partition. Bytes that are not
// UTF-8 become U+FFFD.
func AppendJackson[T ~string | ~[]byte](dst []byte, text T) []byte {
	return appendJackson(dst, text, true)
}

// AppendJacksonText is [AppendJackson] for a JSON that is itself kept as text, where
// Jackson leaves what lies beyond U+FFFF as it is.
func AppendJacksonText[T ~string | ~[]byte](dst []byte, text T) []byte {
	return appendJackson(dst, text, false)
}

func appendJackson[T ~string | ~[]byte](dst []byte, text T, pairs bool) []byte {
	dst = append(dst, '"')
	start := 0
	for i := plain(text, 0); i < len(text); i = plain(text, i) {
		b := text[i]
		size := 1
		if b >= utf8.RuneSelf {
			size = runeSize(text[i:])
			if size > 0 && (size < utf8.UTFMax || !pairs) {
				i += size
				continue
			}
		}
		dst = append(dst, text[start:i]...)
		switch size {
		case 0:
			dst = append(dst, "\ufffd"...)
			size = 1
		case 1:
			dst = appendEscape(dst, b)
		default:
			r, _ := utf8.DecodeRuneInString(string(text[i : i+size]))
			high, low := utf16.EncodeRune(r)
			dst = appendUnit(appendUnit(dst, high), low)
		}
		i += size
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
	case '\b':
		b = 'b'
	case '\f':
		b = 'f'
	case '\n':
		b = 'n'
	case '\r':
		b = 'r'
	case '\t':
		b = 't'
	default:
		return appendUnit(dst, rune(b))
	}
	return append(dst, '\\', b)
}

// appendUnit appends the escape of one unit of UTF-16.
func appendUnit(dst []byte, unit rune) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '\\', 'u', hex[unit>>12&0xF], hex[unit>>8&0xF], hex[unit>>4&0xF], hex[unit&0xF])
}
