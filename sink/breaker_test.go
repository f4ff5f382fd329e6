package sink_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"penstock/internal/fault"
	"penstock/sink"
)

var errAway = &fault.Error{Kind: fault.Unreachable, Where: "a store", What: "write"}

// TestBreaker: a store that is away is left alone but for a probe now and then.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sink.NewBreaker(time.Second)
		calls, answer := 0, error(errAway)
		call := func() error {
			return b.Do(t.Context(), func(context.Context) error { calls++; return answer })
		}
		pass := func(of time.Duration, every time.Duration) {
			for end := time.Now().Add(of); time.Now().Before(end); {
				if err := call(); fault.KindOf(err) != fault.Unreachable {
					t.Fatalf("got %v", err)
				}
				<-time.After(every) // of fake time
			}
		}
		pass(900*time.Millisecond, 100*time.Millisecond)
		if open, _ := b.IsOpen(); open || calls != 9 {
			t.Errorf("within the first second: open %t after %d calls, want closed after 9", open, calls)
		}
		pass(300*time.Millisecond, 100*time.Millisecond)
		if open, _ := b.IsOpen(); !open {
			t.Error("not open after it was away for a second")
		}
		calls = 0
		pass(time.Minute, 10*time.Millisecond)
		if calls < 60/3 || calls > 60*2/3+6 { // pauses of 1.5 to 3 s, after the first ones
			t.Errorf("%d probes in a minute", calls)
		}
		for _, ready := b.IsOpen(); !ready; _, ready = b.IsOpen() {
			<-time.After(10 * time.Millisecond) // of fake time
		}
		calls = 0
		_ = b.Do(t.Context(), func(context.Context) error { // while it probes, no other call is made
			if err := call(); err == nil || calls != 0 {
				t.Errorf("%d calls beside the probe, %v", calls, err)
			}
			return nil
		})
		if open, _ := b.IsOpen(); open {
			t.Error("open after a probe that was answered")
		}
		answer = nil
		if err := call(); err != nil || calls != 1 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

// What is no sign of a store that is away does not open it.
func TestBreakerStaysClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sink.NewBreaker(time.Second)
		refused := &sink.RecordError{Err: errors.New("too large")}
		ended, end := context.WithCancel(t.Context())
		end()
		for range 100 {
			for _, answer := range []error{errAway, refused, errAway, nil, errAway, errAway, errors.New("a bug")} {
				_ = b.Do(t.Context(), func(context.Context) error { return answer })
			}
			_ = b.Do(ended, func(context.Context) error { return errAway })
			<-time.After(time.Second) // of fake time
		}
		if open, _ := b.IsOpen(); open {
			t.Error("open")
		}
	})
}
