package protobuf

import (
	"encoding/binary"
	"math"
	"math/big"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendDecimal appends the fields of a confluent.type.Decimal. unscaled is a
// two's complement integer, big-endian; no bytes are zero.
func appendDecimal(dst, unscaled []byte, scale int32) []byte {
	unscaled = shortest(unscaled)
	dst = protowire.AppendTag(dst, 1, protowire.BytesType)
	if len(unscaled) == 0 {
		dst = append(dst, 1, 0)
	} else {
		dst = protowire.AppendBytes(dst, unscaled)
	}
	dst = appendInt(dst, 2, int64(digits(unscaled)))
	return appendInt(dst, 3, int64(scale))
}

// shortest drops leading bytes that only repeat the sign.
func shortest(n []byte) []byte {
	for len(n) > 1 && (n[0] == 0 && n[1] < 0x80 || n[0] == 0xFF && n[1] >= 0x80) {
		n = n[1:]
	}
	return n
}

// digits counts the decimal digits of a two's complement integer in its shortest
// form; zero has one.
func digits(n []byte) int {
	if len(n) > 8 {
		return manyDigits(n)
	}
	var raw [8]byte
	if len(n) > 0 && n[0] >= 0x80 {
		raw = [8]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	}
	copy(raw[8-len(n):], n)
	value := int64(binary.BigEndian.Uint64(raw[:]))
	rest := uint64(value)
	if value < 0 {
		rest = -rest
	}
	count := 1
	for ; rest >= 10; rest /= 10 {
		count++
	}
	return count
}

// manyDigits counts those of an integer of more than eight bytes. Its leading
// bits tell, unless it is next to a power of ten.
func manyDigits(n []byte) int {
	var flip byte
	if n[0] >= 0x80 {
		flip = 0xFF
	}
	lead := 0.0
	for _, b := range n[:9] {
		lead = lead*256 + float64(b^flip)
	}
	bits := float64(8 * (len(n) - 9))
	exponent := math.Log10(lead) + bits*math.Log10(2)
	whole, part := math.Modf(exponent)
	if margin := 1e-9 + bits*1e-14; part > margin && part < 1-margin {
		return int(whole) + 1
	}
	value := new(big.Int).SetBytes(n)
	if flip != 0 {
		value.Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*len(n))), value)
	}
	power := int64(math.Round(exponent))
	if value.Cmp(new(big.Int).Exp(big.NewInt(10), big.NewInt(power), nil)) >= 0 {
		return int(power) + 1
	}
	return int(power)
}
