package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"penstock/internal/fault"
)

// The readers by name, as in --readers.
const (
	nameLimit    = "limit"
	namePenstock = "penstock"
	nameDebezium = "debezium"

	nameDebeziumLeast = "debezium-at-least-once"
)

// Readers lists their names.
func Readers() []string { return []string{nameLimit, namePenstock, nameDebezium, nameDebeziumLeast} }

// Plan is what is measured, and how often.
type Plan struct {
	Rows    int64    // of each workload; 0: as many as it has by itself
	Readers []string // some of [Readers]
	Builds  []Build  // of the daemon, at least one if it is a reader; with several each is a reader
	Rounds  int      // runs of each reader that count
	Retries int      // of a run that others made noisy
}

// Check is an error of kind Usage if there is no such plan.
func (p Plan) Check() error {
	_, err := p.readers()
	return err
}

func (p Plan) readers() ([]reader, error) {
	var all []reader
	for _, name := range p.Readers {
		switch name {
		case nameLimit:
			l, err := newLimit()
			if err != nil {
				return nil, err
			}
			all = append(all, l)
		case namePenstock:
			for _, b := range p.Builds {
				all = append(all, &penstock{build: b, alone: len(p.Builds) == 1})
			}
		case nameDebezium, nameDebeziumLeast:
			all = append(all, &debezium{exactly: name == nameDebezium})
		default:
			return nil, &fault.Error{
				Kind: fault.Usage, Where: "--readers", What: fmt.Sprintf("no reader %q", name), Fix: "some of " + strings.Join(Readers(), ","),
			}
		}
	}
	return all, nil
}

// Measure writes the workload's rows, and lets each reader read them, one after the other, round by round.
func (r *Rig) Measure(ctx context.Context, w Workload, plan Plan) (*Result, error) {
	readers, err := plan.readers()
	if err != nil {
		return nil, err
	}
	if w.rate > 0 {
		readers = slices.DeleteFunc(readers, func(who reader) bool { return !who.writes() }) // it shows no row
	}
	rows := plan.Rows
	if rows == 0 {
		rows = w.Rows
	}
	if err := r.load(ctx, w, rows); err != nil {
		return nil, err
	}
	runs := make([][]Run, len(readers))
	for round := range plan.Rounds {
		for _, i := range order(len(readers), round) {
			run, err := r.quiet(ctx, readers[i], plan.Retries)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", w.Name, err)
			}
			r.say("%s, round %d of %d: %s %.0f changes/s, others took %.2f cores",
				w.Name, round+1, plan.Rounds, readers[i].name(), float64(run.Changes)/run.Seconds, run.Others)
			runs[i] = append(runs[i], run)
		}
	}
	result := &Result{Workload: w.Name, About: w.About, Rows: rows}
	for i, who := range readers {
		result.Lines = append(result.Lines, sum(who, runs[i]))
	}
	result.compare()
	return result, nil
}

// order is A B C, B C A, C A B: what drifts with time meets everybody.
func order(n, round int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = (i + round) % n
	}
	return all
}

// quiet repeats a run that others made noisy, and returns the quietest.
func (r *Rig) quiet(ctx context.Context, who reader, retries int) (Run, error) {
	return quietest(retries, func() (Run, error) {
		run, err := r.try(ctx, who)
		if err == nil && noisy(run.Others) {
			r.say("%s: a noisy run, others took %.2f cores", who.name(), run.Others)
		}
		return run, err
	})
}

// quietest runs until a run is not noisy, and no more than 1 + retries times.
func quietest(retries int, try func() (Run, error)) (Run, error) {
	var runs []Run
	for range 1 + retries {
		run, err := try()
		if err != nil {
			return run, err
		}
		run.Noisy = noisy(run.Others)
		runs = append(runs, run)
		if !run.Noisy {
			break
		}
	}
	return slices.MinFunc(runs, func(a, b Run) int { return cmp.Compare(a.Others, b.Others) }), nil
}
