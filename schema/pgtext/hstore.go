package pgtext

// Pair is one entry of an hstore. Texts are unescaped, and alias the input when
// nothing was escaped.
type Pair struct {
	Key   []byte
	Value Elem
}

// ParseHstore reads an hstore, such as "a"=>"1", "b"=>NULL, in the order of the
// text. Keys are unique because hstore keeps them so; that is not checked.
func ParseHstore(text []byte) ([]Pair, error) {
	r := reader{kind: "hstore", text: text}
	n := 0
	if err := r.pairs(func(Pair) { n++ }); err != nil || n == 0 {
		return nil, err
	}
	pairs := make([]Pair, 0, n) // counted first: a slice that grows takes three times as much
	r = reader{kind: "hstore", text: text, arena: r.arena[:0]}
	err := r.pairs(func(p Pair) { pairs = append(pairs, p) })
	return pairs, err
}

// pairs visits the entries in order.
func (r *reader) pairs(visit func(Pair)) error {
	r.space()
	if r.done() {
		return nil
	}
	for {
		pair, err := r.pair()
		if err != nil {
			return err
		}
		visit(pair)
		r.space()
		if r.done() {
			return nil
		}
		if !r.skip(',') {
			return r.fail("no comma between two entries")
		}
		r.space()
	}
}

func (r *reader) pair() (Pair, error) {
	if r.peek() != '"' {
		return Pair{}, r.fail("no quoted key")
	}
	key, err := r.quoted()
	if err != nil {
		return Pair{}, err
	}
	r.space()
	if !r.skipWord("=>") {
		return Pair{}, r.fail("no => after the key")
	}
	r.space()
	if r.skipWord("NULL") {
		return Pair{Key: key, Value: Elem{Null: true}}, nil
	}
	if r.peek() != '"' {
		return Pair{}, r.fail("neither a quoted value nor NULL")
	}
	value, err := r.quoted()
	return Pair{Key: key, Value: Elem{Text: value}}, err
}
