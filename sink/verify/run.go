package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// run is one comparison.
type run struct {
	cfg      *Config
	places   []*place
	hasher   *hasher
	postgres *postgres
	kafka    *kafka
	course   *course
	report   *Report

	want, got []*fold // by place, of the first look
}

// Run compares, and repairs if that is asked for. It writes nothing else but heartbeats
// to the log.
//
//  1. A snapshot of Postgres is folded into checksums, side by side with the input
//     topic, while the capture and the sink come to its LSN; then the stores are.
//  2. The rows of the buckets that differ are read again, one by one: what is not as
//     Postgres says is suspect.
//  3. Suspects are read by their keys, again and again, each time in a new snapshot and
//     once the stores have come to its LSN. One that is right once is right. One that
//     differs three times, while neither the row of Postgres nor what the stores have of
//     it changes, is a difference: everything that was committed before the second
//     snapshot is in the stores by the third, and nothing of the row was changed.
//
// Errors are faults: Unreachable when a server does not answer, or the capture or the
// sink does not come any nearer within Config.Wait; Usage for what the configuration or
// rights are to blame for. Differences are none; they are told by Config.OnDifference.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &run{
		cfg: &cfg, places: places(cfg.Plan, cfg.Cassandra, cfg.Redis), hasher: newHasher(), report: &Report{Pipeline: cfg.Pipeline},
	}
	began := time.Now()
	if r.postgres, err = openPostgres(ctx, &cfg); err != nil {
		return nil, err
	}
	defer r.postgres.close(ctx)
	if r.kafka, err = openKafka(&cfg); err != nil {
		return nil, err
	}
	defer r.kafka.close()
	if r.course, err = openCourse(ctx, &cfg, r.postgres, r.kafka); err != nil {
		return nil, err
	}
	defer r.course.close()
	differ, err := r.sums(ctx)
	if err != nil {
		return nil, err
	}
	for pass := range r.passes(differ) {
		if err := r.pass(ctx, pass); err != nil {
			return nil, err
		}
	}
	r.report.Elapsed = time.Since(began)
	return r.report, nil
}

