package pgtext

import "fmt"

// Error says why a text is not one of its type. The bytes will not get better:
// retrying gives the same error.
type Error struct {
	Type   string // the type, or the family of types: array, numeric, interval
	Offset int    // byte of the text, from 0
	Reason string
}

// Error names the type, the byte and the reason; it does not show the text, which
// may be private.
func (e *Error) Error() string {
	return fmt.Sprintf("%s text, byte %d: %s", e.Type, e.Offset, e.Reason)
}
