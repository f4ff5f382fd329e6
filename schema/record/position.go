package record

import (
	"bytes"
	"encoding/json"
	"fmt"

	"penstock/schema"
)

// AppendPosition appends the value of a position record, one JSON object with
// the fields of [schema.Position].
func AppendPosition(dst []byte, p schema.Position) ([]byte, error) {
	encoded, err := json.Marshal(p)
	if err != nil {
		return dst, fmt.Errorf("encode position of slot %s: %w", p.Slot, err)
	}
	return append(dst, encoded...), nil
}

// ParsePosition reads what [AppendPosition] wrote. An unknown field is an error:
// a newer program wrote it, and this one does not know what it promised.
func ParsePosition(value []byte) (schema.Position, error) {
	var p schema.Position
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return schema.Position{}, fmt.Errorf("position record: %w", err)
	}
	if p.SystemID == "" || p.Slot == "" || p.EndLSN.IsZero() {
		return schema.Position{}, fmt.Errorf("position record: system_id, slot and end_lsn must be set: %s", value)
	}
	if !p.Open.IsZero() && (p.Open.FinalLSN < p.EndLSN || p.Open.N == 0 || p.Open.Hash == "") {
		return schema.Position{}, fmt.Errorf("position record: open needs final_lsn, not below end_lsn, n and hash: %s", value)
	}
	return p, nil
}
