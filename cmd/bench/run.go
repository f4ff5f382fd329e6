package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"penstock/internal/parity"
)

// The exit codes, those of penstock where it has the same.
const (
	exitOK          = 0
	exitBroken      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("bench backfill", flag.ContinueOnError)
	set.SetOutput(stderr)
	rows := set.Int64("rows", 5_000_000, "how many rows the table has")
	binary := set.String("binary", "", "the daemon; built when empty")
	if len(args) == 0 || args[0] != "backfill" {
		fmt.Fprintln(stderr, "bench: what is to be measured? (fix: bench backfill)")
		return exitUsage
	}
	err := set.Parse(args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err == nil && (set.NArg() > 0 || *rows < 1) {
		err = errors.New("want no arguments, and at least one row")
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitUsage
	}
	err = measure(ctx, *binary, *rows, stdout, stderr)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitBroken
	}
	return exitOK
}

func measure(ctx context.Context, binary string, rows int64, stdout, stderr io.Writer) (err error) {
	if binary == "" {
		built, remove, err := parity.Build(ctx)
		if err != nil {
			return err
		}
		defer remove()
		binary = built
	}
	rig, err := parity.OpenRig(ctx, true, func(line string) { fmt.Fprintln(stderr, line) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rig.Close(ctx)) }()
	copies, err := parity.Snapshots(ctx, rig, binary, rows)
	if err != nil {
		return err
	}
	return copies.Write(stdout)
}
