package storetest

import (
	"context"
	"sync"

	"penstock/sink"
)

// Faulty is a store with faults. Its methods may be called concurrently.
type Faulty struct {
	sink.Store

	mu     sync.Mutex
	faults map[int]Fault // guarded by mu; by the number of the Apply call, from 1
	calls  int           // guarded by mu
}

// Fault is what happens to one call of Apply.
type Fault struct {
	// Writes is how many of the call's writes take effect, -1 for all: the
	// response is lost.
	Writes int
	// Err is what the call returns.
	Err error
	// Then, when set, is called before the call returns.
	Then func()
}

// NewFaulty returns the store with a fault at the given calls of Apply, counted from 1.
func NewFaulty(store sink.Store, faults map[int]Fault) *Faulty {
	return &Faulty{Store: store, faults: faults}
}

// Calls returns how many calls of Apply have begun.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Apply does what the call's fault says, or else what the store does.
func (f *Faulty) Apply(ctx context.Context, writes []sink.Write) error {
	f.mu.Lock()
	f.calls++
	fault, faulty := f.faults[f.calls]
	f.mu.Unlock()
	if !faulty {
		return f.Store.Apply(ctx, writes)
	}
	n := min(fault.Writes, len(writes))
	if n < 0 {
		n = len(writes)
	}
	if err := f.Store.Apply(ctx, writes[:n]); err != nil {
		return err
	}
	if fault.Then != nil {
		fault.Then()
	}
	return fault.Err
}
