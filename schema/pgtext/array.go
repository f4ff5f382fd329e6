package pgtext

import (
	"bytes"
	"slices"
)

// Elem is one value inside another: an element or a field.
type Elem struct {
	Null bool
	Text []byte // unescaped; aliases the input when nothing was escaped
}

// Dim is one dimension of an array.
type Dim struct{ Lower, Len int }

// Array is an array's elements in row-major order. An empty array has no Dims.
type Array struct {
	Dims  []Dim
	Elems []Elem
}

// MaxDims is the number of dimensions that Postgres allows.
const MaxDims = 6

// ParseArray reads an array whose elements are separated by delimiter, such as
// {1,NULL,"a b"} or [0:1][2:2]={{1},{2}}.
func ParseArray(text []byte, delimiter byte) (Array, error) {
	p := arrayReader{reader: reader{kind: "array", text: text}, delimiter: delimiter}
	n := 0
	if err := p.scan(func(Elem) { n++ }); err != nil {
		return Array{}, err
	}
	if n == 0 {
		return Array{}, nil
	}
	elems := make([]Elem, 0, n) // counted first: a slice that grows takes three times as much
	p = arrayReader{reader: reader{kind: "array", text: text, arena: p.arena[:0]}, delimiter: delimiter}
	if err := p.scan(func(e Elem) { elems = append(elems, e) }); err != nil {
		return Array{}, err
	}
	return Array{Dims: slices.Clone(p.dims[:p.rank]), Elems: elems}, nil
}

// ParseVector reads an int2vector or oidvector, such as 1 2 3. Its one dimension
// starts at 0.
func ParseVector(text []byte) (Array, error) {
	if len(text) == 0 {
		return Array{}, nil
	}
	r := reader{kind: "vector", text: text}
	elems := make([]Elem, 0, bytes.Count(text, []byte{' '})+1)
	for {
		start := r.at
		r.skip('-')
		if _, err := r.number(1, 10); err != nil {
			return Array{}, err
		}
		elems = append(elems, Elem{Text: r.span(start, r.at)})
		if r.done() {
			return Array{Dims: []Dim{{0, len(elems)}}, Elems: elems}, nil
		}
		if !r.skip(' ') {
			return Array{}, r.fail("no space between two numbers")
		}
	}
}

// arrayReader reads one array. Lengths are known when the first sub-array of a
// dimension closes; all later ones must have the same.
type arrayReader struct {
	reader
	delimiter byte

	bounds int          // dimensions that the text declares; 0 without
	dims   [MaxDims]Dim // declared or, of undeclared ones, found
	rank   int          // dimensions found; 0 before the first element
	closed [MaxDims]bool
	counts [MaxDims]int // values in the sub-array that is open
}

// scan reads the whole array and visits its elements in order.
func (p *arrayReader) scan(visit func(Elem)) error {
	if err := p.declared(); err != nil {
		return err
	}
	p.space()
	if p.peek() != '{' {
		return p.fail("no opening brace")
	}
	for depth := 0; ; {
		p.space()
		switch b := p.peek(); {
		case b == '{':
			if depth == MaxDims || p.rank > 0 && depth == p.rank {
				return p.fail("a sub-array too deep")
			}
			p.counts[depth] = 0
			depth++
			p.at++
			continue
		case b == '}' && depth == 1 && p.rank == 0 && p.bounds == 0:
			p.at++
			p.space()
			return p.end()
		}
		if p.rank == 0 {
			p.rank = depth
		}
		if depth != p.rank {
			return p.fail("an element in place of a sub-array")
		}
		elem, err := p.element()
		if err != nil {
			return err
		}
		visit(elem)
		if depth, err = p.after(depth); err != nil {
			return err
		}
		if depth == 0 {
			p.space()
			return p.end()
		}
	}
}

