// Command chaos proves that Penstock's capture is exactly-once: it runs the real
// daemon between private real servers, breaks each of them in turn, and holds what
// is in Kafka against what Postgres itself wrote down. It prints one line a
// scenario.
//
// Exit codes: 0 all passed, 1 it broke itself, 2 usage, 4 a check failed, 5 a run
// showed fewer faults than it had to, 130 interrupted.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
