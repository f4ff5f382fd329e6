package parity

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed justified.txt
var justified string

// Justification is why some differences are meant: one combination of a line of the list.
type Justification struct {
	Why  string
	Line int // of the list

	text     string     // the patterns as they were written
	patterns [5]pattern // of pass, table, kind, path and what Debezium has
}

// LoadJustifications reads the list of this package.
func LoadJustifications() ([]Justification, error) { return ParseJustifications(justified) }

// ParseJustifications reads a list written as justified.txt explains.
func ParseJustifications(text string) ([]Justification, error) {
	var all []Justification
	number, begun := 0, 0
	var entry strings.Builder
	end := func() error {
		list, err := parseEntry(entry.String(), begun)
		entry.Reset()
		all = append(all, list...)
		return err
	}
	for line := range strings.Lines(text) {
		number++
		goesOn := strings.HasPrefix(line, "  ")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !goesOn {
			if err := end(); err != nil {
				return nil, err
			}
			begun = number
		}
		entry.WriteString(line + " ")
	}
	return all, end()
}

// parseEntry reads one entry in one line, and returns each of its combinations.
func parseEntry(entry string, number int) ([]Justification, error) {
	if entry == "" {
		return nil, nil
	}
	patterns, why, ok := strings.Cut(strings.TrimSpace(entry), " : ")
	fields := strings.Fields(strings.ReplaceAll(patterns, ", ", ","))
	theirs := "**"
	if len(fields) == 5 && fields[4][0] == '=' {
		theirs, fields = fields[4][1:], fields[:4]
	}
	if !ok || len(fields) != 4 || why == "" {
		return nil, fmt.Errorf("line %d: want PASS TABLE KIND PATH [=DEBEZIUM] : why", number)
	}
	var all []Justification
	for _, path := range alternatives(fields[3]) {
		j := Justification{Why: why, Line: number, text: strings.Join([]string{fields[0], fields[1], fields[2], path}, " ")}
		for i, field := range []string{fields[0], fields[1], fields[2], path, theirs} {
			var err error
			if j.patterns[i], err = compile(field); err != nil {
				return nil, fmt.Errorf("line %d: %w", number, err)
			}
		}
		all = append(all, j)
	}
	return all, nil
}

// alternatives writes {a,b} out, each for itself.
func alternatives(text string) []string {
	before, rest, opened := strings.Cut(text, "{")
	list, after, closed := strings.Cut(rest, "}")
	if !opened || !closed {
		return []string{text}
	}
	var all []string
	for one := range strings.SplitSeq(list, ",") {
		for _, rest := range alternatives(after) {
			all = append(all, before+one+rest)
		}
	}
	return all
}

// pattern is a text in which ** stands for any characters, and * for any but dots.
type pattern struct {
	text string
	re   *regexp.Regexp // nil without a *
}

func compile(text string) (pattern, error) {
	quoted := strings.ReplaceAll(regexp.QuoteMeta(text), `\*\*`, `.*`)
	re, err := regexp.Compile(`^(?s:` + strings.ReplaceAll(quoted, `\*`, `[^.]*`) + `)$`)
	if err != nil || !strings.Contains(text, "*") {
		return pattern{text: text}, err
	}
	return pattern{text, re}, nil
}

func (p pattern) fits(text string) bool {
	if p.re == nil {
		return p.text == text
	}
	return p.text == "**" || p.re.MatchString(text)
}

// Justifies reports whether the difference is one that is meant.
func (j *Justification) Justifies(d Difference) bool {
	said := d.Theirs
	if d.Kind == Refused {
		said = d.Ours
	}
	for i, text := range []string{d.Pass, d.Table, string(d.Kind), d.Path, said} {
		if !j.patterns[i].fits(text) {
			return false
		}
	}
	return true
}

// String is the combination, without what Debezium has and the reason.
func (j *Justification) String() string { return j.text }
