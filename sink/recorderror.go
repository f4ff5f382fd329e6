package sink

import (
	"errors"

	"penstock/schema/deadletter"
)

// RecordError is an error of one record, or of one write: others are not met by
// it, and trying again does not help. Only such an error makes a dead letter; a
// server that is away, full or misconfigured never does.
type RecordError struct {
	Reason deadletter.Reason
	Err    error
}

// Error is the cause's.
func (e *RecordError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// reasoned makes err a [RecordError].
func reasoned(reason deadletter.Reason, err error) error {
	if err == nil {
		return nil
	}
	return &RecordError{Reason: reason, Err: err}
}

// asRecordError finds the record error in err's chain, nil for none.
func asRecordError(err error) *RecordError {
	e, _ := errors.AsType[*RecordError](err)
	return e
}