// sums compares the checksums of all places, and returns the buckets that differ, by
// place.
func (r *run) sums(ctx context.Context) ([]set, error) {
	for range r.places {
		r.want, r.got = append(r.want, newFold()), append(r.got, newFold())
	}
	shot, err := r.postgres.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer shot.end(ctx)
	r.report.LSN = shot.lsn
	if err := r.estimate(ctx); err != nil {
		return nil, err
	}
	seen := newHistory(r.cfg.Plan, r.hasher)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return shot.scan(gctx, func(row *sourceRow) error {
			for i, p := range r.places {
				if p.side != row.side {
					continue
				}
				if e := p.entry(row); e != nil {
					r.want[i].add(r.hasher, e)
				}
			}
			r.cfg.Progress.done.Add(1)
			return nil
		})
	})
	group.Go(func() error {
		return r.course.await(gctx, shot.lsn, func(partition int32, records []*kgo.Record) error {
			r.cfg.Progress.done.Add(int64(len(records)))
			return seen.take(partition, records)
		})
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	shot.end(ctx)
	if err := r.eachStore(ctx, nil, func(i int, e *entry) error {
		r.got[i].add(r.hasher, e)
		return nil
	}); err != nil {
		return nil, err
	}
	if err := r.course.look(ctx); err != nil {
		return nil, err
	}
	differ := make([]set, len(r.places))
	for i, p := range r.places {
		if p.store == nil {
			r.got[i] = seen.fold(p.side)
		}
		differ[i] = differing(r.want[i], r.got[i], r.course.clock(shot))
		if p.store == nil && r.course.input.trimmed() {
			differ[i].addAll()
		}
		r.report.Counts = append(r.report.Counts, Count{Place: p.name, Postgres: r.want[i].count(), Store: r.got[i].count()})
	}
	r.remark(seen)
	return differ, nil
}

// remark notes what the comparison leaves out.
func (r *run) remark(seen *history) {
	if r.course.input.trimmed() {
		note := fmt.Sprintf("topic %s has not kept its first records: of Kafka only rows with a change that it has are compared", r.cfg.Topic)
		r.report.Notes = append(r.report.Notes, note)
	}
	if n := seen.unreadable.Load(); n > 0 {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%d records of topic %s cannot be read", n, r.cfg.Topic))
	}
}

// estimate says how much there is to do: the tables once, and once in each place.
func (r *run) estimate(ctx context.Context) error {
	rows := map[side]float64{stream: r.postgres.stream.rows, lookup: r.postgres.lookup.rows}
	total := int64(rows[stream] + rows[lookup])
	ends, err := r.kafka.offsets(ctx, r.cfg.Topic, r.kafka.admin.ListEndOffsets)
	if err != nil {
		return err
	}
	for p, end := range ends {
		total += end - r.course.input.starts[p]
	}
	for _, p := range r.places {
		if p.store != nil {
			total += int64(rows[p.side])
		}
	}
	r.cfg.Progress.begin("comparing checksums", total)
	return nil
}

// eachStore scans the places that have a store, those of Cassandra one after the other,
// beside Redis; some, when set, says which places.
func (r *run) eachStore(ctx context.Context, some func(i int) bool, visit func(i int, e *entry) error) error {
	group, ctx := errgroup.WithContext(ctx)
	scan := func(of ...int) {
		group.Go(func() error {
			for _, i := range of {
				if some != nil && !some(i) {
					continue
				}
				err := r.places[i].store.scan(ctx, func(e *entry) error {
					r.cfg.Progress.done.Add(1)
					return visit(i, e)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	var tables []int
	for i, p := range r.places {
		switch p.store.(type) {
		case *tableStore:
			tables = append(tables, i)
		case *hashStore:
			scan(i)
		}
	}
	scan(tables...)
	return group.Wait()
}

// passes divides the buckets that differ into sets, by place, of which the rows can be
// held in memory.
func (r *run) passes(differ []set) func(yield func([]set) bool) {
	return func(yield func([]set) bool) {
		empty := func() []set {
			sets := make([]set, len(r.places))
			for i := range sets {
				sets[i] = newSet()
			}
			return sets
		}
		pass, rows := empty(), int64(0)
		for b := range buckets {
			for i := range r.places {
				if differ[i].has(b) {
					pass[i].add(b)
					rows += max(r.want[i].sums[b].count, r.got[i].sums[b].count, 1)
				}
			}
			if rows >= r.cfg.Rows {
				if !yield(pass) {
					return
				}
				pass, rows = empty(), 0
			}
		}
		if rows > 0 {
			yield(pass)
		}
	}
}

// pass finds the differences of some buckets, tells them, and repairs them.
func (r *run) pass(ctx context.Context, pass []set) error {
	seen, suspects, err := r.search(ctx, pass)
	if err != nil {
		return err
	}
	if seen != nil {
		defer seen.reader.close()
	}
	r.report.Looked += int64(len(suspects))
	found, err := r.recheck(ctx, suspects, seen)
	if err != nil {
		return err
	}
	if err := r.whoWaits(ctx, found); err != nil {
		return err
	}
	for i := range found {
		r.tell(&found[i])
	}
	found = slices.DeleteFunc(found, func(f finding) bool { return f.kind == Changing })
	if !r.cfg.Repair || len(found) == 0 {
		r.report.Left += int64(len(found))
		return nil
	}
	return r.repair(ctx, found, seen)
}

// whoWaits notes which of the rows wait for a dead letter.
func (r *run) whoWaits(ctx context.Context, found []finding) error {
	if r.cfg.Letters == nil || len(found) == 0 {
		return nil
	}
	book, err := r.cfg.Letters.Read(ctx)
	if err != nil {
		return fmt.Errorf("read the dead letters: %w", err)
	}
	waiting := map[string]string{}
	for _, head := range book.Heads() {
		if l := head.Letter; l.Topic == r.cfg.Topic {
			if _, first := waiting[string(l.Record.Key)]; !first {
				waiting[string(l.Record.Key)] = head.ID
			}
		}
	}
	for i := range found {
		for _, key := range found[i].joins {
			if id := waiting[key]; id != "" {
				found[i].waiting = id
			}
		}
	}
	return nil
}
