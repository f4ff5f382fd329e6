package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Campaign runs scenarios round after round, each run with a seed of its own,
// until all have run and enough has been shown, or the time is over.
type Campaign struct {
	Rig       *Rig
	Scenarios []Scenario
	Seed      uint64
	Budget    time.Duration // no scenario begins after it
	Short     bool          // the small sizes
	Once      bool          // one round, whatever it shows
	Faults    int           // witnessed, of all runs
	Events    int64         // held against the source, of all runs
	Verdict   func(*Result) // hears of each run
}

// Total is what a campaign has shown.
type Total struct {
	Seed                    uint64
	Runs                    int
	Passed, Failed, Invalid int
	Faults                  int // witnessed
	Events                  int64
	Lost, Dup, Reorder      int64
	Stores                  bool // the runs are the sink's, and Differences counts
	Differences             int64
	Took                    time.Duration
	Word                    Word
	Why                     string // it is not PASS although no run failed
}

// Run returns when the demands are met, the budget is spent or ctx ends.
func (c *Campaign) Run(ctx context.Context) *Total {
	began, random := time.Now(), rand.New(rand.NewPCG(c.Seed, 0))
	total := &Total{Seed: c.Seed}
	left := func() bool { return ctx.Err() == nil && time.Since(began) < c.Budget }
	for round := 0; left() && (round == 0 || !c.Once && !c.shown(total)); round++ {
		for i := range c.Scenarios {
			if !left() || round > 0 && c.shown(total) {
				break
			}
			s := &c.Scenarios[i]
			size := s.Full
			if c.Short {
				size = s.Short
			}
			r := c.Rig.Run(ctx, *s, size, random.Uint64())
			total.add(r)
			c.Verdict(r)
		}
	}
	total.Took = time.Since(began)
	c.judge(total)
	return total
}

func (c *Campaign) shown(t *Total) bool { return t.Faults >= c.Faults && t.Events >= c.Events }

func (t *Total) add(r *Result) {
	t.Runs++
	switch r.Word {
	case Pass:
		t.Passed++
	case Fail:
		t.Failed++
	case Invalid:
		t.Invalid++
	}
	t.Faults += r.Witnessed
	t.Events += r.Events
	t.Lost += r.Lost
	t.Dup += r.Dup
	t.Reorder += r.Reorder
	t.Stores = t.Stores || r.Stores
	t.Differences += r.Differences
}

func (c *Campaign) judge(t *Total) {
	switch {
	case t.Failed > 0:
		t.Word = Fail
	case t.Invalid > 0:
		t.Word, t.Why = Invalid, "a run showed too little"
	case t.Runs < len(c.Scenarios):
		t.Word, t.Why = Invalid, fmt.Sprintf("%d of %d scenarios ran", t.Runs, len(c.Scenarios))
	case !c.Once && !c.shown(t):
		t.Word, t.Why = Invalid, fmt.Sprintf("%d faults and %d events wanted", c.Faults, c.Events)
	default:
		t.Word = Pass
	}
}

// String is the last line of a campaign.
func (t *Total) String() string {
	counts := fmt.Sprintf("lost=%d dup=%d reorder=%d", t.Lost, t.Dup, t.Reorder)
	if t.Stores {
		counts = fmt.Sprintf("differences=%d", t.Differences)
	}
	line := fmt.Sprintf("total seed=%d runs=%d passed=%d failed=%d invalid=%d faults=%d events=%d %s took=%s %s",
		t.Seed, t.Runs, t.Passed, t.Failed, t.Invalid, t.Faults, t.Events, counts, t.Took.Round(time.Second), t.Word)
	if t.Why != "" {
		line += " (" + t.Why + ")"
	}
	return line
}
