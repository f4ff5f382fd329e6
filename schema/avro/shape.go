package avro

import (
	"encoding/binary"
	"fmt"

	"penstock/schema/connect"
)

// maxDepth is how deep schemas may nest.
const maxDepth = 100

// shapes numbers schemas so that equal ones have the same number, in a time
// proportional to their size.
type shapes struct {
	ids  map[string]int
	done map[*connect.Schema]shape
}

// shape is the pair of numbers of one schema, whether it is optional or not.
type shape struct {
	layout int // equal if the bytes of the values and the names of the fields are
	whole  int // equal if all is
}

func newShapes() *shapes {
	return &shapes{ids: map[string]int{}, done: map[*connect.Schema]shape{}}
}

// of returns the shape of s, or what is wrong with s or below it.
func (h *shapes) of(s *connect.Schema, depth int) (shape, error) {
	if s == nil {
		return shape{}, fmt.Errorf("a schema is missing")
	}
	if known, ok := h.done[s]; ok {
		return known, nil
	}
	if depth > maxDepth {
		return shape{}, fmt.Errorf("schemas nest deeper than %d", maxDepth)
	}
	layout, whole := []byte{byte(s.Kind)}, []byte{byte(s.Kind)}
	child := func(of *connect.Schema) error {
		id, err := h.of(of, depth+1)
		if err != nil {
			return err
		}
		outside := byte(nullability(of))
		if hasDefault(of) {
			outside |= 1 << 7
		}
		layout = binary.AppendUvarint(append(layout, outside), uint64(id.layout))
		whole = binary.AppendUvarint(append(whole, outside), uint64(id.whole))
		return nil
	}
	switch s.Kind {
	case connect.Struct:
		layout = appendPart(layout, s.Name)
		for i := range s.Fields {
			layout, whole = appendPart(layout, s.Fields[i].Name), appendPart(whole, s.Fields[i].Name)
			if err := child(s.Fields[i].Schema); err != nil {
				return shape{}, err
			}
		}
	case connect.Map:
		if err := child(s.Key); err != nil {
			return shape{}, err
		}
		if err := child(s.Elem); err != nil {
			return shape{}, err
		}
	case connect.Array:
		if err := child(s.Elem); err != nil {
			return shape{}, err
		}
	case connect.Boolean, connect.Int8, connect.Int16, connect.Int32, connect.Int64, connect.Float32, connect.Float64,
		connect.String, connect.Bytes:
	default:
		return shape{}, fmt.Errorf("a schema has kind %d: there are only %d", s.Kind, connect.Struct+1)
	}
	if hasDefault(s) && !fits(s, s.Default, 0) {
		return shape{}, fmt.Errorf("the default of a schema of type %s (%s) does not fit it", s.Kind, s.Name)
	}
	id := shape{layout: h.number('l', layout), whole: h.number('w', appendWhole(whole, s))}
	h.done[s] = id
	return id, nil
}

func (h *shapes) number(family byte, key []byte) int {
	text := string(append(key, family))
	id, ok := h.ids[text]
	if !ok {
		id = len(h.ids)
		h.ids[text] = id
	}
	return id
}

// appendWhole appends all of s but what lies below it.
func appendWhole(key []byte, s *connect.Schema) []byte {
	key = appendPart(appendPart(key, s.Name), s.Doc)
	key = binary.AppendVarint(key, int64(s.Version))
	key = binary.AppendUvarint(key, uint64(len(s.Parameters)))
	for _, p := range s.Parameters {
		key = appendPart(appendPart(key, p.Key), p.Value)
	}
	if hasDefault(s) {
		return appendDefault(append(key, 1), s, s.Default)
	}
	return append(key, 0)
}

// appendPart appends text so that it cannot be taken for anything else.
func appendPart(key []byte, text string) []byte {
	return append(binary.AppendUvarint(key, uint64(len(text))), text...)
}
