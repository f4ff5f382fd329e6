package config

import (
	"fmt"
	"maps"
	"slices"

	"penstock/internal/fault"
	"penstock/schema"
)

// targets refuses pipelines whose rows would not be what the stores should hold:
// of a shape that the sink does not know, or two in the same place.
func (v *validator) targets() {
	first := ""
	for _, name := range slices.Sorted(maps.Keys(v.cfg.Pipelines)) {
		path, p := "pipelines."+name, v.cfg.Pipelines[name]
		if p.Preset == "" && (p.Stream.Table != schema.TableName{} || p.Lookup.Table != schema.TableName{}) {
			v.add(path, fault.Error{
				What: "the sink does not know what to write of these tables", Why: "it joins tables that have the columns of a preset",
				Fix: "add preset: engagement, or run with --only capture",
			})
		}
		if p.Preset != PresetEngagement {
			continue
		}
		v.joinColumn(path+".stream.column", p.Stream.Column, engagementStream)
		v.joinColumn(path+".lookup.column", p.Lookup.Column, engagementLookup)
		if first != "" {
			v.add(path, fault.Error{
				What: fmt.Sprintf("pipeline %s would write into the same tables and keys as pipeline %s", name, first),
				Why:  "an event of one would replace the event of the other that has its id",
				Fix:  "run it with a configuration of its own, with another cassandra.keyspace and redis.prefix",
			})
			continue
		}
		first = name
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
