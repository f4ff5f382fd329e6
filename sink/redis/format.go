package redis

import (
	"fmt"

	"penstock/sink/plan"
)

// VersionField is the field of every hash that has its version.
const VersionField = "_v"

// The fields of a hash that are not the plan's. A field whose slot is NULL is absent.
const (
	fieldVersion = VersionField // 20 decimal digits
	fieldDeleted = "_d"         // on a tombstone only
)

// key is the key of a row's hash.
func (s *Store) key(row plan.Row) string {
	var buffer [128]byte
	return string(s.plan.Redis.AppendKey(buffer[:0], row))
}

// fields appends a row's fields and values, alternating.
func (s *Store) fields(dst []string, row plan.Row) []string {
	for _, f := range s.plan.Redis.Fields {
		if v := row[f.Slot]; !v.IsNull() {
			dst = append(dst, f.Name, v.String())
		}
	}
	return dst
}

// formatVersion pads the version so that comparing texts compares numbers.
func formatVersion(version int64) string { return fmt.Sprintf("%020d", version) }
