package totals

import (
	"encoding/binary"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/dgryski/go-metro"

	"penstock/sink/plan"
)

// ID names a total: that of a join value and hour, or of a join value.
type ID struct {
	Join plan.Value
	Hour int64 // hours since the Unix epoch; Whole for all of them
}

// Whole is the hour of the total over all hours.
const Whole int64 = math.MinInt64

// Value is one total as the stores keep it: absolute, and a function of the rows
// up to an offset of the input topic.
type Value struct {
	ID
	Sums

	Users  int64  // estimated
	Sketch []byte // as [Sketch.Bytes]

	Minutes [60]Minute // of an hour
	Changed uint64     // the minutes, as bits, that differ from what was written before, or may

	// What the total includes: every record of the partition up to Offset. Version is that
	// of the write.
	Partition int32
	Offset    int64
	Version   int64
}

// Digest tells values of one total apart by what they say. It holds in this process.
func (v *Value) Digest() uint64 {
	data := v.AppendMinutes(make([]byte, 0, 512+len(v.Sketch)))
	for _, n := range append([]int64{v.Events, v.Millis, v.Shares, v.ShareSum, v.Users}, v.Histogram[:]...) {
		data = binary.AppendVarint(data, n)
	}
	for _, kind := range slices.Sorted(maps.Keys(v.ByKind)) {
		data = binary.AppendVarint(append(data, kind...), v.ByKind[kind])
	}
	return metro.Hash64(append(data, v.Sketch...), 0)
}

// AppendMinutes appends the minutes that have rows, in a form of their own.
func (v *Value) AppendMinutes(dst []byte) []byte {
	for i := range v.Minutes {
		m := &v.Minutes[i]
		if *m == (Minute{}) {
			continue
		}
		dst = append(dst, byte(i))
		for _, n := range []int64{m.Events, m.Millis, m.Shares, m.ShareSum} {
			dst = binary.AppendVarint(dst, n)
		}
	}
	return dst
}

var errMinutes = errors.New("the minutes of a total are not as they were written")

// ParseMinutes reads what [Value.AppendMinutes] wrote.
func (v *Value) ParseMinutes(data []byte) error {
	for len(data) > 0 {
		minute := int(data[0])
		if data = data[1:]; minute >= len(v.Minutes) {
			return errMinutes
		}
		m := &v.Minutes[minute]
		for _, into := range []*int64{&m.Events, &m.Millis, &m.Shares, &m.ShareSum} {
			n, size := binary.Varint(data)
			if size <= 0 {
				return errMinutes
			}
			*into, data = n, data[size:]
		}
	}
	return nil
}
