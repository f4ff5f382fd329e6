package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"penstock/internal/fault"
)

func TestErrorNamesPlaceReasonAndFix(t *testing.T) {
	err := &fault.Error{
		Kind:  fault.Refused,
		Where: "source.slot",
		What:  `slot "engagement" is active for pid 41`,
		Fix:   "stop the other daemon",
		Err:   io.ErrUnexpectedEOF,
	}
	want := `source.slot: slot "engagement" is active for pid 41: unexpected EOF (fix: stop the other daemon)`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is not in the chain")
	}
}

func TestStateComesFirst(t *testing.T) {
	err := fmt.Errorf("start: %w", &fault.Error{
		Kind: fault.PositionLost, State: fault.GapDetected, Where: "slot engagement", What: "16 bytes of log are missing",
	})
	if got, want := err.Error(), "start: gap_detected: slot engagement: 16 bytes of log are missing"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := fault.StateOf(err); got != fault.GapDetected {
		t.Errorf("got state %q", got)
	}
	if got := fault.StateOf(io.EOF); got != "" {
		t.Errorf("got state %q of a plain error", got)
	}
}

func TestKindSurvivesWrapping(t *testing.T) {
	cases := []struct {
		name string
		err  error
		want fault.Kind
		exit int
	}{
		{"plain error", io.EOF, fault.Runtime, 1},
		{"usage", fmt.Errorf("start: %w", &fault.Error{Kind: fault.Usage}), fault.Usage, 2},
		{"unreachable", &fault.Error{Kind: fault.Unreachable}, fault.Unreachable, 3},
		{"check", &fault.Error{Kind: fault.Check}, fault.Check, 4},
		{"refused", &fault.Error{Kind: fault.Refused}, fault.Refused, 5},
		{"position lost", &fault.Error{Kind: fault.PositionLost}, fault.PositionLost, 6},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := fault.KindOf(c.err); got != c.want || got.ExitCode() != c.exit {
				t.Errorf("got kind %d exit %d, want kind %d exit %d", got, got.ExitCode(), c.want, c.exit)
			}
		})
	}
}
