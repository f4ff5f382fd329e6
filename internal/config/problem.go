package config

import (
	"errors"
	"fmt"
	"sort"
	"strings"

	"penstock/internal/fault"
)

// Problem is one fault of a configuration with its place in the file.
type Problem struct {
	Fault        *fault.Error
	Line, Column int    // from 1; 0 when the value does not come from the file
	Excerpt      string // the place in the file, with a caret; never shows a secret
}

// Error renders the fault on one line.
func (p *Problem) Error() string { return p.Fault.Error() }

// Unwrap returns the fault.
func (p *Problem) Unwrap() error { return p.Fault }

// origin is where a value was given: a place in the file, or a label such as
// "environment PENSTOCK_SOURCE_DSN".
type origin struct {
	label        string
	line, column int
	quoted       bool // the value begins with a quote
	folded       bool // it begins on another line
}

// within is the place so many characters into the value.
func (o origin) within(offset int) origin {
	switch {
	case o.line == 0 || o.folded:
		return o
	case o.quoted:
		o.column++
	}
	o.column += offset
	return o
}

// String is file:line:column, or the label alone.
func (o origin) String() string {
	if o.line == 0 {
		return o.label
	}
	return fmt.Sprintf("%s:%d:%d", o.label, o.line, o.column)
}

// newProblem words a fault of the value at path. An empty path is the file itself.
func newProblem(path string, at origin, f fault.Error) *Problem {
	f.Kind = fault.Usage
	switch {
	case path == "":
		f.Where = at.String()
	case at.label == "":
		f.Where = path
	default:
		f.Where = path + " (" + at.String() + ")"
	}
	return &Problem{Fault: &f, Line: at.line, Column: at.column}
}

// faultOf is the fault that an error is, or says.
func faultOf(err error) fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return *f
	}
	return fault.Error{What: err.Error()}
}

// excerpt shows text, which stands at the given place, under a caret. What
// stands before it on its line is left out: it may be a secret.
func excerpt(at origin, text, after string) string {
	number := fmt.Sprintf("%4d", at.line)
	return number + " | " + text + after + "\n" +
		strings.Repeat(" ", len(number)) + " | " + strings.Repeat("^", max(1, len([]rune(text))))
}

// Nearest returns the candidate that word was probably meant to be, or "".
func Nearest(word string, candidates []string) string {
	best, distance := "", len(word)/3+2
	sorted := append([]string(nil), candidates...)
	sort.Strings(sorted)
	for _, c := range sorted {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	if best == "" && len(word) > 2 { // it may be a beginning
		for _, c := range sorted {
			if strings.HasPrefix(strings.ToLower(c), strings.ToLower(word)) {
				return c
			}
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace to get from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
