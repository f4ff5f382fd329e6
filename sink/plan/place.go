package plan

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
)

// Form says how a column of a store has a slot's value.
type Form uint8

// The forms.
const (
	Plain  Form = iota // the type's own: a Time is a timestamp, of milliseconds
	Micros             // a Time as a bigint
	Day                // a Time as a date
	OrZero             // a UUID; NULL is the zero uuid
	Joined             // a text: = and the value's, or - for NULL
	Bucket             // a smallint: a part of the hash of the row's key
)

// buckets is how many parts the history of one join value has.
const buckets = 16

// zeroUUID stands for no join value in a column of the form OrZero.
const zeroUUID = "00000000-0000-0000-0000-000000000000"

// Part is a slot in a form.
type Part struct {
	Slot int
	Form Form
}

// Place is one key under which rows are kept: the parts that make it, at the
// precision of the stores.
type Place []Part

const millisOfDay = 24 * 60 * 60 * 1000

// AppendKey appends the row's key at a place: two rows have the same exactly if
// the stores keep them under the same key.
func (p *Plan) AppendKey(dst []byte, place int, row Row) []byte {
	for _, part := range p.Places[place] {
		dst = p.appendPart(dst, part, row)
	}
	return dst
}

// AppendRowKey appends the stream row's key.
func (p *Plan) AppendRowKey(dst []byte, row Row) []byte {
	for _, slot := range p.Key {
		dst = p.appendPart(dst, Part{Slot: slot}, row)
	}
	return dst
}

func (p *Plan) appendPart(dst []byte, part Part, row Row) []byte {
	v := row[part.Slot]
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case Text, UUID:
		dst = binary.AppendUvarint(dst, uint64(len(v.text)))
		return append(dst, v.text...)
	case 0:
		return dst
	default:
		return binary.AppendVarint(dst, p.number(part, v))
	}
}

// number is a value's number at the precision of a part.
func (p *Plan) number(part Part, v Value) int64 {
	switch {
	case v.kind == Time && part.Form == Plain:
		return Millis(v)
	case v.kind == Time && part.Form == Day:
		return DayOf(v)
	}
	return v.num
}

// Millis is a time's milliseconds since the Unix epoch.
func Millis(v Value) int64 { return floorDiv(v.num, 1000) }

// DayOf is a time's UTC day, counted from the Unix epoch.
func DayOf(v Value) int64 { return floorDiv(Millis(v), millisOfDay) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// SamePlace reports whether two rows have the same key at a place.
func (p *Plan) SamePlace(place int, a, b Row) bool {
	for _, part := range p.Places[place] {
		x, y := a[part.Slot], b[part.Slot]
		if x == y {
			continue
		}
		if x.kind != Time || y.kind != Time || p.number(part, x) != p.number(part, y) {
			return false
		}
	}
	return true
}

// BucketOf is the part of its join value's history that a row lies in.
func (p *Plan) BucketOf(row Row) int16 {
	h := fnv.New32a()
	var buffer [64]byte
	_, _ = h.Write(p.AppendRowKey(buffer[:0], row))
	return int16(h.Sum32() % buckets)
}

// placeOf returns the index of a place, adding it where it is new.
func (p *Plan) placeOf(place Place) int {
	for i, have := range p.Places {
		if slices.Equal(have, place) {
			return i
		}
	}
	p.Places = append(p.Places, place)
	return len(p.Places) - 1
}

// AppendPartition appends the part of the history that a row lies in: its join
// value and its bucket, or its day.
func (p *Plan) AppendPartition(dst []byte, row Row) []byte {
	for _, c := range p.History.Columns[:p.History.Partition] {
		if c.Form == Bucket {
			dst = append(dst, byte(p.BucketOf(row)))
			continue
		}
		dst = p.appendPart(dst, c.Part, row)
	}
	return dst
}
