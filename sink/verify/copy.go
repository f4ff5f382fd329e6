package verify

import (
	"bytes"
	"fmt"
	"strings"
)

// copyRows takes what COPY … TO STDOUT sends, in its text format, and visits row by row.
// The columns of a row are texts as Postgres prints them, nil for NULL, and valid
// during the visit only.
type copyRows struct {
	columns int
	visit   func(texts [][]byte) error

	rest  []byte // of a row that has not come whole
	texts [][]byte
}

// Write takes the next bytes.
func (c *copyRows) Write(data []byte) (int, error) {
	n := len(data)
	if len(c.rest) > 0 {
		c.rest = append(c.rest, data...)
		data = c.rest
	}
	for {
		line, after, found := bytes.Cut(data, []byte{'\n'})
		if !found {
			break
		}
		if err := c.row(line); err != nil {
			return 0, err
		}
		data = after
	}
	c.rest = append(c.rest[:0], data...)
	return n, nil
}

func (c *copyRows) row(line []byte) error {
	c.texts = c.texts[:0]
	for more := true; more; {
		var text []byte
		text, line, more = bytes.Cut(line, []byte{'\t'})
		c.texts = append(c.texts, unescaped(text))
	}
	if len(c.texts) != c.columns {
		return fmt.Errorf("a row of COPY has %d columns, %d were asked for", len(c.texts), c.columns)
	}
	return c.visit(c.texts)
}

// unescaped undoes, in place, what COPY does to a text so that it holds no tab and no
// newline. Source: COPY in the manual, Text Format; the server writes no other escapes.
func unescaped(text []byte) []byte {
	if string(text) == `\N` {
		return nil
	}
	at := bytes.IndexByte(text, '\\')
	if at < 0 {
		return text
	}
	out := text[:at]
	for i := at; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			c = text[i]
			if n := strings.IndexByte("bfnrtv", c); n >= 0 {
				c = "\b\f\n\r\t\v"[n]
			}
		}
		out = append(out, c)
	}
	return out
}
