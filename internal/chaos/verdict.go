package chaos

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"penstock/internal/chaos/ledger"
)

// Word is how a run is judged.
type Word string

// The words. A run that could not show its faults says nothing, so it is neither
// passed nor failed.
const (
	Pass    Word = "PASS"
	Fail    Word = "FAIL"
	Invalid Word = "INVALID"
)

// Figure is one number of a verdict line.
type Figure struct {
	Name  string
	Value string
}

// Result is what one run of a scenario has shown.
type Result struct {
	Scenario string        `json:"scenario"`
	Seed     uint64        `json:"seed"`
	Word     Word          `json:"verdict"`
	Began    time.Time     `json:"began"`
	Took     time.Duration `json:"took"` // nanoseconds

	Events    int64 `json:"events"`    // in the topics, as the ledger found them
	Injected  int   `json:"injected"`  // faults
	Witnessed int   `json:"witnessed"` // of them, by something outside the daemon's own word
	Wanted    int   `json:"wanted"`    // faults

	Lost    int64 `json:"lost"`
	Dup     int64 `json:"dup"`
	Reorder int64 `json:"reorder"`

	Stores      bool  `json:"stores"`      // it is a run of the sink
	Differences int64 `json:"differences"` // of the stores from the source

	Figures    []Figure      `json:"figures"`    // the scenario's own
	Problems   []string      `json:"problems"`   // why it failed
	Kinds      []ledger.Kind `json:"kinds"`      // of the problems
	Objections []string      `json:"objections"` // why it says nothing
}

// judge gives the word: what is wrong is wrong also in a run that shows too little.
func (r *Result) judge() {
	switch {
	case len(r.Problems) > 0:
		r.Word = Fail
	case r.Witnessed < r.Wanted:
		r.Objections = append(r.Objections, fmt.Sprintf("%d faults witnessed, %d wanted", r.Witnessed, r.Wanted))
		r.Word = Invalid
	case len(r.Objections) > 0:
		r.Word = Invalid
	default:
		r.Word = Pass
	}
}

// String is the verdict line.
func (r *Result) String() string {
	var line strings.Builder
	fmt.Fprintf(&line, "%s seed=%d", r.Scenario, r.Seed)
	for _, f := range r.Figures {
		fmt.Fprintf(&line, " %s=%s", f.Name, f.Value)
	}
	fmt.Fprintf(&line, " took=%s %s", r.Took.Round(100*time.Millisecond), r.Word)
	for _, why := range slices.Concat(r.Problems, r.Objections) {
		line.WriteString("\n    ")
		line.WriteString(strings.ReplaceAll(why, "\n", "\n    "))
	}
	return line.String()
}

// seconds renders a duration as figures do.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// quantile is the smallest of the durations that the share q of them does not
// exceed, 0 of none.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
