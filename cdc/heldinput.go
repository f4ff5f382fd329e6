package cdc

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/schema"
	"penstock/schema/record"
)

// inputRows reads a pipeline's input topic: whole rows, by another key than their own. A row that was moved while
// nobody captured may live under two of them, so each place of a row is one of its own.
type inputRows struct{ rel *schema.Relation }

func (i *inputRows) about(r *kgo.Record) (key string, exists, truncated bool, err error) {
	if r.Value == nil { // a release of dead letters
		return "", false, false, nil
	}
	c, err := record.Parse(r.Value)
	if err != nil || c.Table != i.rel.Table {
		return "", false, false, err
	}
	if c.Op == schema.OpTruncate {
		return "", false, true, nil
	}
	image := c.After
	if image == nil {
		image = c.Before
	}
	row, err := record.ParseRow(i.rel, image)
	if err != nil {
		return "", false, false, err
	}
	place := binary.AppendUvarint(nil, uint64(len(r.Key)))
	return string(backfill.AppendKey(append(place, r.Key...), row, i.rel.Key)), c.After != nil, false, nil
}

func (i *inputRows) key(topicKey string) (backfill.Key, error) {
	n, used := binary.Uvarint([]byte(topicKey))
	return backfill.Key(topicKey[used+int(n):]), nil
}
