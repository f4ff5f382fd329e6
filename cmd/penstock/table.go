package main

import (
	"strings"
	"unicode/utf8"
)

// table is rows under a header, drawn with lines. A cell may hold colour codes.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// draw renders the table with box lines, or as one block of lines for each row
// when it would not fit the width. A width of 0 always fits.
func (t *table) draw(width int, p palette) string {
	widths := t.widths()
	total := 1
	for _, w := range widths {
		total += w + 3
	}
	if width > 0 && total > width {
		return t.blocks(p)
	}
	var b strings.Builder
	rule := func(left, middle, right string) {
		b.WriteString(left)
		for i, w := range widths {
			if i > 0 {
				b.WriteString(middle)
			}
			b.WriteString(strings.Repeat("─", w+2))
		}
		b.WriteString(right + "\n")
	}
	line := func(cells []string, paint func(string) string) {
		for i, w := range widths {
			b.WriteString("│ " + paint(cells[i]) + strings.Repeat(" ", w-visible(cells[i])) + " ")
		}
		b.WriteString("│\n")
	}
	rule("┌", "┬", "┐")
	line(t.header, p.bold)
	rule("├", "┼", "┤")
	for _, row := range t.rows {
		line(row, func(s string) string { return s })
	}
	rule("└", "┴", "┘")
	return b.String()
}

// plain renders the table with spaces only, as lists of a shell are.
func (t *table) plain() string {
	widths := t.widths()
	var b strings.Builder
	for _, row := range append([][]string{t.header}, t.rows...) {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-visible(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// blocks renders each row as lines of "header  cell".
func (t *table) blocks(p palette) string {
	label := 0
	for _, h := range t.header {
		label = max(label, visible(h))
	}
	var b strings.Builder
	for _, row := range t.rows {
		for i, cell := range row {
			h := t.header[i]
			b.WriteString(p.dim(h) + strings.Repeat(" ", label-visible(h)+2) + cell + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (t *table) widths() []int {
	widths := make([]int, len(t.header))
	for i, h := range t.header {
		widths[i] = visible(h)
		for _, row := range t.rows {
			widths[i] = max(widths[i], visible(row[i]))
		}
	}
	return widths
}

// visible counts the columns that text takes, without its colour codes.
func visible(text string) int {
	n := utf8.RuneCountInString(text)
	for rest := text; ; {
		_, code, ok := strings.Cut(rest, "\x1b[")
		if !ok {
			return n
		}
		i := strings.IndexByte(code, 'm')
		n -= len("\x1b[") + i + 1
		rest = code[i+1:]
	}
}
