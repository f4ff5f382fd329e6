// Command bench measures on servers of its own. `bench backfill` copies one table by COPY to nowhere, by the
// daemon and by Debezium's connector, and prints a table of how fast each was; a topic that does not hold
// every row once is an error. The hot paths have benchmarks of go test.
//
// Exit codes: 0 measured, 1 it broke, 2 usage, 130 interrupted.
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
