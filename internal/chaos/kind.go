package chaos

import (
	"errors"
	"slices"

	"penstock/internal/chaos/copied"
	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/stores"
)

// The kinds of what can be wrong with a run, beside those of the ledger.
const (
	Stuck     ledger.Kind = "stuck"     // nothing new is delivered in time
	Slow      ledger.Kind = "slow"      // it is, but later than allowed
	Retained  ledger.Kind = "retained"  // the slot does not let the log go
	Refused   ledger.Kind = "refused"   // a daemon refuses to go on where nothing is missing
	Ended     ledger.Kind = "ended"     // a daemon ended by itself
	Stop      ledger.Kind = "stop"      // a graceful stop, the daemon's or the server's, takes too long or is none
	Resent    ledger.Kind = "resent"    // a graceful stop leaves something to be sent again
	Memory    ledger.Kind = "rss"       // a daemon takes too much memory
	Zombie    ledger.Kind = "zombie"    // a daemon that woke up does something
	Fence     ledger.Kind = "fence"     // somebody goes on without a fence, or fences without the slot
	Unrefused ledger.Kind = "unrefused" // a daemon goes on where it has to refuse, or does not say why not
	Written   ledger.Kind = "written"   // something is written where nothing may be
	Verify    ledger.Kind = "verify"    // penstock verify says something else than the judge
	Illegal   ledger.Kind = "illegal"   // a backfill becomes what it may not become, or a command is lost or met twice
)

// Kinds lists them all, with the ledger's.
func Kinds() []ledger.Kind {
	return append(slices.Concat(ledger.Kinds(), stores.Kinds(), copied.Kinds()),
		Illegal, Stuck, Slow, Retained, Refused, Ended, Stop, Resent, Memory, Zombie, Fence, Unrefused, Written, Verify)
}

// finding is an error that is the daemon's: any other is the rig's own.
type finding struct {
	kind ledger.Kind
	err  error
}

func (f *finding) Error() string { return f.err.Error() }

func (f *finding) Unwrap() error { return f.err }

// found makes an error one of the daemon's. One that is already keeps its kind.
func found(kind ledger.Kind, err error) error {
	if _, already := errors.AsType[*finding](err); err == nil || already {
		return err
	}
	return &finding{kind, err}
}
