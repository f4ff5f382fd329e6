package debezium

import (
	"fmt"

	"penstock/schema"
	"penstock/schema/connect"
)

// Spec says how the rows of a relation become records.
type Spec struct {
	Origin  Origin
	Columns []int // what the envelope holds, as indexes into the relation's columns
	Key     []int // likewise, what the key is made of, also where Columns leaves it out; nil: no key
	Options Options
	// Transactions fills the transaction block (provide.transaction.metadata).
	Transactions bool
	// Topic is what the names of the schemas begin with; empty is [TopicName].
	Topic string
}

// Table maps the changes of one version of one relation to Debezium's records.
// Immutable: safe for concurrent use, each goroutine with an arena of its own.
type Table struct {
	rel          *schema.Relation
	columns      []column // of the relation; zero where neither the envelope nor the key has it
	captured     []int
	keyed        []int
	row          *connect.Schema
	key          *connect.Schema
	envelope     *connect.Schema
	source       sourceBlock
	transactions bool
}

// Compile makes the mapping of a relation's rows. It keeps rel and the slices of
// spec. A column that the relation does not have, or that is given twice, is an error.
func Compile(rel *schema.Relation, spec Spec) (*Table, error) {
	topic := spec.Topic
	if topic == "" {
		topic = TopicName(spec.Origin.Name, rel.Table)
	}
	t := &Table{
		rel:          rel,
		columns:      make([]column, len(rel.Columns)),
		captured:     spec.Columns,
		keyed:        spec.Key,
		source:       newSourceBlock(&spec.Origin, rel.Table),
		transactions: spec.Transactions,
	}
	for _, columns := range [][]int{spec.Columns, spec.Key} {
		if err := checkColumns(rel, columns); err != nil {
			return nil, err
		}
		for _, i := range columns {
			if t.columns[i].schema == nil {
				t.columns[i] = newColumn(&rel.Columns[i], &spec.Options)
			}
		}
	}
	t.row = t.structOfColumns(topic+".Value", spec.Columns)
	t.row.Optional = true
	t.envelope = envelopeSchema(topic, t.row)
	if len(spec.Key) > 0 {
		t.key = t.structOfColumns(topic+".Key", spec.Key)
	}
	return t, nil
}

func checkColumns(rel *schema.Relation, columns []int) error {
	taken := make([]bool, len(rel.Columns))
	for _, i := range columns {
		if i < 0 || i >= len(rel.Columns) {
			return fmt.Errorf("table %s: column %d is asked for, but it has %d columns", rel.Table, i, len(rel.Columns))
		}
		if taken[i] {
			return fmt.Errorf("table %s, column %s: it is asked for twice", rel.Table, rel.Columns[i].Name)
		}
		taken[i] = true
	}
	return nil
}

func (t *Table) structOfColumns(name string, columns []int) *connect.Schema {
	fields := make([]connect.Field, 0, len(columns))
	for _, i := range columns {
		fields = append(fields, connect.Field{Name: t.rel.Columns[i].Name, Schema: t.columns[i].schema})
	}
	return structOf(name, 0, fields...)
}

// ValueSchema is the schema of what [Table.Value] makes: the envelope.
func (t *Table) ValueSchema() *connect.Schema { return t.envelope }

// RowSchema is the schema of the envelope's before and after.
func (t *Table) RowSchema() *connect.Schema { return t.row }

// rowValue makes a row of the envelope; a nil tuple is null.
func (t *Table) rowValue(a *connect.Arena, tuple schema.Tuple) (connect.Value, error) {
	if tuple == nil {
		return connect.Value{}, nil
	}
	if err := t.checkLength(tuple); err != nil {
		return connect.Value{}, err
	}
	fields := a.Values(len(t.captured))
	for f, i := range t.captured {
		value, err := t.columnValue(a, i, tuple[i])
		if err != nil {
			return connect.Value{}, err
		}
		fields[f] = value
	}
	return connect.List(fields), nil
}

func (t *Table) checkLength(tuple schema.Tuple) error {
	if len(tuple) != len(t.rel.Columns) {
		return fmt.Errorf("table %s: a row has %d columns, the table %d", t.rel.Table, len(tuple), len(t.rel.Columns))
	}
	return nil
}

// columnValue converts the value of column i.
func (t *Table) columnValue(a *connect.Arena, i int, v schema.Value) (connect.Value, error) {
	c := &t.columns[i]
	switch v.Kind {
	case schema.Null:
		return c.absent, nil
	case schema.Unchanged:
		return c.unchanged, nil
	case schema.Binary:
		return connect.Value{}, t.columnError(i, "its value is in binary: the slot must be read in text")
	case schema.Text:
	}
	value, err := c.convert(a, v.Data)
	if err != nil {
		return connect.Value{}, t.inColumn(i, err)
	}
	return value, nil
}

func (t *Table) inColumn(i int, err error) error {
	return fmt.Errorf("table %s, column %s: %w", t.rel.Table, t.rel.Columns[i].Name, err)
}

func (t *Table) columnError(i int, reason string) error {
	return fmt.Errorf("table %s, column %s: %s", t.rel.Table, t.rel.Columns[i].Name, reason)
}
