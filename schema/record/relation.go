package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"penstock/schema"
)

// Relation is what the rows of a table were like when the capture delivered one of
// them last. It is written to the position topic, under a key of its own, in the
// Kafka transaction that holds the first row of its kind.
type Relation struct {
	Table   schema.TableName `json:"-"`   // is in the key
	LSN     schema.LSN       `json:"lsn"` // start of the commit record behind that row
	Columns []Column         `json:"columns"`
	Key     []string         `json:"key"` // the columns that tell rows apart, in order; null without any
	// Gone are columns that the table had, and that were dropped: none came at that moment,
	// which could be one of them under another name.
	Gone []string `json:"gone,omitempty"`
	// RelID is the table's object id in the log, which it keeps under another name; zero from before it was kept.
	RelID uint32 `json:"relid,omitempty"`
}

// Column is a column of a [Relation].
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"` // its name, with its Postgres schema unless built in; empty when the catalogue did not know it
	OID  uint32 `json:"oid"`  // of the type
	Mod  int32  `json:"mod"`  // of the type; -1 without one
}

// RelationOf describes rows of rel in the commit at lsn.
func RelationOf(rel *schema.Relation, lsn schema.LSN) Relation {
	r := Relation{Table: rel.Table, LSN: lsn, Columns: make([]Column, len(rel.Columns)), RelID: rel.OID}
	for i := range rel.Columns {
		c := &rel.Columns[i]
		r.Columns[i] = Column{Name: c.Name, OID: c.TypeOID, Mod: c.TypeMod}
		switch {
		case c.Type == nil:
		case c.Type.Schema == "pg_catalog":
			r.Columns[i].Type = c.Type.Name
		default:
			r.Columns[i].Type = c.Type.Schema + "." + c.Type.Name
		}
	}
	for _, i := range rel.Key {
		r.Key = append(r.Key, rel.Columns[i].Name)
	}
	return r
}

// Same reports whether both have the same columns in the same order, and the same
// key. A type that was created anew under its name is the same: its values are.
func (r *Relation) Same(other *Relation) bool {
	if len(r.Columns) != len(other.Columns) || !slices.Equal(r.Key, other.Key) {
		return false
	}
	for i := range r.Columns {
		a, b := &r.Columns[i], &other.Columns[i]
		if a.Name != b.Name || a.Mod != b.Mod || a.OID != b.OID && (a.Type == "" || a.Type != b.Type) {
			return false
		}
	}
	return true
}

// Follow notes which columns are gone since the version before.
func (r *Relation) Follow(before *Relation) {
	had, has := map[string]bool{}, map[string]bool{}
	for i := range before.Columns {
		had[before.Columns[i].Name] = true
	}
	dropped := true
	for i := range r.Columns {
		has[r.Columns[i].Name] = true
		dropped = dropped && had[r.Columns[i].Name]
	}
	names := slices.Clone(before.Gone)
	if dropped {
		names = slices.AppendSeq(names, maps.Keys(had))
	}
	names = slices.DeleteFunc(names, func(name string) bool { return has[name] })
	slices.Sort(names)
	r.Gone = slices.Compact(names)
	if len(r.Gone) == 0 {
		r.Gone = nil
	}
}

// relationKey is the key of a relation's record, told from a capture's name, which
// is the key of its position, by being an object.
type relationKey struct {
	Capture string `json:"capture"`
	Schema  string `json:"schema"`
	Table   string `json:"table"`
}

// AppendRelationKey appends the key of the record of a capture's table.
func AppendRelationKey(dst []byte, capture string, table schema.TableName) ([]byte, error) {
	return appendPlain(dst, relationKey{capture, table.Schema, table.Name})
}

// ParseRelationKey reads the key of a record, and reports whether it is that of a
// table of the capture.
func ParseRelationKey(key []byte, capture string) (schema.TableName, bool) {
	var k relationKey
	if len(key) == 0 || key[0] != '{' || json.Unmarshal(key, &k) != nil || k.Capture != capture || k.Table == "" {
		return schema.TableName{}, false
	}
	return schema.TableName{Schema: k.Schema, Name: k.Table}, true
}

// publicationsKey is the key of the record of what a capture's publications are made of.
type publicationsKey struct {
	Capture      string `json:"capture"`
	Publications bool   `json:"publications"`
}

// AppendPublicationsKey appends the key of the record of what a capture's publications
// were made of when it last began to stream.
func AppendPublicationsKey(dst []byte, capture string) ([]byte, error) {
	return appendPlain(dst, publicationsKey{capture, true})
}

// IsPublicationsKey reports whether a key is the capture's [AppendPublicationsKey].
func IsPublicationsKey(key []byte, capture string) bool {
	var k publicationsKey
	return len(key) > 0 && key[0] == '{' && json.Unmarshal(key, &k) == nil && k == publicationsKey{capture, true}
}

// AppendRelation appends the value of the record.
func AppendRelation(dst []byte, r *Relation) ([]byte, error) { return appendPlain(dst, r) }

// ParseRelation reads what [AppendRelation] wrote of a table. What a newer program has added is
// left alone: the columns are what is compared.
func ParseRelation(table schema.TableName, value []byte) (Relation, error) {
	r := Relation{Table: table}
	if err := json.Unmarshal(value, &r); err != nil {
		return r, fmt.Errorf("relation record: %w", err)
	}
	if len(r.Columns) == 0 && !bytes.Contains(value, []byte(`"columns"`)) {
		return r, fmt.Errorf("relation record: no columns: %s", value)
	}
	return r, nil
}

// appendPlain appends JSON that escapes no more than it must: a table may have 1,600
// columns, and the record has to fit its topic.
func appendPlain(dst []byte, v any) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, fmt.Errorf("encode relation record: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'}), nil
}
