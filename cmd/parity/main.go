// Command parity compares Penstock's Debezium format with Debezium itself: it runs
// the real connector and the real daemon over the same changes and prints, for each
// column type and each shape of change, equal or the declared difference. Then it moves a
// table from the one to the other under load, and holds the topic against what was committed; `parity
// move` does that alone. `parity record` keeps what the connector wrote as goldens.
//
// Exit codes: 0 equal or justified, 1 it broke itself, 2 usage, 4 a difference that
// nothing justifies, or a justification that nothing needs, 130 interrupted.
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
