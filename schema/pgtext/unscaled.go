package pgtext

import (
	"encoding/binary"
	"math/big"
)

// AppendUnscaled appends the number times 10^Scale, an integer, in two's
// complement, big-endian, in as few bytes as hold it and its sign, one at least:
// java.math.BigInteger's toByteArray. NaN and the infinities are appended as 0:
// callers look for them first.
func (n Numeric) AppendUnscaled(dst []byte) []byte {
	if len(n.Digits) <= 18 {
		v := int64(0)
		for _, d := range n.Digits {
			v = 10*v + int64(d-'0')
		}
		if n.Negative {
			v = -v
		}
		return appendInt64(dst, v)
	}
	var powers []*big.Int
	value := bigOf(n.Digits, &powers)
	if n.Negative {
		value.Sub(value, big.NewInt(1)) // two's complement of -v is the complement of v-1
	}
	size := value.BitLen()/8 + 1 // one bit more than the value's is the sign's
	start := len(dst)
	dst = append(dst, make([]byte, size)...)
	value.FillBytes(dst[start:])
	if n.Negative {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

func appendInt64(dst []byte, v int64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	i := 0
	for i < 7 && (b[i] == 0 && b[i+1] < 0x80 || b[i] == 0xff && b[i+1] >= 0x80) {
		i++
	}
	return append(dst, b[i:]...)
}

// leafDigits is the size from which halving beats big.Int's own reading, which
// takes time in the square of the digits.
const leafDigits = 1 << 10

// bigOf reads digits by halves. powers[i] is 10^(leafDigits<<i) and grows on demand.
func bigOf(digits []byte, powers *[]*big.Int) *big.Int {
	if len(digits) <= leafDigits {
		v, ok := new(big.Int).SetString(string(digits), 10)
		if !ok {
			panic("pgtext: a Numeric's Digits are not digits")
		}
		return v
	}
	level := 0
	for leafDigits<<(level+1) < len(digits) {
		level++
	}
	for len(*powers) <= level {
		*powers = append(*powers, nextPower(*powers))
	}
	split := len(digits) - leafDigits<<level
	v := bigOf(digits[:split], powers)
	v.Mul(v, (*powers)[level])
	return v.Add(v, bigOf(digits[split:], powers))
}

func nextPower(powers []*big.Int) *big.Int {
	if len(powers) == 0 {
		return new(big.Int).Exp(big.NewInt(10), big.NewInt(leafDigits), nil)
	}
	last := powers[len(powers)-1]
	return new(big.Int).Mul(last, last)
}
