package sink

import (
	"fmt"
	"strings"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/deadletter"
	"penstock/schema/record"
	"penstock/sink/plan"
)

// change is one record of the input topic, typed. Exactly one of stream, lookup
// and truncate is set.
type change struct {
	version    int64
	offset     int64 // of its record, or of the release that set it free
	commitTime int64 // microseconds since the Unix epoch
	stream     *streamChange
	lookup     *plan.LookupRow // the row after the change; Exists tells a delete
	truncate   *schema.TableName

	// Of a truncation. only is the one key that it is for, nil for all; but those
	// keys that wait at its place.
	only *string
	but  map[string]bool
}

// streamChange is what happened to one row. An insert has no before image, a
// delete no after image.
type streamChange struct {
	before, after plan.Row
	// keyless says of the image before that its keys cannot be computed, so that it was
	// never in the result; out of the image after that the filter, which does not need
	// the lookup row, leaves it out.
	keyless, out bool
}

// decode types one record for a plan. key is the join key's text.
// Its errors are [RecordError].
func decode(p *plan.Plan, key, value []byte, version int64) (change, error) {
	parsed, err := record.Parse(value)
	if err != nil {
		return change{}, reasoned(deadletter.BadValue, err)
	}
	c := change{version: version, commitTime: parsed.CommitTime}
	reason := deadletter.BadValue
	switch {
	case parsed.Table != p.Stream && parsed.Table != p.Lookup:
		err := fmt.Errorf("table %s is neither the stream table %s nor the lookup table %s", parsed.Table, p.Stream, p.Lookup)
		return change{}, reasoned(deadletter.UnknownTable, err)
	case parsed.Op == schema.OpTruncate:
		c.truncate = &parsed.Table
		return c, nil
	case parsed.Table == p.Lookup:
		c.lookup, err = decodeLookup(p, parsed, version)
	default:
		c.stream, err = decodeStream(p, parsed)
	}
	if err != nil {
		return change{}, reasoned(reason, err)
	}
	if want := plan.KeyText(c.join(p)); string(key) != want || key == nil {
		reason = deadletter.WrongKey
		if key == nil {
			reason = deadletter.NullKey
		}
		return change{}, reasoned(reason, fmt.Errorf("record key %q is not the row's join key %q", key, want))
	}
	if c.stream == nil {
		return c, nil
	}
	return c, reasoned(deadletter.Expression, c.stream.derive(p))
}

// truncateBy makes of a change of a stream row what a later truncation has made of it.
func (c *change) truncateBy(version int64) {
	if c.stream == nil {
		return
	}
	if s := c.stream; s.after != nil {
		s.before, s.after, s.keyless, s.out = s.after, nil, false, false
	}
	c.version = version
}

// join is the value that the change is joined by, NULL for a row without one.
func (c *change) join(p *plan.Plan) plan.Value {
	switch {
	case c.lookup != nil:
		return c.lookup.Key
	case c.stream.after != nil:
		return c.stream.after[p.Join]
	default:
		return c.stream.before[p.Join]
	}
}

func decodeStream(p *plan.Plan, parsed record.Change) (*streamChange, error) {
	var s streamChange
	var err error
	if parsed.Before != nil {
		if s.before, err = p.DecodeStream(parsed.Before); err != nil {
			return nil, fmt.Errorf("before image: %w", err)
		}
	}
	if parsed.Op == schema.OpDelete {
		return &s, nil
	}
	if parsed.Op == schema.OpUpdate && s.before == nil {
		return nil, needsIdentity(parsed.Table, "the update has no before image")
	}
	if s.after, err = p.DecodeStream(parsed.After); err != nil {
		return nil, fmt.Errorf("after image: %w", err)
	}
	if s.before != nil && !p.SameKey(s.before, s.after) {
		return nil, fmt.Errorf("row %s: an update that moves the row to another key must come as a delete and a create", keyWords(p, s.after))
	}
	return &s, nil
}

// derive computes what depends on the row alone; of the image before only its keys,
// for the expressions and the filter may have been others when it was written.
func (s *streamChange) derive(p *plan.Plan) error {
	if s.before != nil {
		s.keyless = p.DeriveKeys(s.before) != nil
	}
	if s.after == nil {
		return nil
	}
	filters, byLookup := p.Filters()
	if err := p.Derive(s.after); err != nil || !filters || byLookup {
		return err
	}
	passes, err := p.Passes(s.after)
	s.out = !passes
	return err
}

// keyWords names a row by its key.
func keyWords(p *plan.Plan, row plan.Row) string {
	words := make([]string, len(p.Key))
	for i, slot := range p.Key {
		words[i] = row[slot].String()
	}
	return strings.Join(words, ", ")
}

func decodeLookup(p *plan.Plan, parsed record.Change, version int64) (*plan.LookupRow, error) {
	if parsed.Op == schema.OpDelete {
		row, err := p.DecodeLookupKey(parsed.Before)
		row.Version = version
		return &row, err
	}
	row, err := p.DecodeLookup(parsed.After)
	if err != nil {
		return nil, fmt.Errorf("after image: %w", err)
	}
	row.Exists, row.Version = true, version
	return &row, nil
}

func needsIdentity(table schema.TableName, what string) error {
	return &fault.Error{
		Kind: fault.Usage, What: what,
		Why: "the join needs whole rows",
		Fix: "ALTER TABLE " + table.String() + " REPLICA IDENTITY FULL, then update the row again",
	}
}
