package bench

import (
	"bytes"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/parity"
)

// holdsEach is an error unless a read-committed consumer of the topic finds one record of each change of each row.
func holdsEach(ctx context.Context, broker, topic string, l load) error {
	c := newCount(l)
	err := parity.Scan(ctx, broker, topic, c.take)
	if err == nil {
		err = c.complete()
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return nil
}

// count counts the changes in a topic.
type count struct {
	load load
	seen []uint8 // changes, by id; the first is 1
	n    int64
}

func newCount(l load) *count { return &count{load: l, seen: make([]uint8, l.rows+1)} }

func (c *count) take(record *kgo.Record) error {
	id, err := idOf(record)
	if err != nil {
		return err
	}
	if id < 1 || id > c.load.rows || int(c.seen[id]) == c.load.changes {
		return fmt.Errorf("partition %d offset %d: the record of row %d is one too many", record.Partition, record.Offset, id)
	}
	if !bytes.Contains(record.Value, fmt.Appendf(nil, `"after":{"id":%d,`, id)) {
		return fmt.Errorf("partition %d offset %d: not row %d: %.100q", record.Partition, record.Offset, id, record.Value)
	}
	c.seen[id]++
	c.n++
	return nil
}

func (c *count) complete() error {
	if c.n != c.load.all() {
		return fmt.Errorf("%d of %d changes", c.n, c.load.all())
	}
	return nil
}

// idOf reads the row's id from the record's key.
func idOf(record *kgo.Record) (id int64, err error) {
	if _, err := fmt.Sscanf(string(record.Key), `{"id":%d}`, &id); err != nil {
		return 0, fmt.Errorf("partition %d offset %d: key %.100q: %w", record.Partition, record.Offset, record.Key, err)
	}
	return id, nil
}
