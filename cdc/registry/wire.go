package registry

import "encoding/binary"

// AppendHeader appends what stands before a record's bytes in Confluent's wire
// format: a zero and the schema's id in four bytes, the highest first. Protobuf's
// message indexes follow it.
func AppendHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id))
}

// AppendMessageIndexes appends the path to a message within its Protobuf schema:
// how many indexes there are and each of them, zigzag varints. The first message of
// a schema, the path 0, is a single zero.
func AppendMessageIndexes(dst []byte, indexes []int) []byte {
	if len(indexes) == 1 && indexes[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(indexes)))
	for _, i := range indexes {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}
