package shape

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// maskSize is the length of a masked value in bytes, all of them digits.
const maskSize = 2 * sha256.Size

// hasher is the state of one column's HMAC, used again for each value.
type hasher struct {
	hash hash.Hash
	sum  []byte
}

func newHasher(salt []byte) *hasher {
	return &hasher{hash: hmac.New(sha256.New, salt), sum: make([]byte, 0, sha256.Size)}
}

// mask returns the HMAC of data as hexadecimal digits, in the shape's memory.
func (s *Shape) mask(h *hasher, data []byte) []byte {
	h.hash.Reset()
	h.hash.Write(data) // a hash takes all
	h.sum = h.hash.Sum(h.sum[:0])
	if cap(s.masked)-len(s.masked) < maskSize { // what was handed out stays valid in the old block
		s.masked = make([]byte, 0, max(2*cap(s.masked), 16*maskSize))
	}
	start := len(s.masked)
	s.masked = hex.AppendEncode(s.masked, h.sum)
	return s.masked[start:len(s.masked):len(s.masked)]
}
