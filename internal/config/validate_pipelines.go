package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock/internal/fault"
	"penstock/sink/plan"
)

// targets checks what the sink makes of each pipeline, and that no two write to
// the same place.
func (v *validator) targets() {
	owners := owners{tables: map[string]string{}, prefixes: map[string]string{}}
	groups := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(v.cfg.Pipelines)) {
		path, p := "pipelines."+name, v.cfg.Pipelines[name]
		if other, taken := groups[p.Group]; taken {
			v.add(path+".group", fault.Error{
				What: fmt.Sprintf("group %s is that of pipeline %s", p.Group, other), Why: "a member of a group reads one pipeline's topic",
				Fix: "leave it out, or name another",
			})
		}
		groups[p.Group] = name
		if p.RejoinRowsPerSecond < 0 {
			v.add(path+".rejoin_rows_per_second", fault.Error{What: fmt.Sprintf("%d is negative", p.RejoinRowsPerSecond), Fix: "leave it out for 20000"})
		}
		switch {
		case p.Preset == PresetEngagement:
			v.joinColumn(path+".stream.column", p.Stream.Column, engagementStream)
			v.joinColumn(path+".lookup.column", p.Lookup.Column, engagementLookup)
			v.onlyDeclared(path, &p)
		case !p.Declared() || !p.hasTables():
			continue // told already
		}
		compiled, problems := v.cfg.Plan(name)
		for _, problem := range problems {
			v.addProblem(path, problem)
		}
		if compiled != nil {
			v.claim(path, name, compiled, &owners)
		}
	}
}

// joinColumn records a join column that is not the preset's.
func (v *validator) joinColumn(path, column, usual string) {
	if column != usual {
		v.add(path, fault.Error{
			What: fmt.Sprintf("the preset %s does not join by column %s", PresetEngagement, column), Fix: "column: " + usual + ", or leave it out",
		})
	}
}

// onlyDeclared records what a preset says itself.
func (v *validator) onlyDeclared(path string, p *Pipeline) {
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"columns", len(p.Columns) > 0}, {"filter", p.Filter != ""}, {"cassandra", p.Cassandra.Table != "" || len(p.Cassandra.PartitionKey) > 0},
		{"redis", p.Redis.Key != ""}, {"stream.columns", len(p.Stream.Columns) > 0}, {"stream.key", len(p.Stream.Key) > 0},
		{"lookup.columns", len(p.Lookup.Columns) > 0}, {"lookup.key", len(p.Lookup.Key) > 0},
	} {
		if key.given {
			v.add(path+"."+key.name, fault.Error{
				What: fmt.Sprintf("the preset %s says this itself", p.Preset), Fix: "leave it out, or leave preset out and declare the whole pipeline",
			})
		}
	}
}

// addProblem records what is wrong with a declaration, at the place within the
// value where it is.
func (v *validator) addProblem(path string, p *plan.Problem) {
	if p.Path != "" {
		path += "." + p.Path
	}
	at := len(v.problems)
	v.add(path, fault.Error{What: p.What, Why: p.Why, Fix: p.Fix})
	if origin, given := v.cfg.origins[path]; given && len(v.problems) > at {
		v.problems[at] = newProblem(path, origin.within(p.Offset), fault.Error{What: p.What, Why: p.Why, Fix: p.Fix})
	}
}

// owners are who writes where.
type owners struct {
	tables   map[string]string // keyspace.table to pipeline
	prefixes map[string]string // of keys in Redis to pipeline
}

// claim records tables and keys that another pipeline has.
func (v *validator) claim(path, name string, p *plan.Plan, owners *owners) {
	for _, t := range p.Tables() {
		keyspace := t.Keyspace
		if keyspace == "" {
			keyspace = v.cfg.Cassandra.Keyspace
		}
		table := keyspace + "." + t.Name
		if other, taken := owners.tables[table]; taken {
			v.add(pathOf(path, v.cfg, name, ".cassandra.table"), fault.Error{
				What: fmt.Sprintf("pipeline %s would write into the same tables as pipeline %s: %s", name, other, table),
				Why:  "a row of one would replace the row of the other that has its key",
				Fix:  "name another table, or run it with a configuration of its own and another cassandra.keyspace",
			})
			break
		}
		owners.tables[table] = name
	}
	prefix := p.Redis.Prefix()
	for _, have := range slices.Sorted(maps.Keys(owners.prefixes)) {
		if strings.HasPrefix(prefix, have) || strings.HasPrefix(have, prefix) {
			v.add(pathOf(path, v.cfg, name, ".redis.key"), fault.Error{
				What: fmt.Sprintf("pipeline %s would write keys like those of pipeline %s: %s and %s", name, owners.prefixes[have], prefix, have),
				Why:  "a row of one would replace the row of the other that has its key",
				Fix:  "begin its keys otherwise, or run it with a configuration of its own and another redis.prefix",
			})
			return
		}
	}
	owners.prefixes[prefix] = name
}

// pathOf is the key that says where a declared pipeline writes; of a preset it is
// the pipeline's.
func pathOf(path string, c *Config, name, key string) string {
	if p := c.Pipelines[name]; p.Declared() {
		return path + key
	}
	return path
}
