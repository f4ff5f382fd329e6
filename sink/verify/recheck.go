package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/sink/plan"
)

const (
	// confirmations is how often a difference has to come again as it was.
	confirmations = 2
	// roundPause lies between two rounds: a commit is in the log, and on its way to the
	// stores, a moment before a snapshot shows it.
	roundPause = 500 * time.Millisecond
	// readAtOnce is how many entries of a place are read at once.
	readAtOnce = 5000
)

// finding is one difference, with what is needed to repair it.
type finding struct {
	*suspect

	place   int
	kind    Kind
	fields  []Field
	why     string
	waiting string
	joins   []string // record keys of the row's changes
	got     *entry   // what was found; nil for Missing
	address string   // of Extra, in words
	ahead   bool     // its version is above every change's
}

// round is one look at all suspects.
type round struct {
	run   *run
	shot  *snapshot
	rows  [sides]map[string]*sourceRow
	found []map[string]*entry // by place, and key and address
	clock int64
}

// recheck looks at suspects by their keys until each is right or proven to differ, and
// returns what differs. Those that changed in every round are among it, as Changing.
func (r *run) recheck(ctx context.Context, suspects []*suspect, seen *latest) ([]finding, error) {
	sights := make(map[*suspect]*sight, len(suspects))
	var proven []finding
	began := time.Now()
	for n := 0; len(suspects) > 0 && (n < r.cfg.Rounds || undecided(sights) > 0); n++ {
		if n >= r.cfg.Rounds && time.Since(began) >= r.cfg.Wait {
			return nil, r.olderRun(undecided(sights))
		}
		if n > 0 {
			if err := pause(ctx, roundPause); err != nil {
				return nil, err
			}
		}
		r.cfg.Progress.begin(fmt.Sprintf("rechecking %d rows, round %d", len(suspects), n+1), 0)
		look, err := r.look(ctx, suspects, seen)
		if err != nil {
			return nil, err
		}
		suspects = slices.DeleteFunc(suspects, func(s *suspect) bool {
			findings, err2 := look.judge(ctx, s, seen)
			if err2 != nil {
				err = err2
				return false
			}
			if len(findings) == 0 {
				delete(sights, s)
				return true
			}
			last := look.see(sights, s, findings, seen)
			if last.again < confirmations {
				return false
			}
			proven = append(proven, findings...)
			delete(sights, s)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	for _, last := range sights {
		for _, f := range last.findings {
			f.kind = Changing
			proven = append(proven, f)
		}
	}
	slices.SortStableFunc(proven, func(a, b finding) int {
		if a.place != b.place {
			return a.place - b.place
		}
		return strings.Compare(a.key, b.key)
	})
	return proven, nil
}

// look takes a snapshot of the suspects, waits for the stores, and reads them there.
func (r *run) look(ctx context.Context, suspects []*suspect, seen *latest) (*round, error) {
	shot, err := r.postgres.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer shot.end(ctx)
	look := &round{run: r, shot: shot, found: make([]map[string]*entry, len(r.places))}
	var keys [sides][]string
	for _, s := range suspects {
		keys[s.side] = append(keys[s.side], s.key)
	}
	for of := range sides {
		if look.rows[of], err = shot.fetch(ctx, of, keys[of]); err != nil {
			return nil, err
		}
	}
	shot.end(ctx)
	if err := r.course.await(ctx, shot.lsn, func(int32, []*kgo.Record) error { return nil }); err != nil {
		return nil, err
	}
	if seen != nil {
		if err := seen.reader.readTo(ctx, r.course.input.next, seen.take); err != nil {
			return nil, err
		}
	}
	for i, p := range r.places {
		if p.store == nil {
			continue
		}
		if look.found[i], err = look.read(ctx, i, suspects); err != nil {
			return nil, err
		}
	}
	// Read last: a version that is above is no change's.
	err = r.course.look(ctx)
	look.clock = r.course.clock(shot)
	return look, err
}

// read reads the suspects of a place: where they should be, and where they were found.
func (l *round) read(ctx context.Context, i int, suspects []*suspect) (map[string]*entry, error) {
	p := l.run.places[i]
	var at []*entry
	for _, s := range suspects {
		found, concerned := s.at[i]
		if !concerned {
			continue
		}
		addresses := make(map[string]bool, 1)
		for _, e := range append(l.wanted(s, p), found...) {
			if address := e.address(p); !addresses[address] {
				addresses[address] = true
				at = append(at, &entry{key: s.key, values: e.values})
			}
		}
	}
	entries := make(map[string]*entry, len(at))
	for some := range slices.Chunk(at, readAtOnce) {
		found, err := p.store.read(ctx, some)
		if err != nil {
			return nil, err
		}
		for n, e := range found {
			if e != nil {
				entries[some[n].key+e.address(p)] = e
			}
		}
	}
	return entries, nil
}

// wanted is what a place should have of a suspect: one entry or none.
func (l *round) wanted(s *suspect, p *place) []*entry {
	row := l.rows[s.side][s.key]
	if row == nil {
		return nil
	}
	if e := p.entry(row); e != nil && e.unreadable == nil {
		return []*entry{e}
	}
	return nil
}

// judge says how a suspect differs, at all places that it is suspected at.
func (l *round) judge(ctx context.Context, s *suspect, seen *latest) ([]finding, error) {
	var all []finding
	row := l.rows[s.side][s.key]
	for _, i := range slices.Sorted(maps.Keys(s.at)) {
		p := l.run.places[i]
		if row != nil && row.err != nil {
			all = append(all, finding{suspect: s, place: i, kind: Unreadable, why: row.err.Error(), joins: []string{row.join}})
			continue
		}
		var want *entry
		if wanted := l.wanted(s, p); len(wanted) > 0 {
			want = wanted[0]
		}
		some, err := l.compare(ctx, s, i, want, seen)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	for i := range all {
		if row != nil {
			all[i].joins = append(all[i].joins, row.join)
		}
	}
	return all, nil
}

// compare holds what a place has of a suspect against what it should have.
func (l *round) compare(ctx context.Context, s *suspect, i int, want *entry, seen *latest) ([]finding, error) {
	p := l.run.places[i]
	if p.store == nil {
		got, _ := seen.row(s.side, s.key)
		return l.held(s, i, want, got), nil
	}
	var all []finding
	var at string
	if want != nil {
		at = want.address(p)
		got := l.found[i][s.key+at]
		expired := false
		if got == nil && p.ttl > 0 {
			var err error
			if expired, err = l.expired(ctx, s, p); err != nil {
				return nil, err
			}
		}
		if !expired {
			all = l.held(s, i, want, got)
		}
	}
	done := map[string]bool{at: want != nil}
	for _, e := range s.at[i] {
		address := e.address(p)
		if got := l.found[i][s.key+address]; got != nil && !done[address] {
			all = append(all, l.held(s, i, nil, got)...)
		}
		done[address] = true
	}
	return all, nil
}

// held compares two entries of one address, of which one may be absent.
func (l *round) held(s *suspect, i int, want, got *entry) []finding {
	p := l.run.places[i]
	f := finding{suspect: s, place: i, got: got}
	if got != nil {
		f.ahead = p.store != nil && max(got.version, got.written) > l.clock
		if p.join >= 0 {
			f.joins = append(f.joins, plan.KeyText(got.values[p.join]))
		}
	}
	switch {
	case want == nil && got == nil:
		return nil
	case want == nil:
		f.kind, f.address = Extra, addressWords(p, got)
	case got == nil:
		f.kind = Missing
	case !want.same(got) || f.ahead:
		f.kind = Different
	default:
		return nil
	}
	f.fields = fields(p, want, got)
	if f.ahead {
		newest, last := fmt.Sprint(max(got.version, got.written)), fmt.Sprintf("at most %d", l.clock)
		f.fields = append(f.fields, Field{Name: "version", Postgres: &last, Store: &newest})
		f.why = "its version is above all that the capture has given, and the time: no change replaces it"
	}
	return []finding{f}
}

// expired reports whether a row that a place lacks has outlived the place's time to
// live, which counts from its last write; the history has that write's version.
func (l *round) expired(ctx context.Context, s *suspect, p *place) (bool, error) {
	history := l.run.places[historyPlace]
	wanted := l.wanted(s, history)
	if len(wanted) == 0 {
		return false, nil
	}
	found, err := history.store.read(ctx, wanted)
	if err != nil || found[0] == nil {
		return false, err
	}
	return found[0].version+p.ttl.Microseconds() < l.shot.micros, nil
}

// tell reports a finding.
func (r *run) tell(f *finding) {
	if f.kind == Changing {
		r.report.Changing++
	} else {
		r.report.Differences++
	}
	d := r.difference(f)
	if d.ByHand = r.byHand(f); d.ByHand != "" {
		r.report.ByHand++
	}
	r.cfg.OnDifference(d)
}

func (r *run) difference(f *finding) Difference {
	p, t := r.places[f.place], r.cfg.Plan.Stream
	if p.side == lookup {
		t = r.cfg.Plan.Lookup
	}
	d := Difference{
		Pipeline: r.cfg.Pipeline, Place: p.name, Kind: f.kind, Table: t.String(), Key: r.keyWords(f), Fields: f.fields, Why: f.why, Waiting: f.waiting,
	}
	if f.kind == Changing {
		d.Fields = nil // they were so at one moment
	}
	if f.kind == Extra && f.address != "" {
		d.Key += " at " + f.address
	}
	return d
}

// keyWords is the key of a row, as name=value.
func (r *run) keyWords(f *finding) string {
	values, err := plan.ParseValues([]byte(f.key))
	if err != nil {
		return "no row's" // the address says which
	}
	streamColumns, lookupColumns := r.cfg.Plan.SourceColumns()
	slots, names := r.cfg.Plan.Key, streamColumns
	if f.side == lookup {
		slots, names = []int{r.cfg.Plan.LookupKey() - len(streamColumns)}, lookupColumns
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = names[slots[i]] + "=" + v.String()
	}
	return strings.Join(words, " ")
}

func addressWords(p *place, e *entry) string {
	words := make([]string, p.address)
	for i := range words {
		words[i] = p.fields[i] + "=" + e.values[i].String()
	}
	return strings.Join(words, " ")
}
