package pgtext

// reader walks one text from front to back.
type reader struct {
	kind  string // Error.Type
	text  []byte
	at    int
	arena []byte // where unescaped texts are joined; never longer than text
}

func (r *reader) fail(reason string) error { return r.failAt(r.at, reason) }

func (r *reader) failAt(offset int, reason string) error {
	return &Error{Type: r.kind, Offset: offset, Reason: reason}
}

func (r *reader) done() bool { return r.at >= len(r.text) }

// peek returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	if r.done() {
		return 0
	}
	return r.text[r.at]
}

// skip steps over b when it is next.
func (r *reader) skip(b byte) bool {
	if r.done() || r.text[r.at] != b {
		return false
	}
	r.at++
	return true
}

// skipWord steps over word when it is next.
func (r *reader) skipWord(word string) bool {
	if len(r.text)-r.at < len(word) || string(r.text[r.at:r.at+len(word)]) != word {
		return false
	}
	r.at += len(word)
	return true
}

// end is nil when the whole text is read.
func (r *reader) end() error {
	if r.done() {
		return nil
	}
	return r.fail("more text after the value")
}

// space steps over what Postgres takes for white space between the parts of a value.
func (r *reader) space() {
	for !r.done() && isSpace(r.text[r.at]) {
		r.at++
	}
}

func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// number reads a run of digits, no fewer than least and no more than most, which is
// 18 or less.
func (r *reader) number(least, most int) (int64, error) {
	start, n := r.at, int64(0)
	for !r.done() && isDigit(r.text[r.at]) {
		if r.at-start == most {
			return 0, r.failAt(start, "too many digits")
		}
		n = 10*n + int64(r.text[r.at]-'0')
		r.at++
	}
	if r.at-start < least {
		return 0, r.fail("a digit is missing")
	}
	return n, nil
}

// room returns where to append an unescaped text. All of them together are never
// longer than the text they come from, so the arena never moves.
func (r *reader) room() int {
	if r.arena == nil {
		r.arena = make([]byte, 0, len(r.text))
	}
	return len(r.arena)
}

// since returns what was appended from start on, with no room to grow.
func (r *reader) since(start int) []byte { return r.arena[start:len(r.arena):len(r.arena)] }

// span returns a part of the text, with no room to grow into what follows.
func (r *reader) span(start, end int) []byte { return r.text[start:end:end] }

// quoted reads "...", in which a backslash escapes any byte.
func (r *reader) quoted() ([]byte, error) {
	open := r.at
	r.at++
	start := r.at
	for ; !r.done(); r.at++ {
		switch r.text[r.at] {
		case '"':
			r.at++
			return r.span(start, r.at-1), nil
		case '\\':
			return r.quotedRest(open, start)
		}
	}
	return nil, r.failAt(open, "the quotes are not closed")
}

// quotedRest goes on with quoted at the first backslash.
func (r *reader) quotedRest(open, start int) ([]byte, error) {
	from := r.room()
	r.arena = append(r.arena, r.text[start:r.at]...)
	for ; !r.done(); r.at++ {
		switch b := r.text[r.at]; b {
		case '"':
			r.at++
			return r.since(from), nil
		case '\\':
			r.at++
			if r.done() {
				return nil, r.fail("nothing after a backslash")
			}
			r.arena = append(r.arena, r.text[r.at])
		default:
			r.arena = append(r.arena, b)
		}
	}
	return nil, r.failAt(open, "the quotes are not closed")
}

// field reads one field of a composite or one bound of a range, up to an unquoted
// byte of stops, which it leaves. Quotes may open and close anywhere, a doubled
// one inside them is one quote, and a backslash escapes any byte. present tells an
// empty field from "".
func (r *reader) field(stops string) (text []byte, present bool, err error) {
	start, quotes, escapes := r.at, 0, false
	for ; ; r.at++ {
		if r.done() {
			if quotes%2 != 0 {
				return nil, false, r.failAt(start, "the quotes are not closed")
			}
			return nil, false, r.fail("the value is not closed")
		}
		b := r.text[r.at]
		if quotes%2 == 0 && (b == stops[0] || b == stops[1] || b == stops[len(stops)-1]) {
			break
		}
		switch b {
		case '"':
			quotes++
		case '\\':
			escapes = true
			r.at++
		}
	}
	switch raw := r.span(start, r.at); {
	case quotes == 0 && !escapes:
		return raw, len(raw) > 0, nil
	case quotes == 2 && !escapes && raw[0] == '"' && raw[len(raw)-1] == '"':
		return raw[1 : len(raw)-1 : len(raw)-1], true, nil
	default:
		return r.unquote(raw), true, nil
	}
}

// unquote undoes the quotes and backslashes of raw, of which no quote is open and
// no backslash last.
func (r *reader) unquote(raw []byte) []byte {
	from, in := r.room(), false
	for i := 0; i < len(raw); i++ {
		switch b := raw[i]; {
		case b == '\\':
			i++
			r.arena = append(r.arena, raw[i])
		case b == '"' && in && i+1 < len(raw) && raw[i+1] == '"':
			i++
			r.arena = append(r.arena, '"')
		case b == '"':
			in = !in
		default:
			r.arena = append(r.arena, b)
		}
	}
	return r.since(from)
}
