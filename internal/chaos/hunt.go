package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/mutant"
)

// Hunt holds the harness to its word: builds of the daemon that are broken on
// purpose have to fail, for what is broken, where the healthy one passes. Runs are
// one after another.
type Hunt struct {
	Rig     *Rig
	Root    string // of the module
	Seed    uint64
	Within  time.Duration // a mutant has to be caught, its build and the control not counted
	Verdict func(*Result) // hears of each run; nil: nobody does

	controls map[trial]*Result // of the healthy build
}

// trial is what the healthy build is put to once.
type trial struct {
	scenario string
	seed     uint64
}

// Catch is what a hunt came to.
type Catch struct {
	Mutant  mutant.Mutant
	By      *Result // the run that failed for a kind of problem that counts; nil: it was not caught
	Control *Result // the same run of the healthy build; nil without By
	Runs    int
	Beside  int // runs that failed for another kind of problem only
	Took    time.Duration
}

// Caught reports whether a run failed that the healthy build passes.
func (c *Catch) Caught() bool { return c.By != nil && c.Control.Word == Pass }

// String is the verdict line.
func (c *Catch) String() string {
	if c.By == nil {
		return fmt.Sprintf("%s %s: NOT CAUGHT by %v in %d runs (%d failed for what does not count), %s",
			c.Mutant.ID, c.Mutant.Name, c.Mutant.CaughtBy, c.Runs, c.Beside, seconds(c.Took))
	}
	word := "caught"
	if !c.Caught() {
		word = "NOT CAUGHT, the healthy build fails too"
	}
	return fmt.Sprintf("%s %s: %s by %s after %s for %v: lost=%d dup=%d reorder=%d control=%s: %.200s",
		c.Mutant.ID, c.Mutant.Name, word, c.By.Scenario, seconds(c.Took), c.By.Kinds, c.By.Lost, c.By.Dup, c.By.Reorder,
		c.Control.Word, c.By.Problems[0])
}

// Run builds the mutant and runs the scenarios that must catch it, in turns and
// with ever new seeds, until one fails or the time is over. An error says that
// there was no hunt.
func (h *Hunt) Run(ctx context.Context, m mutant.Mutant) (*Catch, error) {
	scenarios, unknown := Select(everyScenario(), m.CaughtBy)
	if len(unknown) > 0 || len(m.CaughtBy) == 0 {
		return nil, fmt.Errorf("mutant %s: no scenarios %q", m.ID, unknown)
	}
	overlay, err := m.Overlay(h.Root, filepath.Join(h.Rig.dir, "mutants"))
	if err != nil {
		return nil, err
	}
	binary, err := Build(ctx, h.Root, filepath.Join(h.Rig.dir, "mutants", m.ID), "penstock", overlay)
	if err != nil {
		return nil, err
	}
	c := h.chase(ctx, m, binary, scenarios)
	if c.By != nil {
		c.Control = h.control(ctx, scenarios, c.By)
	}
	return c, ctx.Err()
}

// chase returns when a run has failed for what the mutant breaks, or the time is over.
func (h *Hunt) chase(ctx context.Context, m mutant.Mutant, binary string, scenarios []Scenario) *Catch {
	healthy := h.Rig.binary
	h.Rig.binary, h.Rig.suffices = binary, suffice(m)
	defer func() { h.Rig.binary, h.Rig.suffices = healthy, nil }()
	ctx, cancel := context.WithTimeout(ctx, h.Within)
	defer cancel()
	began, random := time.Now(), rand.New(rand.NewPCG(h.Seed, 1)) // the same seeds for all: a control serves several
	c := &Catch{Mutant: m}
	for ; ctx.Err() == nil && c.By == nil; c.Runs++ {
		s := scenarios[c.Runs%len(scenarios)]
		r := h.run(ctx, s, random.Uint64())
		switch {
		case counts(m, r):
			c.By = r
		case r.Word == Fail:
			c.Beside++
		}
		c.Took = time.Since(began)
	}
	return c
}

// control is how the healthy build fares in the run that failed.
func (h *Hunt) control(ctx context.Context, scenarios []Scenario, failed *Result) *Result {
	of := trial{failed.Scenario, failed.Seed}
	if r, known := h.controls[of]; known {
		return r
	}
	i := slices.IndexFunc(scenarios, func(s Scenario) bool { return s.ID == of.scenario })
	r := h.run(ctx, scenarios[i], of.seed)
	if h.controls == nil {
		h.controls = map[trial]*Result{}
	}
	h.controls[of] = r
	return r
}

func (h *Hunt) run(ctx context.Context, s Scenario, seed uint64) *Result {
	r := h.Rig.Run(ctx, s, s.Short, seed)
	if h.Verdict != nil {
		h.Verdict(r)
	}
	return r
}

// suffice are the kinds of problem of which one is enough.
func suffice(m mutant.Mutant) []ledger.Kind {
	var kinds []ledger.Kind
	for _, kind := range m.Finds {
		kinds = append(kinds, ledger.Kind(kind))
	}
	return kinds
}

// counts reports whether a run failed for what the mutant breaks.
func counts(m mutant.Mutant, r *Result) bool {
	return r.Word == Fail && slices.ContainsFunc(r.Kinds, func(k ledger.Kind) bool { return slices.Contains(m.Finds, string(k)) })
}
