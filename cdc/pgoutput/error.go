package pgoutput

import "fmt"

// FormatError says where a message departs from the protocol. The stream is
// unusable after it: retrying gives the same bytes, skipping loses a change.
type FormatError struct {
	Kind   Kind   // the message's first byte; 0 when there is none
	Offset int    // byte of the message, counted from its kind byte
	Reason string // what was expected there and what was found
}

// Error names the message, the byte and the reason.
func (e *FormatError) Error() string {
	return fmt.Sprintf("pgoutput %s message, byte %d: %s", e.Kind, e.Offset, e.Reason)
}
