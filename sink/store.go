package sink

import "context"

// Store keeps rows for readers.
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
	// Contents returns the content rows of the ids in their order; one that is
	// unknown or deleted does not exist.
	Contents(ctx context.Context, ids []UUID) ([]Content, error)
	// Events calls visit with each event of one content in pages, each row with
	// the version it was last written at. The page is valid during the call only.
	// It ends at the first error of visit and returns it.
	Events(ctx context.Context, content UUID, visit func([]Stored) error) error
	// ContentIDs calls visit at least once with every id that has a content row
	// or events, the zero UUID for events without content, in pages as Events does.
	ContentIDs(ctx context.Context, visit func([]UUID) error) error
}

// Stored is a row and the version it was written at.
type Stored struct {
	Row
	Version int64
}
