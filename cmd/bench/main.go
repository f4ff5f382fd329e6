// Command bench measures the daemon on servers of its own, beside pg_recvlogical, beside Debezium's connector, and beside
// other builds of itself: how fast it drains a backlog of some kind, or copies a table. It prints a table in Markdown. A topic
// that does not hold every row once is an error. The hot paths have benchmarks of go test.
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
