package chaos

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"penstock/internal/chaos/ledger"
)

// recoverMost is how long 95 of 100 recoveries may take; world has the bound of the others.
const recoverMost = 15 * time.Second

// witnesses counts what was done to the servers and the daemon, and what of it
// was seen to happen by something that does not depend on who did it: an exit
// status, a counter of the proxy, another process id. Methods may be called from
// several goroutines.
type witnesses struct {
	mu        sync.Mutex
	injected  int
	seen      []string // one entry a fault
	recovered []time.Duration
	abreast   time.Duration // the longest time until what came after a fault was delivered
	problems  []string
	kinds     map[ledger.Kind]bool // of the problems
	heard     func(ledger.Kind)    // hears of each problem; nil: nobody does
	unseen    []string
	thin      []string // why the run shows too little, beside unseen faults
	figures   []Figure
}

// count counts a fault that is about to be made.
func (w *witnesses) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.injected++
}

// made is how many faults were made, and how many of them witnessed.
func (w *witnesses) made() (injected, seen int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.injected, len(w.seen)
}

// witness notes what was seen of a fault.
func (w *witnesses) witness(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf(format, args...))
}

// miss notes a fault of which nothing was seen.
func (w *witnesses) miss(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unseen = append(w.unseen, fmt.Sprintf(format, args...))
}

// wrong notes something that must not be.
func (w *witnesses) wrong(kind ledger.Kind, format string, args ...any) {
	w.say(format, args...)
	w.kind(kind)
}

// kind notes of which kind something is that must not be.
func (w *witnesses) kind(kind ledger.Kind) {
	w.mu.Lock()
	if w.kinds == nil {
		w.kinds = map[ledger.Kind]bool{}
	}
	w.kinds[kind] = true
	w.mu.Unlock()
	if w.heard != nil {
		w.heard(kind)
	}
}

// say describes something that must not be.
func (w *witnesses) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// object notes why the run shows too little.
func (w *witnesses) object(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.thin = append(w.thin, fmt.Sprintf(format, args...))
}

// figure adds a number to the verdict line.
func (w *witnesses) figure(name string, value any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.figures = append(w.figures, Figure{name, fmt.Sprint(value)})
}

// recoveredIn notes how long it took after a fault until something new was delivered,
// and until that was which was committed after it.
func (w *witnesses) recoveredIn(d, abreast time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.recovered = append(w.recovered, d)
	w.abreast = max(w.abreast, abreast)
}

// caughtUpIn notes how long it took until what there was at a fault was delivered.
func (w *witnesses) caughtUpIn(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abreast = max(w.abreast, d)
}

// report fills in the result.
func (w *witnesses) report(r *Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Injected, r.Witnessed = w.injected, len(w.seen)
	r.Problems = append(r.Problems, w.problems...)
	r.Kinds = append(r.Kinds, slices.Sorted(maps.Keys(w.kinds))...)
	r.Objections = append(r.Objections, w.thin...)
	if len(w.seen) < r.Wanted {
		r.Objections = append(r.Objections, w.unseen...)
	}
	r.Figures = append(r.Figures, Figure{"faults", fmt.Sprint(w.injected)}, Figure{"witnessed", fmt.Sprint(len(w.seen))})
	r.Figures = append(r.Figures, w.figures...)
	if len(w.recovered) > 0 {
		p95, longest := quantile(w.recovered, 0.95), quantile(w.recovered, 1)
		r.Figures = append(r.Figures, Figure{"recover_p95", seconds(p95)}, Figure{"recover_max", seconds(longest)}, Figure{"abreast_max", seconds(w.abreast)})
		if p95 > recoverMost {
			r.Kinds = append(r.Kinds, Slow)
			r.Problems = append(r.Problems, fmt.Sprintf("of 100 recoveries 5 take %s or more, %s are allowed", seconds(p95), recoverMost))
		}
	}
}
