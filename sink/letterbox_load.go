package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
)

// loadBytes is how much of letters is held in memory at once, where one is not larger.
const loadBytes = 16 << 20

// Visit calls visit with each of a book's letters as a whole: with its record and
// its decision's value, as they lie on the topic. It holds few of them in memory,
// and stops at the first error.
func (b *Letterbox) Visit(ctx context.Context, letters []*Filed, visit func(*Filed) error) error {
	for home, some := range byHome(letters) {
		if err := b.visit(ctx, home, some, visit); err != nil {
			return err
		}
	}
	return nil
}

// byHome parts letters by where they lie.
func byHome(letters []*Filed) iter.Seq2[int32, []*Filed] {
	homes := make(map[int32][]*Filed)
	for _, f := range letters {
		homes[f.Home] = append(homes[f.Home], f)
	}
	return func(yield func(int32, []*Filed) bool) {
		for _, home := range slices.Sorted(maps.Keys(homes)) {
			if !yield(home, homes[home]) {
				return
			}
		}
	}
}

// pending is a letter of which not everything was met yet.
type pending struct {
	of    *Filed
	whole Filed
	left  int // records to come
}

// visit reads a partition from the first offset that is wanted to the last.
func (b *Letterbox) visit(ctx context.Context, home int32, letters []*Filed, visit func(*Filed) error) error {
	wanted := make(map[int64]*pending, len(letters))
	for _, f := range letters {
		p := &pending{of: f, whole: *f, left: 1}
		wanted[f.at] = p
		if f.corrected {
			wanted[f.decidedAt] = p
			p.left++
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	offsets := slices.Sorted(maps.Keys(wanted))
	from, last := kgo.NewOffset().At(offsets[0]), offsets[len(offsets)-1]
	// What the book has is committed; whether what lies between is does not matter.
	at := map[string]map[int32]kgo.Offset{b.cfg.Topic: {home: from}}
	client, err := b.client(kgo.KeepControlRecords(), kgo.FetchMaxBytes(fetchBytes), kgo.ConsumePartitions(at))
	if err != nil {
		return err
	}
	defer client.Close()
	for reached := false; !reached; {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			return b.fault("read topic "+b.cfg.Topic, err)
		}
		for _, r := range fetches.Records() {
			if p := wanted[r.Offset]; p != nil {
				delete(wanted, r.Offset)
				if err := p.meet(r, visit); err != nil {
					return err
				}
			}
			reached = reached || r.Offset >= last
		}
	}
	for _, p := range wanted {
		return &fault.Error{
			Kind: fault.Unreachable, Where: "topic " + b.cfg.Topic, What: fmt.Sprintf("dead letter %s was written again while it was read", p.of.ID), Fix: "try again",
		}
	}
	return nil
}

// meet takes one record of the letter, and visits it when that was the last.
func (p *pending) meet(r *kgo.Record, visit func(*Filed) error) error {
	l, d, err := deadletter.Parse(messageOf(r))
	if err != nil {
		return err // it was read before
	}
	if l != nil {
		p.whole.Letter = l
	} else {
		p.whole.Decision = d
	}
	if p.left--; p.left > 0 {
		return nil
	}
	return visit(&p.whole)
}

// load returns letters as a whole, in their order. It keeps no more of what was
// read than they are.
func (b *Letterbox) load(ctx context.Context, letters []*Filed) ([]*Filed, error) {
	whole := make(map[string]*Filed, len(letters))
	err := b.Visit(ctx, letters, func(f *Filed) error {
		r := &f.Letter.Record
		r.Value = bytes.Clone(r.Value)
		for i := range r.Headers {
			r.Headers[i].Value = bytes.Clone(r.Headers[i].Value)
		}
		if f.corrected {
			f.Decision.Value = bytes.Clone(f.Decision.Value)
		}
		whole[f.ID] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	loaded := make([]*Filed, len(letters))
	for i, f := range letters {
		loaded[i] = whole[f.ID]
	}
	return loaded, nil
}

// chunks parts letters into runs that may be held in memory: of so many at most,
// and of [loadBytes] or one letter.
func chunks(letters []*Filed, most int) iter.Seq[[]*Filed] {
	return func(yield func([]*Filed) bool) {
		begin, size := 0, 0
		for i, f := range letters {
			if i > begin && (i-begin == most || size+f.size > loadBytes) {
				if !yield(letters[begin:i]) {
					return
				}
				begin, size = i, 0
			}
			size += f.size
		}
		if begin < len(letters) {
			yield(letters[begin:])
		}
	}
}
