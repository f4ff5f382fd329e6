package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// APIKey is the kind of a Kafka request, as the protocol numbers it.
type APIKey int16

// The kinds that a transactional producer depends on.
const (
	AnyKey             APIKey = -1
	Produce            APIKey = 0
	Fetch              APIKey = 1
	ListOffsets        APIKey = 2
	Metadata           APIKey = 3
	InitProducerID     APIKey = 22
	AddPartitionsToTxn APIKey = 24
	EndTxn             APIKey = 26
)

// Act is what a rule does to a request.
type Act int

const (
	// DropRequest closes the connection before the broker has seen a byte of the request.
	DropRequest Act = iota + 1
	// DropReply lets the broker act and answer, and closes the connection in place of that answer.
	DropReply
	// CutAfterRequest hands the request to the broker's side and closes the connection at once: the broker may act or not.
	CutAfterRequest
	// DelayReply lets the answer, and what is behind it on the connection, come later by Rule.Delay.
	DelayReply
	// HoldRequest keeps the request, and what is behind it on the connection, from the broker until the rule is disarmed.
	HoldRequest
)

func (a Act) String() string {
	names := []string{DropRequest: "drop request", DropReply: "drop reply", CutAfterRequest: "cut after request",
		DelayReply: "delay reply", HoldRequest: "hold request"}
	if a < DropRequest || int(a) >= len(names) {
		return fmt.Sprintf("act %d", int(a))
	}
	return names[a]
}

// Request is what can be told of a request by its header.
type Request struct {
	Connection    uint64 // from 1, in the order of accepting
	Key           APIKey
	Version       int16
	CorrelationID int32
	Size          int32 // bytes after the length
}

// Rule picks requests of a [Kafka] proxy. A request meets the first rule that picks it, in the order of arming.
type Rule struct {
	Key         APIKey             // or AnyKey; the zero value is Produce
	Match       func(Request) bool // nil: all; called for one request at a time, must not wait or call the proxy
	Nth         int                // only the nth that matches, from 1, on whatever connection; 0: all
	Probability float64            // of those left; 0: all
	Times       int                // picks at most so many; 0: no limit
	Act         Act
	Delay       time.Duration // of DelayReply
}

// Armed is a rule in force.
type Armed struct {
	rule Rule
	book *rulebook
	free chan struct{} // closed by Disarm

	// All guarded by book.mu.
	random  *rand.Rand
	matched int
	picked  int
	done    int
	moved   chan struct{} // closed and replaced when done grows
	gone    bool
}

// rulebook is the rules in force.
type rulebook struct {
	mu    sync.Mutex
	armed []*Armed // guarded by mu
	count uint64   // guarded by mu; ever armed
}

// Arm puts a rule in force, for open connections too.
func (p *Proxy) Arm(r Rule) *Armed {
	b := &p.rules
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	const stream = 1 << 63 // apart from the sources of connections
	a := &Armed{
		rule: r, book: b, free: make(chan struct{}), moved: make(chan struct{}),
		random: rand.New(rand.NewPCG(p.seed, stream|b.count)),
	}
	b.armed = append(b.armed, a)
	return a
}

// Disarm ends the rule and lets go what it holds. What it has picked before is still done.
func (a *Armed) Disarm() {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	if a.gone {
		return
	}
	a.gone = true
	close(a.free)
	a.book.armed = slices.DeleteFunc(a.book.armed, func(b *Armed) bool { return a == b })
}

// Done returns how often the act has been done: picked is not enough.
func (a *Armed) Done() int {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	return a.done
}

// Await returns nil when the act has been done n times, or the cause of the end of ctx.
func (a *Armed) Await(ctx context.Context, n int) error {
	for {
		a.book.mu.Lock()
		done, moved := a.done, a.moved
		a.book.mu.Unlock()
		if done >= n {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("await act %d of %d, %s: %w", done+1, n, a.rule.Act, context.Cause(ctx))
		}
	}
}

// pick returns the rule that the request meets, or nil.
func (b *rulebook) pick(r Request) *Armed {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.armed {
		if a.picks(r) {
			return a
		}
	}
	return nil
}

// picks is called with the book locked.
func (a *Armed) picks(r Request) bool {
	rule := a.rule
	if rule.Key != AnyKey && rule.Key != r.Key || rule.Match != nil && !rule.Match(r) {
		return false
	}
	a.matched++
	if rule.Nth > 0 && a.matched != rule.Nth {
		return false
	}
	if rule.Times > 0 && a.picked >= rule.Times {
		return false
	}
	if rule.Probability > 0 && a.random.Float64() >= rule.Probability {
		return false
	}
	a.picked++
	return true
}

// did witnesses the act.
func (a *Armed) did(stats *counters, key APIKey) {
	stats.act(a.rule.Act, key)
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	a.done++
	close(a.moved)
	a.moved = make(chan struct{})
}
