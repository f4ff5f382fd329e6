package pgtext_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"penstock/schema/pgtext"
)

// parsers are all of them, with their value thrown away.
func parsers() map[string]func([]byte) error {
	ignore := func(_ any, err error) error { return err }
	return map[string]func([]byte) error{
		"array":       func(b []byte) error { return ignore(pgtext.ParseArray(b, ',')) },
		"array of ;":  func(b []byte) error { return ignore(pgtext.ParseArray(b, ';')) },
		"vector":      func(b []byte) error { return ignore(pgtext.ParseVector(b)) },
		"composite":   func(b []byte) error { return ignore(pgtext.ParseComposite(b)) },
		"range":       func(b []byte) error { return ignore(pgtext.ParseRange(b)) },
		"multirange":  func(b []byte) error { return ignore(pgtext.ParseMultirange(b)) },
		"hstore":      func(b []byte) error { return ignore(pgtext.ParseHstore(b)) },
		"date":        func(b []byte) error { _, _, err := pgtext.ParseDate(b); return err },
		"timestamp":   func(b []byte) error { _, _, err := pgtext.ParseTimestamp(b); return err },
		"timestamptz": func(b []byte) error { _, _, err := pgtext.ParseTimestamptz(b); return err },
		"time":        func(b []byte) error { _, err := pgtext.ParseTime(b); return err },
		"timetz":      func(b []byte) error { _, _, err := pgtext.ParseTimetz(b); return err },
		"interval":    func(b []byte) error { return ignore(pgtext.ParseInterval(b)) },
		"numeric":     func(b []byte) error { return ignore(pgtext.ParseNumeric(b)) },
		"money":       func(b []byte) error { return ignore(pgtext.ParseMoney(b)) },
		"bytea":       func(b []byte) error { return ignore(pgtext.AppendBytea(nil, b)) },
		"bit":         func(b []byte) error { return ignore(pgtext.AppendBits(nil, b)) },
		"point":       func(b []byte) error { return ignore(pgtext.ParsePoint(b)) },
		"path":        func(b []byte) error { return ignore(pgtext.ParsePath(b)) },
		"polygon":     func(b []byte) error { return ignore(pgtext.ParsePolygon(b)) },
	}
}

// floods are texts of about size bytes that are made to be expensive: by a front,
// a part that repeats, and an end.
func floods(size int) [][]byte {
	var all [][]byte
	for _, c := range []struct{ front, part, end string }{
		{"", "{", ""}, {"", "}", ""}, {"", ",", ""}, {"", "(", ""}, {"", "[", ""}, {"", `"`, ""}, {"", `\`, ""}, {"", " ", ""}, {"", "1", ""}, {"", "0", ""}, {"", "a", ""}, {"", "\x00", ""},
		{"{", "1,", "1}"}, {"{", "NULL,", "1}"}, {"{", `"",`, "1}"}, {"{", `\a,`, "1}"}, {"{", "{1},", "{1}}"}, {"{", " ", "1}"}, {`{"`, `\\`, `"}`}, {`{"`, ",", `"}`}, {"{", "1;", "1}"},
		{"", "[1:1]", "={1}"}, {"", "1 ", "1"},
		{"(", ",", ")"}, {"(", `"",`, ")"}, {`("`, `""`, `")`}, {"(", `""`, ")"}, {"(", `\a`, ")"},
		{"[", ",", ")"}, {"{", "(,),", "(,)}"}, {"{", `["",""],`, "(,)}"}, {`["`, ",", `",)`},
		{"", `""=>"",`, `""=>""`}, {"", `""=>NULL,`, `""=>""`}, {`"`, "=>", `"=>""`},
		{"-", "9", ".9"}, {"0.", "9", ""}, {"$", "1,234,", "567.00"}, {"$", "1,", "1"}, {`\x`, "ab", ""}, {"", `\001`, ""}, {"", "1 day ", ""}, {"", "-1 years ", ""},
		{"[", "(1,2),", "(1,2)]"}, {"(", "(1,2),", "(1,2))"}, {"(0.", "1", ",2)"}, {"(1e", "9", ",2)"}, {"2025-08-25 ", "0", ""},
	} {
		text := append([]byte(c.front), bytes.Repeat([]byte(c.part), size/len(c.part))...)
		all = append(all, append(text, c.end...))
	}
	return all
}

// Whatever the text, all that is allocated, garbage too, is less than 64 times its
// size, and the time does not grow with the square of it: that would be minutes.
func TestFloodsStaySmallAndFast(t *testing.T) {
	const size, most, longest = 1 << 18, 64 << 18, 10 * time.Second
	texts := floods(size)
	for name, parse := range parsers() {
		t.Run(name, func(t *testing.T) {
			for _, text := range texts {
				start := time.Now()
				if n := allocated(parse, text); n > most {
					t.Errorf("%.12q...: %d kB allocated", text, n>>10)
				}
				if took := time.Since(start); took > longest {
					t.Errorf("%.12q...: took %s", text, took)
				}
			}
		})
	}
}

// What costs most memory for its size, at a megabyte.
func TestMegabyteTakesLessThan64(t *testing.T) {
	const size, most = 1 << 20, 64 << 20
	parsers := parsers()
	for _, c := range []struct{ parser, front, part, end string }{
		{"array", "", "{", ""},
		{"array", "{", "1,", "1}"},
		{"vector", "", "1 ", "1"},
		{"vector", "", " ", ""},
		{"composite", "(", ",", ")"},
		{"multirange", "{", "(,),", "(,)}"},
		{"hstore", "", `""=>"",`, `""=>""`},
	} {
		text := []byte(c.front + strings.Repeat(c.part, size/len(c.part)) + c.end)
		if n := allocated(parsers[c.parser], text); n > most {
			t.Errorf("%s %.12q...: %d MB allocated", c.parser, text, n>>20)
		}
	}
}

// allocated returns the bytes that parsing text allocates, whatever comes of it.
func allocated(parse func([]byte) error, text []byte) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = parse(text) // an error is as good as a value
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
