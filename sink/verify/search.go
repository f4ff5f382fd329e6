package verify

import (
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// suspect is a row that may differ at some places.
type suspect struct {
	side side
	key  string
	// at has, for each place where it may differ, where a row of the key was found.
	at map[int][]*entry
}

// residue is what is left of a row at a place once what was found there is taken out of
// what should be there.
type residue struct {
	sum   sum
	found []*entry // that are left over, or may be
	ahead bool     // its version is above the clock
}

// search reads the rows of some buckets again, row by row.
type search struct {
	run   *run
	pass  []set // by place
	clock int64 // the highest version that there was when the search began

	mu   sync.Mutex
	left []map[string]*residue // by place and key; guarded by mu
}

// search returns the rows that are not as they should be, with what the input topic has
// of them, nil if it was not asked.
func (r *run) search(ctx context.Context, pass []set) (*latest, []*suspect, error) {
	s := &search{run: r, pass: pass, left: make([]map[string]*residue, len(r.places))}
	var rows int64
	for i := range s.left {
		s.left[i] = make(map[string]*residue)
		if !pass[i].empty() {
			rows += max(r.want[i].count(), r.got[i].count())
		}
	}
	r.cfg.Progress.begin("looking for rows that differ", rows+r.want[0].count()+r.want[1].count())
	if err := s.source(ctx); err != nil {
		return nil, nil, err
	}
	seen, err := s.topic(ctx)
	if err != nil {
		return nil, nil, err
	}
	err = r.eachStore(ctx, func(i int) bool { return !pass[i].empty() }, func(i int, e *entry) error {
		if pass[i].has(r.hasher.bucketOf(e.key)) {
			s.take(i, e)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return seen, s.suspects(seen), nil
}

// source adds what should be there.
func (s *search) source(ctx context.Context) error {
	shot, err := s.run.postgres.begin(ctx)
	if err != nil {
		return err
	}
	defer shot.end(ctx)
	s.clock = s.run.course.clock(shot)
	return shot.scan(ctx, func(row *sourceRow) error {
		s.run.cfg.Progress.done.Add(1)
		b := s.run.hasher.bucketOf(row.key)
		for i, p := range s.run.places {
			if p.side != row.side || !s.pass[i].has(b) {
				continue
			}
			if e := p.entry(row); e != nil {
				s.residue(i, e.key).sum.add(s.run.hasher.digest(e))
			}
		}
		return nil
	})
}

func (s *search) residue(i int, key string) *residue {
	left := s.left[i][key]
	if left == nil {
		left = &residue{}
		s.left[i][key] = left
	}
	return left
}

// take takes out what was found. What cancels out is forgotten.
func (s *search) take(i int, e *entry) {
	d := s.run.hasher.digest(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.residue(i, e.key)
	left.sum.take(d)
	left.ahead = left.ahead || max(e.version, e.written) > s.clock
	if left.sum == (sum{}) && !left.ahead {
		delete(s.left[i], e.key)
		return
	}
	copied := *e
	copied.values = slices.Clone(e.values)
	left.found = append(left.found, &copied)
}

// topic takes out what the input topic has.
func (s *search) topic(ctx context.Context) (*latest, error) {
	r := s.run
	seen := newLatest(r.cfg.Plan, r.hasher)
	for i, p := range r.places {
		if p.store == nil && !s.pass[i].empty() {
			seen.wanted[p.side] = s.pass[i]
		}
	}
	if seen.wanted[stream] == nil && seen.wanted[lookup] == nil {
		return nil, nil //nolint:nilnil // it is not asked
	}
	var err error
	if seen.reader, err = r.kafka.open(ctx, r.cfg.Topic); err != nil {
		return nil, err
	}
	ends, err := r.kafka.offsets(ctx, r.cfg.Topic, r.kafka.admin.ListEndOffsets)
	if err == nil {
		err = seen.reader.readTo(ctx, ends, func(partition int32, records []*kgo.Record) error {
			r.cfg.Progress.done.Add(int64(len(records)))
			return seen.take(partition, records)
		})
	}
	if err != nil {
		seen.reader.close()
		return nil, err
	}
	for i, p := range r.places {
		if p.store != nil {
			continue
		}
		for key := range seen.rows[p.side] {
			if e, _ := seen.row(p.side, key); e != nil {
				e.version = 0 // Kafka's clock is the capture's
				s.take(i, e)
			}
		}
	}
	return seen, nil
}

// suspects gathers what is left, by row.
func (s *search) suspects(seen *latest) []*suspect {
	var list []*suspect
	index := [sides]map[string]*suspect{{}, {}}
	for i, p := range s.run.places {
		for key, left := range s.left[i] {
			if p.store == nil && s.run.course.input.trimmed() {
				if _, known := seen.row(p.side, key); !known {
					continue
				}
			}
			found := index[p.side][key]
			if found == nil {
				found = &suspect{side: p.side, key: key, at: make(map[int][]*entry)}
				index[p.side][key] = found
				list = append(list, found)
			}
			found.at[i] = left.found
		}
		s.left[i] = nil
	}
	if seen != nil {
		seen.narrow(func(of side, key string) bool { return index[of][key] != nil })
	}
	return list
}
