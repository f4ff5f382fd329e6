package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// LSN is a byte position in one Postgres cluster's write-ahead log. LSNs of
// different clusters, or of different timelines beyond their switch point, are
// not comparable. The zero LSN is invalid and means "none".
type LSN uint64

// ParseLSN reads the form that Postgres prints, two hexadecimal halves such as
// 16/B374D848. Trailing or missing text is an error.
func ParseLSN(s string) (LSN, error) {
	high, low, found := strings.Cut(s, "/")
	if !found {
		return 0, fmt.Errorf("lsn %q: want two hexadecimal numbers with a slash between, such as 16/B374D848", s)
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("lsn %q: first half: %w", s, err)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("lsn %q: second half: %w", s, err)
	}
	return LSN(h<<32 | l), nil
}

// String prints the LSN as Postgres does, such as 16/B374D848.
func (l LSN) String() string { return string(l.Append(nil)) }

// Append appends the form of [LSN.String] to dst.
func (l LSN) Append(dst []byte) []byte {
	dst = appendUpperHex(dst, uint32(l>>32))
	dst = append(dst, '/')
	return appendUpperHex(dst, uint32(l))
}

// IsZero reports whether the LSN is the invalid one.
func (l LSN) IsZero() bool { return l == 0 }

// MarshalText prints the LSN as [LSN.String] does.
func (l LSN) MarshalText() ([]byte, error) { return l.Append(nil), nil }

// UnmarshalText reads what [ParseLSN] reads.
func (l *LSN) UnmarshalText(text []byte) error {
	parsed, err := ParseLSN(string(text))
	if err != nil {
		return err
	}
	*l = parsed
	return nil
}

func appendUpperHex(dst []byte, v uint32) []byte {
	const digits = "0123456789ABCDEF"
	started := false
	for shift := 28; shift >= 0; shift -= 4 {
		d := v >> shift & 0xF
		started = started || d != 0 || shift == 0
		if started {
			dst = append(dst, digits[d])
		}
	}
	return dst
}
