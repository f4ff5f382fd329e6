package pgtext

// Bound is one end of a range.
type Bound struct {
	Infinite  bool // there is no bound; not the same as the value infinity
	Inclusive bool
	Text      []byte // unescaped; aliases the input when nothing was escaped
}

// Range is a range of any subtype. An empty one has no bounds.
type Range struct {
	Empty        bool
	Lower, Upper Bound
}

// ParseRange reads a range, such as [1,10), (,"2025-08-25 00:00:00"] or empty.
func ParseRange(text []byte) (Range, error) {
	r := reader{kind: "range", text: text}
	if r.skipWord("empty") {
		return Range{Empty: true}, r.end()
	}
	v, err := r.bounds()
	if err != nil {
		return Range{}, err
	}
	return v, r.end()
}

// ParseMultirange reads a multirange, such as {[1,3),[5,8)} or {}.
func ParseMultirange(text []byte) ([]Range, error) {
	r := reader{kind: "multirange", text: text}
	n := 0
	if err := r.multirange(func(Range) { n++ }); err != nil {
		return nil, err
	}
	ranges := make([]Range, 0, n) // counted first: a slice that grows takes three times as much
	r = reader{kind: "multirange", text: text, arena: r.arena[:0]}
	err := r.multirange(func(v Range) { ranges = append(ranges, v) })
	return ranges, err
}

// multirange visits the ranges in order.
func (r *reader) multirange(visit func(Range)) error {
	if !r.skip('{') {
		return r.fail("no opening brace")
	}
	if r.skip('}') {
		return r.end()
	}
	for {
		v, err := r.bounds()
		if err != nil {
			return err
		}
		visit(v)
		if r.skip('}') {
			return r.end()
		}
		if !r.skip(',') {
			return r.fail("neither a comma nor a closing brace")
		}
	}
}

// bounds reads a range that is not empty.
func (r *reader) bounds() (Range, error) {
	var v Range
	v.Lower.Inclusive = r.peek() == '['
	if !r.skip('[') && !r.skip('(') {
		return Range{}, r.fail("no opening bracket or parenthesis")
	}
	if err := r.bound(&v.Lower); err != nil {
		return Range{}, err
	}
	if !r.skip(',') {
		return Range{}, r.fail("no comma after the lower bound")
	}
	if err := r.bound(&v.Upper); err != nil {
		return Range{}, err
	}
	v.Upper.Inclusive = r.peek() == ']' && !v.Upper.Infinite
	if !r.skip(']') && !r.skip(')') {
		return Range{}, r.fail("no closing bracket or parenthesis")
	}
	return v, nil
}

// bound reads up to the byte that ends the bound; what is not there is exclusive.
func (r *reader) bound(b *Bound) error {
	text, present, err := r.field(",)]")
	if err != nil {
		return err
	}
	if !present {
		*b = Bound{Infinite: true}
		return nil
	}
	b.Text = text
	return nil
}
