package engagement

import (
	"encoding/hex"
	"fmt"
)

// UUID is a Postgres uuid. Where a content id is asked for, the zero UUID stands
// for "none": the history keeps events whose content_id is NULL under it.
type UUID [16]byte

// IsZero reports whether the UUID is the zero one.
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads the form that Postgres prints, 8-4-4-4-12 hexadecimal digits.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, fmt.Errorf("uuid %q: want 8-4-4-4-12 hexadecimal digits", s)
	}
	digits := make([]byte, 0, 32)
	for _, group := range []string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		digits = append(digits, group...)
	}
	if _, err := hex.Decode(u[:], digits); err != nil {
		return UUID{}, fmt.Errorf("uuid %q: %w", s, err)
	}
	return u, nil
}

// String prints the UUID as Postgres does, in lower case.
func (u UUID) String() string {
	dst := make([]byte, 0, 36)
	for i, group := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, group)
	}
	return string(dst)
}
