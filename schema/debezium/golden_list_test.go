package debezium_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// justification is one combination of a line of testdata/differences.txt. Its
// parts are patterns, where a * stands for any text.
type justification struct {
	place, column, kind, field, theirs pattern

	line string // as it is in the list, for messages
	used bool
}

// readJustifications reads the list. What it says of its syntax stands there.
func readJustifications(t *testing.T) []justification {
	t.Helper()
	text, err := os.ReadFile("testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.NewReplacer("\n  ", " ", ", ", ",", ",\n  ", ",").Replace(string(text))
	var all []justification
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		patterns, why, _ := strings.Cut(line, " : ")
		parts := strings.Fields(patterns)
		if len(parts) == 4 {
			parts = append(parts, "=*")
		}
		if len(parts) != 5 || parts[4][0] != '=' || strings.TrimSpace(why) == "" {
			t.Fatalf("%s: want PLACE COLUMN KIND FIELD [=CONNECTOR] : why", line)
		}
		for column := range strings.SplitSeq(parts[1], ",") {
			for field := range strings.SplitSeq(parts[3], ",") {
				all = append(all, justification{
					place: newPattern(parts[0]), column: newPattern(column), kind: newPattern(parts[2]), field: newPattern(field),
					theirs: newPattern(parts[4][1:]),
					line:   strings.Join([]string{parts[0], column, parts[2], field, parts[4]}, " "),
				})
			}
		}
	}
	return all
}

// pattern is a text in which a * stands for any text.
type pattern struct {
	text string
	re   *regexp.Regexp // nil without a *
}

func newPattern(text string) pattern {
	if !strings.Contains(text, "*") {
		return pattern{text: text}
	}
	return pattern{text, regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, `.*`) + `\z`)}
}

func (p pattern) fits(text string) bool {
	if p.re == nil {
		return p.text == text
	}
	return p.re.MatchString(text)
}

func (j *justification) justifies(d difference) bool {
	column, field := d.subject()
	return j.kind.fits(d.kind) && j.column.fits(column) && j.field.fits(field) && j.place.fits(d.place) && j.theirs.fits(d.theirs)
}

// subject parts the path of a difference into the column and what differs of it:
// its value, or its schema. What is of no column is its path.
func (d difference) subject() (column, field string) {
	for _, image := range []string{"value.before.", "value.after.", "valueSchema.before.", "valueSchema.after."} {
		rest, ok := strings.CutPrefix(d.path, image)
		if !ok {
			continue
		}
		column, rest, deeper := strings.Cut(rest, ".")
		field = "value"
		if strings.HasPrefix(image, "valueSchema") {
			field = "schema"
		}
		if deeper {
			field += "." + rest
		}
		return column, field
	}
	return "", d.path
}

// judge fails for each difference that the list does not have, and for what the
// list has and no difference needs.
func judge(t *testing.T, found []difference) {
	t.Helper()
	list := readJustifications(t)
	for _, d := range found {
		i := slices.IndexFunc(list, func(j justification) bool { return j.justifies(d) })
		if i < 0 {
			t.Error(d)
			continue
		}
		list[i].used = true
	}
	for _, j := range list {
		if !j.used {
			t.Errorf("the list has %q: nothing differs so", j.line)
		}
	}
}
