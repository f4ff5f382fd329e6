package deadletter

import "time"

// State is what has become of a letter.
type State string

// The states. A letter without a record of its state is open, or, when it waits,
// what the letter is that it waits for.
const (
	Open      State = "open"      // undecided, or retried and failed again
	Retried   State = "retried"   // its record was sent again
	Discarded State = "discarded" // an operator gave it up
)

// States lists them all.
func States() []State { return []State{Open, Retried, Discarded} }

// Decision is the record of a letter's state. The last one of a letter counts.
type Decision struct {
	ID    string // the letter's
	State State
	Time  time.Time // microseconds are kept
	Note  string    // the operator's reason, or what failed again

	// Sent is the offset, in the letter's topic and partition, of what the
	// decision sent there: the record again, or the release of its key. -1 for nothing.
	Sent int64

	// Value replaces the record's when it is retried; nil leaves it as it is.
	Value []byte
}
