package config

import (
	"penstock/schema"
	"penstock/schema/shape"
)

// Matches reports whether a table that is not listed is captured by its name.
func (s *Source) Matches(table schema.TableName) bool { return s.matches(table.String()) }

func (s *Source) matches(name string) bool {
	for _, pattern := range s.Matching {
		if shape.Match(pattern, name) {
			return true
		}
	}
	return false
}

func (s *Source) matchesKey(key TableKey) bool {
	table, err := ParseTable(string(key))
	return err == nil && s.Matches(table)
}
