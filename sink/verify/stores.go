package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"penstock/sink/cassandra"
	"penstock/sink/plan"
	"penstock/sink/redis"
)

// tableStore is a table of Cassandra.
type tableStore struct {
	tables *cassandra.Store
	table  *plan.Table
	key    []int // the columns that have the values of the row's key
}

func (s *tableStore) scan(ctx context.Context, visit func(*entry) error) error {
	return s.tables.ScanTable(ctx, s.table, func(k *cassandra.Kept) error { return visit(s.entry(k)) })
}

func (s *tableStore) entry(k *cassandra.Kept) *entry {
	e := &entry{values: k.Values, version: k.Version, written: k.LastWritten}
	var key []byte
	for _, column := range s.key {
		key = plan.AppendValue(key, k.Values[column])
	}
	e.key = string(key)
	switch {
	case k.Version == 0:
		e.torn = "none is a version"
	case k.FirstWritten != k.LastWritten:
		e.torn = fmt.Sprintf("%d to %d", k.FirstWritten, k.LastWritten)
	case k.FirstWritten != k.Version:
		e.torn = strconv.FormatInt(k.FirstWritten, 10)
	}
	return e
}

func (s *tableStore) keys(at []*entry) [][]plan.Value {
	keys := make([][]plan.Value, len(at))
	for i, e := range at {
		keys[i] = e.values[:s.table.Partition+s.table.Clustering]
	}
	return keys
}

func (s *tableStore) read(ctx context.Context, at []*entry) ([]*entry, error) {
	rows, err := s.tables.ReadTable(ctx, s.table, s.keys(at))
	if err != nil {
		return nil, err
	}
	found := make([]*entry, len(rows))
	for i, k := range rows {
		if k != nil {
			found[i] = s.entry(k)
		}
	}
	return found, nil
}

func (s *tableStore) remove(ctx context.Context, entries []*entry, asOf int64) error {
	return s.tables.RemoveKept(ctx, s.table, s.keys(entries), above(entries, asOf))
}

// above is for each entry a version that is above what it was written at: versions of
// changes are two apart, so a change that came meanwhile is above it.
func above(entries []*entry, asOf int64) []int64 {
	at := make([]int64, len(entries))
	for i, e := range entries {
		if at[i] = max(e.version, e.written) + 1; at[i] == 1 {
			at[i] = asOf
		}
	}
	return at
}

// hashStore is the hashes of Redis.
type hashStore struct {
	hashes *redis.Store
	plan   *plan.Plan
}

// foreign begins the keys of entries that are no row's.
const foreign = "\xff"

func (s *hashStore) scan(ctx context.Context, visit func(*entry) error) error {
	return s.hashes.Scan(ctx, func(page []redis.Found) error {
		for i := range page {
			if e := s.entry(&page[i]); e != nil {
				if err := visit(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// entry is nil for a tombstone, and for a key that is gone.
func (s *hashStore) entry(f *redis.Found) *entry {
	if f.Hash == nil && !f.Foreign || f.Deleted() {
		return nil
	}
	e := &entry{key: foreign + f.Key, values: make([]plan.Value, len(s.plan.Redis.Fields)+2)}
	row, noRows := s.plan.ParseKey([]byte(f.Key))
	if noRows == nil {
		e.key = string(s.plan.AppendRowKey(nil, row))
	}
	e.values[0] = plan.TextOf(f.Key)
	others := maps.Clone(f.Hash)
	if e.foreign = f.Foreign; f.Foreign {
		others = map[string]string{"type": "not a hash"}
	}
	for i, field := range s.plan.Redis.Fields {
		if text, set := f.Hash[field.Name]; set {
			e.values[i+1] = plan.TextOf(text)
			delete(others, field.Name)
		}
	}
	var err error
	if e.version, err = strconv.ParseInt(f.Version(), 10, 64); err != nil || len(f.Version()) != len("00000000000000000000") {
		e.version, e.torn = 0, fmt.Sprintf("%q is no version", f.Version())
		e.foreign = e.foreign || noRows != nil // the pipeline writes neither
	}
	delete(others, redis.VersionField)
	if len(others) > 0 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(others)) {
			list = append(list, name+"="+others[name])
		}
		e.values[len(e.values)-1] = plan.TextOf(strings.Join(list, " "))
	}
	return e
}

func (s *hashStore) read(ctx context.Context, at []*entry) ([]*entry, error) {
	found, err := s.hashes.Get(ctx, s.keys(at))
	if err != nil {
		return nil, err
	}
	entries := make([]*entry, len(found))
	for i := range found {
		entries[i] = s.entry(&found[i])
	}
	return entries, nil
}

func (s *hashStore) keys(at []*entry) []string {
	keys := make([]string, len(at))
	for i, e := range at {
		keys[i] = e.values[0].Text()
	}
	return keys
}

// remove deletes a hash that has no version, or one that is above all changes', as if it
// had never been: its tombstone would keep out the row's next change.
func (s *hashStore) remove(ctx context.Context, entries []*entry, asOf int64) error {
	var blocking, others []*entry
	for _, e := range entries {
		if e.torn != "" || e.version > asOf {
			blocking = append(blocking, e)
		} else {
			others = append(others, e)
		}
	}
	if err := s.hashes.Forget(ctx, s.keys(blocking)); err != nil {
		return err
	}
	return s.hashes.Remove(ctx, s.keys(others), above(others, asOf))
}
