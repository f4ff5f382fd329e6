package pgtext

import "bytes"

// maxFields is what Postgres allows a row at most, MaxTupleAttributeNumber.
const maxFields = 1664

// ParseComposite reads a row value, such as (1,"a ""b""",): a number, a text and a
// NULL. A type without fields has the text (), which is read as one NULL.
func ParseComposite(text []byte) ([]Elem, error) {
	r := reader{kind: "composite", text: text}
	if !r.skip('(') {
		return nil, r.fail("no opening parenthesis")
	}
	elems := make([]Elem, 0, min(bytes.Count(text, []byte{','})+1, maxFields))
	for {
		field, present, err := r.field(",)")
		if err != nil {
			return nil, err
		}
		if len(elems) == maxFields {
			return nil, r.fail("more fields than Postgres allows")
		}
		if !present {
			field = nil
		}
		elems = append(elems, Elem{Null: !present, Text: field})
		if r.skip(')') {
			return elems, r.end()
		}
		r.at++ // the comma
	}
}
