package typecases

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed cases.txt
var cases string

// Load reads the list.
func Load() (*Table, error) { return Parse(cases) }

// Parse reads a list written as cases.txt explains. An error says in which line.
func Parse(text string) (*Table, error) {
	p := parser{table: &Table{}}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if err := p.line(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := p.endColumn(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number, err)
	}
	return p.table, nil
}

// parser holds what the lines before say of the next.
type parser struct {
	table     *Table
	column    *Column // nil between columns
	alone     bool    // column has no array
	setup     []string
	extension string
	since     int
	stops     string
}

func (p *parser) line(line string) error {
	switch {
	case strings.HasPrefix(line, "#"):
		return nil
	case strings.TrimSpace(line) == "":
		err := p.endColumn()
		p.extension, p.since, p.stops = "", 0, ""
		return err
	case line[0] == ' ':
		return p.value(strings.TrimLeft(line, " "))
	}
	if err := p.endColumn(); err != nil {
		return err
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "setup":
		p.setup = append(p.setup, rest)
	case "extension":
		p.extension = rest
	case "stops":
		p.stops = rest
	case "since":
		var err error
		p.since, err = strconv.Atoi(rest)
		return err
	case "column", "alone":
		name, typ, ok := strings.Cut(rest, " ")
		if !ok {
			return fmt.Errorf("column %s has no type", name)
		}
		p.alone = word == "alone"
		p.column = &Column{Name: name, Type: typ, Setup: p.setup, Extension: p.extension, Since: p.since, Stops: p.stops}
		p.setup = nil
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	return nil
}

func (p *parser) value(line string) error {
	name, text, ok := strings.Cut(line, " ")
	if p.column == nil || !ok {
		return fmt.Errorf("%q is no value of a column", line)
	}
	v := Value{Name: strings.TrimPrefix(name, "!"), Text: text, Stops: name[0] == '!'}
	switch {
	case strings.HasPrefix(text, "="):
		v.Expr, v.Text = true, text[1:]
	case strings.HasPrefix(text, `"`):
		unquoted, err := strconv.Unquote(text)
		if err != nil {
			return fmt.Errorf("value %s: %w", name, err)
		}
		v.Text = unquoted
	}
	p.column.Values = append(p.column.Values, v)
	return nil
}

// endColumn adds the column and its array to the table.
func (p *parser) endColumn() error {
	if p.column == nil {
		return nil
	}
	if len(p.column.Values) == 0 {
		return fmt.Errorf("column %s has no value", p.column.Name)
	}
	p.table.columns = append(p.table.columns, *p.column)
	if !p.alone {
		if !slices.ContainsFunc(p.column.Values, func(v Value) bool { return !v.Expr }) {
			return fmt.Errorf("column %s has no literal for its array", p.column.Name)
		}
		p.table.columns = append(p.table.columns, p.column.array())
	}
	p.column = nil
	return nil
}
