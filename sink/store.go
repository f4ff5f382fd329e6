package sink

import (
	"context"

	"penstock/sink/plan"
	"penstock/sink/totals"
)

// Store keeps the rows of one plan for readers.
//
// Ordering: none is needed. Writes of one call and of concurrent calls may reach
// the store in any order; the highest version wins on each key. The sink gives
// equal versions to equal writes only.
//
// Concurrency: Apply is called from several goroutines.
//
// Durability: nil means that every write of the call is as durable as the store
// makes it. After an error any part of the call may have taken effect.
//
// Idempotency: applying a write again, also after higher versions, changes nothing.
//
// Errors: a fault of kind Unreachable says that the same call may succeed later;
// any other error that it will not; a [RecordError] with the reason Refused says
// so of one write, and that others may pass.
type Store interface {
	// Name is the store's name in logs and faults, such as "cassandra".
	Name() string
	// Apply makes the writes durable. The slice and what it points to stay the
	// caller's and must not be kept.
	Apply(ctx context.Context, writes []Write) error
}

// Checker is a [Store] that knows without asking its server which writes it would
// refuse. All stores are asked before anything is written to one of them, so that
// none holds what another refuses.
type Checker interface {
	// Check returns a [RecordError] for the first write that the store would not take.
	Check(writes []Write) error
}

// Lookup reads back what the join and truncation need of what [Store.Apply]
// wrote. A read sees every write whose Apply returned nil before the read began.
// Errors are classed as for [Store]. It is used from several goroutines.
type Lookup interface {
	// LookupRows returns the lookup rows of the join values in their order; one that
	// is unknown or deleted does not exist.
	LookupRows(ctx context.Context, joins []plan.Value) ([]plan.LookupRow, error)
	// Rows calls visit with each stream row of one join value in pages, each with
	// the version it was last written at. The page is valid during the call only,
	// and the rows are visit's. It ends at the first error of visit and returns it.
	//
	// With each page comes a bookmark, which is visit's and holds for other processes, too. A
	// call that is given it begins behind that page, or, if it cannot, with the first; nil does.
	// Rows that were written meanwhile may be left out of it.
	Rows(ctx context.Context, join plan.Value, after []byte, visit func(page []plan.Stored, bookmark []byte) error) error
	// Joins calls visit at least once with every join value that has a lookup row
	// or stream rows, NULL for rows without one, in pages as Rows does.
	Joins(ctx context.Context, visit func([]plan.Value) error) error
}

// TotalsReader is a [Lookup] that reads back what the totals of a plan are made of,
// and them. It holds for it as for [Lookup].
type TotalsReader interface {
	Lookup
	// Hour calls visit with each row of the history of a join value whose time lies in
	// an hour, counted from the Unix epoch, in pages as Rows does. The slots that the
	// plan's totals name are set.
	Hour(ctx context.Context, join plan.Value, hour int64, visit func([]plan.Stored) error) error
	// Totals calls visit with the totals of a join value: the whole, and some of its hours, nil for all,
	// also those without events that it keeps. The fields Changed are not set. The value is visit's.
	Totals(ctx context.Context, join plan.Value, hours []int64, visit func(*totals.Value) error) error
}
