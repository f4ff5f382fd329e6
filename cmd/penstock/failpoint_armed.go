//go:build failpoint

package main

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// failpoint makes the process kill itself, as kill -9 would, when it comes to the
// failpoint that FAILPOINT names for the nth time: "flushed:3".
func failpoint[P ~string]() func(P) {
	name, count, _ := strings.Cut(os.Getenv("FAILPOINT"), ":")
	if name == "" {
		return nil
	}
	nth, err := strconv.ParseInt(count, 10, 64)
	if err != nil {
		panic("FAILPOINT must be name:n: " + err.Error())
	}
	var hits atomic.Int64
	return func(p P) {
		if string(p) == name && hits.Add(1) == nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
}
