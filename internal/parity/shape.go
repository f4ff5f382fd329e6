package parity

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed shapes/*.sql
var shapeFiles embed.FS

// Shape is one way in which tables change. Its tables lie in a schema of its name.
type Shape struct {
	Name  string
	What  string
	In    []Content // publications; the first is the one that {publication} stands for
	Since int       // the major version of Postgres that has it; 0 for all

	Setup   []string // statements before the slot
	Changes []string // statements after it; each is a transaction of its own unless BEGIN came before
}

// Schema is the name of the shape's schema as an identifier of SQL.
func (s *Shape) Schema() string { return `"` + s.Name + `"` }

// LoadShapes reads every shape of the files in shapes. A statement ends in a
// semicolon at a line's end; {publication} stands for the shape's own.
func LoadShapes() ([]Shape, error) {
	files, err := fs.Glob(shapeFiles, "shapes/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Shape
	for _, file := range files {
		text, err := shapeFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		shapes, err := ParseShapes(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, shapes...)
	}
	return all, nil
}

// ParseShapes reads shapes as the files have them: a line "-- shape NAME: WHAT"
// begins one, "-- publication", "-- also" (in one more) and "-- since" tell more of
// it, "-- changes" parts what is there before from what happens.
func ParseShapes(text string) ([]Shape, error) {
	var shapes []Shape
	var into *[]string
	var statement strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		directive, rest, _ := strings.Cut(strings.TrimPrefix(line, "-- "), " ")
		switch {
		case strings.HasPrefix(line, "-- ") && directive == "shape":
			name, what, _ := strings.Cut(rest, ": ")
			shapes = append(shapes, Shape{Name: name, What: what, In: []Content{Shapes}})
			into = &shapes[len(shapes)-1].Setup
		case into == nil && line != "":
			return nil, fmt.Errorf("%q before the first shape", line)
		case strings.HasPrefix(line, "-- "):
			s := &shapes[len(shapes)-1]
			if err := s.direct(directive, rest); err != nil {
				return nil, fmt.Errorf("shape %s: %w", s.Name, err)
			}
			if directive == "changes" {
				into = &s.Changes
			}
		case line != "":
			statement.WriteString(line)
			if strings.HasSuffix(line, ";") {
				*into = append(*into, statement.String())
				statement.Reset()
			} else {
				statement.WriteByte('\n')
			}
		}
	}
	for _, s := range shapes {
		if len(s.Changes) == 0 || s.What == "" {
			return nil, fmt.Errorf("shape %s has no changes or no words", s.Name)
		}
	}
	if statement.Len() > 0 {
		return nil, fmt.Errorf("statement without end: %q", statement.String())
	}
	return shapes, nil
}

// direct takes a line that begins with -- and is within the shape.
func (s *Shape) direct(directive, rest string) (err error) {
	switch directive {
	case "changes":
	case "publication", "also":
		in := Content("parity_" + rest)
		if !slices.Contains(Contents(), in) {
			return fmt.Errorf("no publication %s", rest)
		}
		if directive == "also" {
			s.In = append(s.In, in)
		} else {
			s.In[0] = in
		}
	case "since":
		s.Since, err = strconv.Atoi(rest)
	default:
		err = fmt.Errorf("unknown word %q", directive)
	}
	return err
}
