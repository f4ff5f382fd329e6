package format

import (
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/plain"
)

// rowEncoder renders the row alone: a delete is a tombstone, and so is a truncate.
type rowEncoder struct{ table *plain.Table }

func newRowEncoder(t *Table) (*rowEncoder, error) {
	table, err := plain.Compile(t.Relation, t.Columns, t.Key)
	if err != nil {
		return nil, err
	}
	return &rowEncoder{table}, nil
}

func (e *rowEncoder) AppendKey(dst []byte, row schema.Tuple) ([]byte, error) {
	return e.table.AppendKey(dst, row)
}

func (e *rowEncoder) AppendKeyText(dst []byte, row schema.Tuple) ([]byte, error) {
	return e.table.AppendKey(dst, row)
}

func (e *rowEncoder) AppendValue(dst []byte, _ *schema.Event, image debezium.Image, _ int64) ([]byte, error) {
	if image.After == nil {
		return dst, nil
	}
	return e.table.AppendRow(dst, image.After)
}
