package stores

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// found is a row as a store has it.
type found struct {
	id      string
	fields  fields // those that the store does not keep are NULL
	version int64
	odd     []string // columns whose write time is not the version, with it
}

// cell is one column of a row that is being read.
type cell struct {
	text   *string
	whole  *int64
	float  *float64
	flag   *bool
	at     *time.Time
	writes *int64 // its write time; NULL of a NULL
}

func (c *cell) into(f form) any {
	switch f {
	case asBigint:
		return &c.whole
	case asDouble:
		return &c.float
	case asMillis:
		return &c.at
	case asBool:
		return &c.flag
	default:
		return &c.text
	}
}

func (c *cell) value() string {
	switch {
	case c.text != nil:
		return *c.text
	case c.whole != nil:
		return strconv.FormatInt(*c.whole, 10)
	case c.float != nil:
		return floatText(*c.float)
	case c.flag != nil:
		return strconv.FormatBool(*c.flag)
	case c.at != nil:
		return strconv.FormatInt(c.at.UnixMilli(), 10)
	}
	return null
}

// floatText prints as Postgres does, with a fraction always.
func floatText(f float64) string {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".eIN") {
		text += ".0"
	}
	return text
}

// scan visits every row of a table.
func (s *Stores) scan(ctx context.Context, t *table, visit func(*found)) error {
	names := []string{"version"}
	for _, c := range t.columns {
		names = append(names, c.name)
		if !c.key {
			names = append(names, "writetime("+c.name+")")
		}
	}
	query := fmt.Sprintf("SELECT %s FROM %s.%s", strings.Join(names, ", "), s.target.Keyspace, t.name)
	rows := s.session.Query(query).PageSize(pageRows).Idempotent(true).IterContext(ctx).Scanner()
	for rows.Next() {
		row := found{fields: make(fields, t.fields)}
		var version *int64
		cells := make([]cell, len(t.columns))
		into := []any{&version}
		for i, c := range t.columns {
			into = append(into, cells[i].into(c.form))
			if !c.key {
				into = append(into, &cells[i].writes)
			}
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		if version != nil {
			row.version = *version
		}
		row.fill(t, cells)
		visit(&row)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", t.name, err)
	}
	return nil
}

func (f *found) fill(t *table, cells []cell) {
	for i := range f.fields {
		f.fields[i] = null
	}
	for i, c := range t.columns {
		f.fields[c.field] = cells[i].value()
		if at := cells[i].writes; at != nil && *at != f.version {
			f.odd = append(f.odd, fmt.Sprintf("%s was written at %d", c.name, *at))
		}
	}
	if f.id = f.fields[t.id]; t.key != nil {
		parts := make([]string, len(t.key))
		for i, field := range t.key {
			parts[i] = escaped(f.fields[field])
		}
		f.id = strings.Join(parts, ":")
	}
}
