package verify

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/record"
	"penstock/sink/plan"
)

// change is what a record of the input topic says of a row: what it was and what it is.
type change struct {
	side     side
	version  int64
	truncate bool   // of all rows of the side
	before   *image // nil for an insert
	after    *image // nil for a delete
}

// image is a row as Kafka has it.
type image struct {
	key    string
	values []plan.Value
}

var errNoChange = errors.New("no change of the pipeline's tables")

// parseChange reads a record. errNoChange says that it is none, any other error that it
// is one which the pipeline cannot take.
func parseChange(p *plan.Plan, r *kgo.Record) (change, error) {
	at, err := record.ParseCoordinates(func(key string) ([]byte, bool) {
		for i := range r.Headers {
			if r.Headers[i].Key == key {
				return r.Headers[i].Value, true
			}
		}
		return nil, false
	})
	if err != nil {
		return change{}, errNoChange
	}
	parsed, err := record.Parse(r.Value)
	if err != nil {
		return change{}, err
	}
	c := change{side: stream, version: at.Version, truncate: parsed.Op == schema.OpTruncate}
	switch parsed.Table {
	case p.Stream:
	case p.Lookup:
		c.side = lookup
	default:
		return change{}, errNoChange
	}
	if parsed.Before != nil {
		if c.before, err = imageOf(p, c.side, parsed.Before); err != nil {
			return c, err
		}
	}
	if parsed.After != nil && parsed.Op != schema.OpDelete {
		c.after, err = imageOf(p, c.side, parsed.After)
	}
	return c, err
}

func imageOf(p *plan.Plan, of side, data []byte) (*image, error) {
	if of == lookup {
		row, err := p.DecodeLookup(data)
		if err != nil {
			return nil, err
		}
		return &image{key: string(plan.AppendValue(nil, row.Key)), values: row.Values}, nil
	}
	row, err := p.DecodeStream(data)
	if err != nil {
		return nil, err
	}
	columns, _ := p.LookupSlots()
	return &image{key: string(p.AppendRowKey(nil, row)), values: row[:columns:columns]}, nil
}

func (i *image) entry() *entry { return &entry{key: i.key, values: i.values} }
