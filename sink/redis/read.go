package redis

import (
	"context"
	"fmt"
	"strconv"

	"penstock/sink/plan"
)

// Hash returns the hash of the row that has the key of another, as it stands in
// Redis, and whether there is one; a deleted row has none. Errors are classed as
// for [sink.Store].
func (s *Store) Hash(ctx context.Context, key plan.Row) (hash map[string]string, found bool, err error) {
	at := s.key(key)
	hash, err = s.client.Do(ctx, s.client.B().Hgetall().Key(at).Build()).AsStrMap()
	if err != nil {
		return nil, false, s.fault("read "+at, err)
	}
	if _, deleted := hash[fieldDeleted]; deleted || len(hash) == 0 {
		return nil, false, nil
	}
	return hash, true, nil
}

// Read returns the row that has the key of another, as far as its hash has it, and
// whether there is one. Errors are classed as for [sink.Store]; a hash that this
// package did not write is one.
func (s *Store) Read(ctx context.Context, key plan.Row) (row plan.Stored, found bool, err error) {
	hash, found, err := s.Hash(ctx, key)
	if err != nil || !found {
		return plan.Stored{}, false, err
	}
	row, err = s.stored(s.key(key), hash)
	return row, err == nil, err
}

// stored is a hash as a row.
func (s *Store) stored(key string, hash map[string]string) (row plan.Stored, err error) {
	row = plan.Stored{Row: s.plan.NewRow()}
	if row.Version, err = strconv.ParseInt(hash[fieldVersion], 10, 64); err != nil {
		return plan.Stored{}, fmt.Errorf("read %s: field %s: %w", key, fieldVersion, err)
	}
	for _, f := range s.plan.Redis.Fields {
		text, set := hash[f.Name]
		if !set {
			continue
		}
		if row.Row[f.Slot], err = plan.ParseText(s.plan.Slots[f.Slot].Type, text); err != nil {
			return plan.Stored{}, fmt.Errorf("read %s: field %s: %w", key, f.Name, err)
		}
	}
	return row, nil
}

// Kept lists the slots that [Store.Read] gives back.
func (s *Store) Kept() []int { return s.plan.Redis.Kept() }
