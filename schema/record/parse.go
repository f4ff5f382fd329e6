package record

import (
	"encoding/json"
	"fmt"

	"penstock/schema"
)

// Change is an envelope as a reader sees it. Before and After are JSON objects,
// or nil where the envelope says null.
type Change struct {
	Op         schema.Op
	Table      schema.TableName
	Before     json.RawMessage
	After      json.RawMessage
	CommitTime int64 // microseconds since the Unix epoch
}

type wireEnvelope struct {
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	Op     string          `json:"op"`
	Source struct {
		Schema string `json:"schema"`
		Table  string `json:"table"`
		TSUs   int64  `json:"ts_us"`
	} `json:"source"`
}

// Parse reads an envelope that [AppendEnvelope] wrote, or Debezium's of the
// same form. It refuses what a change cannot be: an unknown operation, no
// table, a missing row image.
func Parse(value []byte) (Change, error) {
	var w wireEnvelope
	if err := json.Unmarshal(value, &w); err != nil {
		return Change{}, fmt.Errorf("envelope: %w", err)
	}
	if len(w.Op) != 1 {
		return Change{}, fmt.Errorf("envelope: op %q is not one letter", w.Op)
	}
	c := Change{
		Op:         schema.Op(w.Op[0]),
		Table:      schema.TableName{Schema: w.Source.Schema, Name: w.Source.Table},
		Before:     present(w.Before),
		After:      present(w.After),
		CommitTime: w.Source.TSUs,
	}
	if c.Table.Schema == "" || c.Table.Name == "" {
		return Change{}, fmt.Errorf("envelope: source names no table (schema %q, table %q)", c.Table.Schema, c.Table.Name)
	}
	return c, c.check()
}

func present(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (c *Change) check() error {
	switch c.Op {
	case schema.OpCreate, schema.OpUpdate, schema.OpRead:
		if c.After == nil {
			return fmt.Errorf("envelope: op %c of %s has no after image", c.Op, c.Table)
		}
	case schema.OpDelete:
		if c.Before == nil {
			return fmt.Errorf("envelope: op %c of %s has no before image", c.Op, c.Table)
		}
	case schema.OpTruncate:
	default:
		return fmt.Errorf("envelope: unknown op %q of %s", byte(c.Op), c.Table)
	}
	return nil
}
