package cdc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/fault"
	"penstock/schema"
)

// JoinColumn is what a pipeline takes a column for.
type JoinColumn struct {
	Name    string
	Types   []string // names of pg_type that it may have; none: any that records hold as text
	NotNull bool     // it must take no NULL
}

// notText are the types of which records do not hold the text.
func notText() []string {
	return []string{"bool", "bytea", "int2", "int4", "int8", "oid", "float4", "float8"}
}

// joins reports whether a pipeline joins a table, and whether one declares its columns.
func (c *Config) joins(table schema.TableName) (joined, declared bool) {
	for _, p := range c.Pipelines {
		for _, side := range []JoinSide{p.Stream, p.Lookup} {
			if side.Table == table {
				joined, declared = true, declared || len(side.Columns) > 0
			}
		}
	}
	return joined, declared
}

// undeclared are the faults of what pipelines declare of a table and the catalogue
// has otherwise.
func (c *Config) undeclared(rel *schema.Relation) (faults []error) {
	for _, p := range c.Pipelines {
		for _, s := range []struct {
			key string
			JoinSide
		}{{"stream", p.Stream}, {"lookup", p.Lookup}} {
			if s.Table != rel.Table {
				continue
			}
			where := "pipelines." + p.Name + "." + s.key
			for _, column := range s.Columns {
				if f := column.misfit(rel); f != nil {
					f.Kind, f.Where = fault.Usage, where+".columns."+column.Name
					faults = append(faults, f)
				}
			}
			if f := s.otherKey(rel); f != nil {
				if f.Kind, f.Where = fault.Usage, where+".key"; s.key == "lookup" {
					f.Where, f.Fix = where+".column", "join by the lookup table's primary key, of one column"
				}
				faults = append(faults, f)
			}
		}
	}
	return faults
}

// misfit is what is wrong with a declared column, nil for nothing.
func (j *JoinColumn) misfit(rel *schema.Relation) *fault.Error {
	i := rel.Index(j.Name)
	if i < 0 {
		return &fault.Error{
			What: fmt.Sprintf("table %s has no column %q, or the publication does not send it", rel.Table, j.Name),
			Fix:  "declare a column that it has, or add it to the publication's column list",
		}
	}
	column := &rel.Columns[i]
	name := "a type that the catalogue does not know"
	if column.Type != nil {
		name = column.Type.Name
	}
	builtin := column.Type != nil && column.Type.Schema == "pg_catalog"
	fits := slices.Contains(j.Types, name) && builtin
	if len(j.Types) == 0 {
		fits = !builtin || !slices.Contains(notText(), name)
	}
	switch {
	case !fits:
		return &fault.Error{
			What: fmt.Sprintf("column %s of %s is %s", j.Name, rel.Table, name),
			Why:  "records hold it in another form than the declared type has, or equal values of it in more than one",
			Fix:  "declare it as it is; text stands for every type that is no number and no boolean, and for domains",
		}
	case j.NotNull && !column.NotNull:
		return &fault.Error{
			What: fmt.Sprintf("column %s of %s takes NULL", j.Name, rel.Table), Why: "it is declared not null, or is part of a key",
			Fix: fmt.Sprintf("declare it without not null, or ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", quoteTable(rel.Table), pgx.Identifier{j.Name}.Sanitize()),
		}
	}
	return nil
}

// otherKey is what is wrong with the declared key of a table, nil for nothing.
func (s *JoinSide) otherKey(rel *schema.Relation) *fault.Error {
	if len(s.Key) == 0 {
		return nil
	}
	names := make([]string, len(rel.Key))
	for i, column := range rel.Key {
		names[i] = rel.Columns[column].Name
	}
	if slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(s.Key))) {
		return nil
	}
	return &fault.Error{
		What: fmt.Sprintf("the key of %s is (%s), not (%s)", rel.Table, strings.Join(names, ", "), strings.Join(s.Key, ", ")),
		Why:  "its rows could not be told apart", Fix: "key: [" + strings.Join(names, ", ") + "]",
	}
}
