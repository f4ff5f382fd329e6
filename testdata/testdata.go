// Package testdata embeds the seed's database: its tables and its rows. The demo
// and the tests run them as they are; compose mounts the same files.
package testdata

import (
	_ "embed"
	"strings"
)

// Setup creates the role, the tables and the publication in the database that
// it is run in. It can be run again.
//
//go:embed setup.sql
var Setup string

// Seed is the seed's rows: two INSERT statements, content first.
//
//go:embed seed.sql
var Seed string

// Statements splits a script whose statements end in a semicolon at a line's end.
func Statements(script string) []string {
	var list []string
	for statement := range strings.SplitAfterSeq(script, ";\n") {
		if strings.TrimSpace(statement) != "" {
			list = append(list, statement)
		}
	}
	return list
}
