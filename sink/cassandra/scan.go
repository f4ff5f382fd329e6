package cassandra

import (
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"penstock/sink/plan"
)

// cell takes a column of whatever type. One that stays nil is NULL.
type cell struct {
	truth  *bool
	number *int64
	float  *float64
	text   *string
	uuid   *gocql.UUID
	day    *time.Time
}

// dest is where a column is scanned to.
func (c *cell) dest(column plan.TableColumn) any {
	switch column.CQL() {
	case "boolean":
		return &c.truth
	case "double":
		return &c.float
	case "uuid":
		return &c.uuid
	case "text":
		return &c.text
	case "date":
		return &c.day
	default:
		return &c.number
	}
}

// value is what a column holds.
func (c *cell) value(column plan.TableColumn) (plan.Value, error) {
	switch {
	case column.Form == plan.Joined:
		if c.text == nil || *c.text == noJoin {
			return plan.Value{}, nil
		}
		return plan.ParseText(column.Type, strings.TrimPrefix(*c.text, "="))
	case c.truth != nil:
		return plan.BoolOf(*c.truth), nil
	case c.float != nil:
		return plan.FloatOf(*c.float), nil
	case c.text != nil:
		return plan.TextOf(*c.text), nil
	case c.day != nil:
		return plan.TimeOf(c.day.UnixMicro()), nil
	case c.number != nil && column.Type == plan.Time && column.Form == plan.Plain:
		return plan.MillisOf(*c.number), nil
	case c.number != nil && column.Type == plan.Time && column.Form == plan.Micros:
		return plan.TimeOf(*c.number), nil
	case c.number != nil:
		return plan.IntOf(*c.number), nil
	case c.uuid != nil && (column.Form != plan.OrZero || *c.uuid != gocql.UUID{}):
		return plan.UUIDOf(c.uuid.String())
	}
	return plan.Value{}, nil
}

// scanned takes the rows of a table's one or some.
type scanned struct {
	table   *table
	cells   []cell
	version int64
	dests   []any
}

func newScanned(t *table) *scanned {
	s := &scanned{table: t, cells: make([]cell, len(t.kept))}
	for i, column := range t.kept {
		s.dests = append(s.dests, s.cells[i].dest(t.Columns[column]))
	}
	s.dests = append(s.dests, &s.version)
	return s
}

// next clears what the row before has left.
func (s *scanned) next() []any {
	clear(s.cells)
	return s.dests
}

// fill sets the slots that the row has; first is that of values[0].
func (s *scanned) fill(values []plan.Value, first int) error {
	for i, column := range s.table.kept {
		c := s.table.Columns[column]
		v, err := s.cells[i].value(c)
		if err != nil {
			return err
		}
		values[c.Slot-first] = v
	}
	return nil
}

// scanBucket reads a bucket, as it is bound again.
func (s *Store) scanBucket(scanner gocql.Scanner) (any, error) {
	if s.plan.Days.Columns[1].Form == plan.Day {
		var day time.Time
		err := scanner.Scan(&day)
		return day, err
	}
	var bucket int16
	err := scanner.Scan(&bucket)
	return bucket, err
}