// declared reads [lower:upper] of every dimension and the =, when there are any.
func (p *arrayReader) declared() error {
	p.space()
	for p.peek() == '[' {
		start := p.at
		if p.bounds == MaxDims {
			return p.fail("more than 6 dimensions")
		}
		p.at++
		lower, err := p.bound()
		if err != nil {
			return err
		}
		if !p.skip(':') {
			return p.fail("no colon between the bounds")
		}
		upper, err := p.bound()
		if err != nil {
			return err
		}
		if !p.skip(']') {
			return p.fail("no closing bracket")
		}
		if upper < lower {
			return p.failAt(start, "the upper bound is below the lower")
		}
		p.dims[p.bounds] = Dim{Lower: int(lower), Len: int(upper - lower + 1)}
		p.bounds++
	}
	if p.bounds > 0 && !p.skip('=') {
		return p.fail("no = after the bounds")
	}
	return nil
}

// bound reads an int4.
func (p *arrayReader) bound() (int64, error) {
	start, minus := p.at, p.skip('-')
	n, err := p.number(1, 10)
	if minus {
		n = -n
	}
	if err == nil && n != int64(int32(n)) {
		err = p.failAt(start, "the bound is out of range")
	}
	return n, err
}

// after reads what follows a value: a delimiter, or the ends of sub-arrays and
// then a delimiter. It returns the depth of the next value, 0 at the array's end.
func (p *arrayReader) after(depth int) (int, error) {
	for {
		p.counts[depth-1]++
		p.space()
		if p.skip(p.delimiter) {
			return depth, nil
		}
		if !p.skip('}') {
			return 0, p.fail("neither a delimiter nor a closing brace")
		}
		depth--
		if err := p.closeDim(depth); err != nil {
			return 0, err
		}
		if depth == 0 {
			return 0, nil
		}
	}
}

// closeDim compares the length of the sub-array just closed with its siblings'.
func (p *arrayReader) closeDim(d int) error {
	count := p.counts[d]
	if p.bounds > 0 && p.rank != p.bounds {
		return p.failAt(p.at-1, "the bounds declare another number of dimensions")
	}
	if !p.closed[d] && p.bounds == 0 {
		p.dims[d] = Dim{Lower: 1, Len: count}
	}
	p.closed[d] = true
	if p.dims[d].Len != count {
		return p.failAt(p.at-1, "a dimension has another length here")
	}
	return nil
}

// element reads one element, which is not a sub-array.
func (p *arrayReader) element() (Elem, error) {
	if p.peek() == '"' {
		text, err := p.quoted()
		return Elem{Text: text}, err
	}
	start, end := p.at, p.at // end is after the last byte that is not a space
	for ; !p.done(); p.at++ {
		switch b := p.text[p.at]; {
		case b == p.delimiter || b == '}':
			if end == start {
				return Elem{}, p.fail("an element is missing")
			}
			text := p.span(start, end)
			return Elem{Null: isNull(text), Text: text}, nil
		case b == '\\':
			return p.escaped(start)
		case b == '{' || b == '"':
			return Elem{}, p.fail("a brace or quote inside an element that is not quoted")
		case !isSpace(b):
			end = p.at + 1
		}
	}
	return Elem{}, p.fail("the array is not closed")
}

// escaped goes on with element at the first backslash of one without quotes.
func (p *arrayReader) escaped(start int) (Elem, error) {
	from := p.room()
	p.arena = append(p.arena, p.text[start:p.at]...)
	end := len(p.arena)
	for ; !p.done(); p.at++ {
		b := p.text[p.at]
		switch b {
		case p.delimiter, '}':
			p.arena = p.arena[:end]
			return Elem{Text: p.since(from)}, nil
		case '{', '"':
			return Elem{}, p.fail("a brace or quote inside an element that is not quoted")
		case '\\':
			p.at++
			if p.done() {
				return Elem{}, p.fail("nothing after a backslash")
			}
			p.arena = append(p.arena, p.text[p.at])
			end = len(p.arena)
		default:
			p.arena = append(p.arena, b)
			if !isSpace(b) {
				end = len(p.arena)
			}
		}
	}
	return Elem{}, p.fail("the array is not closed")
}

// isNull is true for NULL in any case.
func isNull(text []byte) bool { return len(text) == 4 && bytes.EqualFold(text, []byte("NULL")) }
