package config

import "penstock/schema"

// PresetEngagement joins engagement events to the content they are about.
const PresetEngagement = "engagement"

// applyPreset fills what the pipeline leaves open.
func (p *Pipeline) applyPreset() {
	if p.Preset != PresetEngagement {
		return
	}
	p.Stream.fill("engagement_events", engagementStream)
	p.Lookup.fill("content", engagementLookup)
}

// The join columns of the preset engagement.
const (
	engagementStream = "content_id"
	engagementLookup = "id"
)

func (s *Side) fill(table, column string) {
	if s.Table == (schema.TableName{}) {
		s.Table = schema.TableName{Schema: "public", Name: table}
	}
	setDefault(&s.Column, column)
}
