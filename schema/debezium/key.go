package debezium

import (
	"fmt"

	"penstock/schema"
	"penstock/schema/connect"
)

// KeySchema is the schema of what [Table.Key] makes, or nil without a key.
func (t *Table) KeySchema() *connect.Schema { return t.key }

// Key makes the key of a row, the struct of its key columns; null without a key.
// The value is valid until the arena is reset and as long as the tuple is.
//
// A key that the log does not hold is an error, not a guess: Debezium would say
// the default of a column that takes no NULL, and so name another row.
func (t *Table) Key(a *connect.Arena, tuple schema.Tuple) (connect.Value, error) {
	if t.key == nil {
		return connect.Value{}, nil
	}
	if err := t.checkKey(tuple); err != nil {
		return connect.Value{}, err
	}
	fields := a.Values(len(t.keyed))
	for f, i := range t.keyed {
		value, err := t.columnValue(a, i, tuple[i])
		if err != nil {
			return connect.Value{}, err
		}
		fields[f] = value
	}
	return connect.List(fields), nil
}

// checkKey is an error unless the log holds the key of a row.
func (t *Table) checkKey(tuple schema.Tuple) error {
	if tuple == nil {
		return fmt.Errorf("table %s: the log holds no row to take the key from", t.rel.Table)
	}
	if err := t.checkLength(tuple); err != nil {
		return err
	}
	for _, i := range t.keyed {
		switch {
		case tuple[i].Kind == schema.Unchanged:
			return t.columnError(i, "the log does not hold this part of the key: it is TOASTed and unchanged")
		case tuple[i].Kind == schema.Null && !t.columns[i].schema.Optional:
			return t.columnError(i, "the log does not hold this part of the key: it is not of the replica identity "+t.rel.Identity.String())
		}
	}
	return nil
}
