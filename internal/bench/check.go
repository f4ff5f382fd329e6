package bench

import (
	"bytes"
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/parity"
)

// holdsEach is an error unless a read-committed consumer of the topic finds one record of each row.
func holdsEach(ctx context.Context, broker, topic string, rows int64) error {
	c := count{seen: make([]bool, rows+1)}
	err := parity.Scan(ctx, broker, topic, c.take)
	if err == nil {
		err = c.complete()
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return nil
}

// count counts the rows of a topic.
type count struct {
	seen []bool // by id; the first is 1
	n    int64
}

func (c *count) take(record *kgo.Record) error {
	var id int64
	if _, err := fmt.Sscanf(string(record.Key), `{"id":%d}`, &id); err != nil {
		return fmt.Errorf("key %.100q: %w", record.Key, err)
	}
	if id < 1 || id >= int64(len(c.seen)) || c.seen[id] {
		return fmt.Errorf("partition %d offset %d: the record of row %d is one too many", record.Partition, record.Offset, id)
	}
	if !bytes.Contains(record.Value, fmt.Appendf(nil, `"after":{"id":%d,`, id)) {
		return fmt.Errorf("partition %d offset %d: not row %d: %.100q", record.Partition, record.Offset, id, record.Value)
	}
	c.seen[id] = true
	c.n++
	return nil
}

func (c *count) complete() error {
	if want := int64(len(c.seen) - 1); c.n != want {
		return fmt.Errorf("%d of %d rows", c.n, want)
	}
	return nil
}
