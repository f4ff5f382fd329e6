package cdc

import "penstock/schema"

// perVersion keeps what was derived of the last version of each relation, by its OID, as
// long as that version is in use. The zero perVersion is empty. Not safe for concurrent use.
type perVersion[T any] struct {
	relation *schema.Relation // of the last question
	last     T                // what was derived of it
	known    map[uint32]version[T]
}

type version[T any] struct {
	relation *schema.Relation
	derived  T
}

// of returns what derive makes of the relation, asking it once for each version.
func (p *perVersion[T]) of(rel *schema.Relation, derive func(*schema.Relation) T) T {
	if rel == p.relation {
		return p.last
	}
	v, ok := p.known[rel.OID]
	if !ok || v.relation != rel {
		if p.known == nil {
			p.known = map[uint32]version[T]{}
		}
		v = version[T]{rel, derive(rel)}
		p.known[rel.OID] = v
	}
	p.relation, p.last = rel, v.derived
	return p.last
}
