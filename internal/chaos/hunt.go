package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"penstock/internal/chaos/mutant"
)

// Hunt holds the harness to its word: builds of the daemon that are broken on
// purpose have to fail.
type Hunt struct {
	Rig     *Rig
	Root    string // of the module
	Seed    uint64
	Within  time.Duration // a mutant has to be caught, its build not counted
	Verdict func(*Result) // hears of each run; nil: nobody does
}

// Catch is what a hunt came to.
type Catch struct {
	Mutant mutant.Mutant
	By     *Result // the run that failed; nil: it was not caught
	Runs   int
	Took   time.Duration // without the build
}

// Caught reports whether a run failed.
func (c *Catch) Caught() bool { return c.By != nil }

// String is the verdict line.
func (c *Catch) String() string {
	if !c.Caught() {
		return fmt.Sprintf("%s %s: NOT CAUGHT by %v in %d runs, %s", c.Mutant.ID, c.Mutant.Name, c.Mutant.CaughtBy, c.Runs, seconds(c.Took))
	}
	problem := "a wrong verdict"
	if len(c.By.Problems) > 0 {
		problem = c.By.Problems[0]
	}
	return fmt.Sprintf("%s %s: caught by %s after %s: lost=%d dup=%d reorder=%d: %.200s",
		c.Mutant.ID, c.Mutant.Name, c.By.Scenario, seconds(c.Took), c.By.Lost, c.By.Dup, c.By.Reorder, problem)
}

// Run builds the mutant and runs the scenarios that must catch it, in turns and
// with ever new seeds, until one fails or the time is over. An error says that
// there was no hunt.
func (h *Hunt) Run(ctx context.Context, m mutant.Mutant) (*Catch, error) {
	scenarios, unknown := Select(m.CaughtBy)
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
	healthy := h.Rig.binary
	h.Rig.binary = binary
	defer func() { h.Rig.binary = healthy }()
	return h.chase(ctx, m, scenarios), ctx.Err()
}

func (h *Hunt) chase(ctx context.Context, m mutant.Mutant, scenarios []Scenario) *Catch {
	ctx, cancel := context.WithTimeout(ctx, h.Within)
	defer cancel()
	began, random := time.Now(), rand.New(rand.NewPCG(h.Seed, 1))
	c := &Catch{Mutant: m}
	for ; ctx.Err() == nil && !c.Caught(); c.Runs++ {
		s := scenarios[c.Runs%len(scenarios)]
		r := h.Rig.Run(ctx, s, s.Short, random.Uint64())
		if h.Verdict != nil {
			h.Verdict(r)
		}
		if r.Word == Fail {
			c.By = r
		}
		c.Took = time.Since(began)
	}
	return c
}
