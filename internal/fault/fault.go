// Package fault is the error a person reads: what is wrong, where, why, and
// what fixes it. Whoever finds the fault fills it in; the command line only
// renders it and turns its kind into an exit code.
package fault

import (
	"errors"
	"strings"
)

// Kind classes a fault by what the caller can do about it.
type Kind int

// The kinds. The zero kind is a failure nobody foresaw.
const (
	Runtime      Kind = iota // something broke while running
	Usage                    // bad configuration, argument or input
	Unreachable              // a server does not answer, or not yet: worth waiting for
	Check                    // a check found a difference or crossed a threshold
	Refused                  // going on would not be safe, or needs the operator's word
	PositionLost             // the log no longer holds, or never held, what comes next
)

// ExitCode is the process exit code for a fault of this kind.
func (k Kind) ExitCode() int { return int(k) + 1 }

// Error is a fault with its coordinates. What is required, the rest optional.
type Error struct {
	Kind  Kind
	State State  // of a capture that may not go on by itself; else empty
	What  string // one clause, lower case: what is wrong
	Where string // the place: a configuration key, an address, a table, a record's coordinates
	Why   string // why that is a problem
	Fix   string // the statement, command or change that mends it
	Err   error  // the cause, kept for errors.Is and errors.As
}

// Error renders the fault on one line, for logs and for wrapping.
func (e *Error) Error() string {
	var b strings.Builder
	if e.State != "" {
		b.WriteString(string(e.State))
		b.WriteString(": ")
	}
	if e.Where != "" {
		b.WriteString(e.Where)
		b.WriteString(": ")
	}
	b.WriteString(e.What)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Fix != "" {
		b.WriteString(" (fix: ")
		b.WriteString(e.Fix)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// StateOf returns the state of the first fault in err's chain, empty for none.
func StateOf(err error) State {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.State
	}
	return ""
}

// KindOf returns the kind of the first fault in err's chain, or Runtime.
func KindOf(err error) Kind {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Kind
	}
	return Runtime
}
