package backfill

import (
	"slices"

	"penstock/schema"
)

// Order is one piece of work for a reader.
type Order struct {
	Desk  *Desk  // that has dealt it
	Job   string // its id
	Table schema.TableName
	Scope Scope

	Settle bool   // only wait until the window knows all that no snapshot from then on sees
	Plan   bool   // only find out what there is to read
	Sweep  *Sweep // find rows that are gone; it is the reader's until the order is back
	// Else the blocks of a part, or the rows of some keys.
	Part     int
	OID      uint32
	Name     schema.TableName
	Filenode uint32
	Span     Span
	Keys     []Key
}

// Desk deals the orders of one job, several at once. A job that is paused, or of which the
// rows have moved, goes on at another desk: what was ordered at the one before counts no
// more. Not safe for concurrent use.
type Desk struct {
	Job     *Job
	Blocks  uint32 // of an order at most
	Rate    int    // rows that all readers together read in a second; 0 is no limit
	settled bool   // the window knows enough
	sweep   *Sweep // nil before it has begun
	out     []Order

	again      map[string]bool // those in Job.Again; nil before they are needed
	againBytes int
}

// DefaultBlocks of a table, 4 MiB with blocks of the usual size, are read in one chunk.
const DefaultBlocks = 512

const chunkKeys = 1000 // that are read in one chunk

// Next is the next order, if there is one now.
func (d *Desk) Next() (Order, bool) {
	j := d.Job
	o := Order{Desk: d, Job: j.ID, Table: j.Table, Scope: j.Scope}
	switch {
	case j.State != Running:
		return o, false
	case !d.settled:
		o.Settle = true
		return d.deal(o, len(d.out) == 0)
	case j.sweeps():
		if d.sweep == nil {
			d.sweep = &Sweep{}
		}
		o.Sweep = d.sweep
		return d.deal(o, len(d.out) == 0)
	case !j.Planned:
		o.Plan = true
		return d.deal(o, len(d.out) == 0)
	}
	for i := range j.Parts {
		p := &j.Parts[i]
		if span, ok := p.next(j.Pace(d.Blocks, d.Rate), d.taken(i)); ok {
			o.Part, o.OID, o.Name, o.Filenode, o.Span = i, p.OID, p.Name, p.Filenode, span
			return d.deal(o, true)
		}
	}
	// Last, so that a row which is torn again and again is not read again and again.
	if o.Keys = slices.Clone(j.Again[:min(len(j.Again), chunkKeys)]); len(d.out) > 0 || len(o.Keys) == 0 {
		return o, false
	}
	return d.deal(o, true)
}

func (d *Desk) deal(o Order, ok bool) (Order, bool) {
	if ok {
		d.out = append(d.out, o)
	}
	return o, ok
}

// taken are the spans of a part that are being read.
func (d *Desk) taken(part int) (spans []Span) {
	for i := range d.out {
		if o := &d.out[i]; o.reads() && o.Keys == nil && o.Part == part {
			spans = append(spans, o.Span)
		}
	}
	return spans
}

// Back takes an order back, whatever became of it. It reports whether its result
// still counts: the job may be another by now.
func (d *Desk) Back(o *Order) bool {
	at := slices.IndexFunc(d.out, func(have Order) bool {
		return have.Is(o)
	})
	if at < 0 {
		return false
	}
	d.out = slices.Delete(d.out, at, at+1)
	return d.Job.ID == o.Job && d.Job.State == Running
}

// reads reports whether rows are read, at the rate of the pool.
func (o *Order) reads() bool { return !o.Settle && !o.Plan && o.Sweep == nil }

// Is reports whether both are the same order, of which less may be carried out.
func (o *Order) Is(other *Order) bool {
	return o.Desk == other.Desk && o.Job == other.Job && o.Settle == other.Settle && o.Plan == other.Plan && o.Sweep == other.Sweep && o.Part == other.Part &&
		o.Span.From == other.Span.From && (o.Keys == nil) == (other.Keys == nil)
}

// Settled notes that the window knows enough.
func (d *Desk) Settled() { d.settled = true }

// Planned notes what there is to read.
func (d *Desk) Planned(p Plan) {
	d.Job.Planned, d.Job.Parts, d.Job.Estimate = true, p.Parts, p.Estimate
}

// Rewritten notes that the rows lie in other blocks now, so that all have to be read again,
// at another desk.
func (d *Desk) Rewritten() { d.Job.Planned, d.Job.Parts = false, nil }

// Resweep begins to look for rows that are gone anew: what Kafka holds by then says what was deleted.
func (d *Desk) Resweep() { d.sweep = nil }

// Busy reports whether readers still work for the job.
func (d *Desk) Busy() bool { return len(d.out) > 0 }

// Deliver notes that a chunk is about to be in Kafka, but for the rows that were torn.
func (d *Desk) Deliver(c *Chunk, delivered, dropped int64, torn map[string]bool) {
	j := d.Job
	j.Dropped += dropped
	j.Chunks++
	if c.Order.Sweep != nil {
		j.Deleted += delivered
		j.Swept = c.Last
		return
	}
	j.Rows += delivered
	if c.Order.Keys == nil {
		j.Parts[c.Order.Part].finish(c.Order.Span)
		return
	}
	read := map[string]bool{}
	for _, key := range c.Order.Keys {
		read[string(key)] = !torn[string(key)]
	}
	j.Again = slices.DeleteFunc(j.Again, func(k Key) bool { return read[string(k)] })
	d.again, d.againBytes = nil, 0
}

// maxAgain bounds the keys that a job remembers, in bytes: its record has to fit into Kafka.
const maxAgain = 256 << 10

// Torn adds the keys of rows that are to be read once more, because the stream does
// not hold them whole. It reports false when they have become too many.
func (d *Desk) Torn(keys []string) bool {
	for _, key := range keys {
		if d.again == nil {
			d.again = map[string]bool{}
			for _, have := range d.Job.Again {
				d.again[string(have)] = true
				d.againBytes += len(have)
			}
		}
		if !d.again[key] {
			d.again[key] = true
			d.againBytes += len(key)
			d.Job.Again = append(d.Job.Again, Key(key))
		}
	}
	return d.againBytes <= maxAgain
}

// Complete reports whether the job has nothing left to do.
func (d *Desk) Complete() bool { return d.Job.State == Running && !d.Busy() && d.Job.complete() }
