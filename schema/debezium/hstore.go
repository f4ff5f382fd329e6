package debezium

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"penstock/schema/connect"
	"penstock/schema/jsontext"
	"penstock/schema/pgtext"
)

// hstore maps an hstore to a map of text to text or null, or to that as a JSON
// object in a string.
func (m *mapping) hstore() codec {
	both := connect.Text(m.placeholder.text)
	if m.HStore == HStoreMap {
		return codec{
			schema: connect.Schema{
				Kind: connect.Map,
				Key:  &connect.Schema{Kind: connect.String},
				Elem: &connect.Schema{Kind: connect.String, Optional: true},
			},
			unchanged: connect.List([]connect.Value{both, both}),
			absent:    connect.List(nil),
			convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
				entries, err := hstoreEntries(a, text)
				return connect.List(entries), err
			},
		}
	}
	return codec{
		schema:    named(connect.String, "io.debezium.data.Json"),
		unchanged: connect.Text(appendObject(nil, []connect.Value{both, both})),
		absent:    connect.Text([]byte("{}")),
		convert: func(a *connect.Arena, text []byte) (connect.Value, error) {
			entries, err := hstoreEntries(a, text)
			if err != nil {
				return connect.Value{}, err
			}
			return connect.Text(a.Keep(appendObject(a.Buffer(len(text)+2), entries))), nil
		},
	}
}

func appendObject(dst []byte, entries []connect.Value) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for entry := range slices.Chunk(entries, 2) {
		key, value := entry[0], entry[len(entry)-1]
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(jsontext.AppendJacksonText(dst, key.Bytes), ':')
		if value.Form == connect.Null {
			dst = append(dst, "null"...)
		} else {
			dst = jsontext.AppendJacksonText(dst, value.Bytes)
		}
	}
	return append(dst, '}')
}

func hstoreEntries(a *connect.Arena, text []byte) ([]connect.Value, error) {
	pairs, err := pgtext.ParseHstore(text)
	if err != nil {
		return nil, err
	}
	entries := a.Values(2 * len(pairs))
	order := hashOrder(len(pairs), 16, func(i int) uint32 { return javaHash(pairs[i].Key) })
	for i, from := range order {
		p := pairs[from]
		entries[2*i] = connect.Text(p.Key)
		if !p.Value.Null {
			entries[2*i+1] = connect.Text(p.Value.Text)
		}
	}
	return entries, nil
}

// hashOrder returns the order in which a java.util.HashMap walks through n keys,
// by their index: by bucket, then in the order of their coming. The map is made
// with that many buckets, a power of two.
func hashOrder(n int, buckets uint32, hash func(i int) uint32) []int {
	for n > int(float64(buckets)*0.75) {
		buckets *= 2
	}
	type place struct{ bucket, index uint32 }
	places := make([]place, n)
	for i := range places {
		h := hash(i)
		places[i] = place{(h ^ h>>16) & (buckets - 1), uint32(i)}
	}
	slices.SortFunc(places, func(x, y place) int {
		return cmp.Or(cmp.Compare(x.bucket, y.bucket), cmp.Compare(x.index, y.index))
	})
	order := make([]int, n)
	for i, p := range places {
		order[i] = int(p.index)
	}
	return order
}

// javaHash is java.lang.String's hashCode, over UTF-16.
func javaHash(text []byte) uint32 {
	h := uint32(0)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		text = text[size:]
		if r > 0xffff {
			r -= 0x10000
			h = 31*h + uint32(0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		h = 31*h + uint32(r)
	}
	return h
}
