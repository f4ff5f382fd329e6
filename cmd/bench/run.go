package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"penstock/internal/bench"
	"penstock/internal/parity"
)

// The exit codes, those of penstock where it has the same.
const (
	exitOK          = 0
	exitBroken      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// backfillRows is how many rows a backfill reads unless told otherwise.
const backfillRows = 5_000_000

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		if !errors.Is(err, errUsage) {
			fmt.Fprintln(stderr, "bench:", err)
		}
		return exitUsage
	}
	err = measure(ctx, f, stdout, func(line string) { fmt.Fprintln(stderr, line) })
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitBroken
	}
	return exitOK
}

// measure builds the daemon unless there is one, and measures.
func measure(ctx context.Context, f flags, stdout io.Writer, progress func(line string)) error {
	if len(f.plan.Builds) == 0 {
		built, remove, err := parity.Build(ctx)
		if err != nil {
			return err
		}
		defer remove()
		f.plan.Builds = []bench.Build{{Name: "penstock", Path: built}}
	}
	if len(f.workloads) > 0 {
		if err := drains(ctx, f, stdout, progress); err != nil {
			return err
		}
	}
	if f.backfill {
		return backfill(ctx, f, stdout, progress)
	}
	return nil
}

// drains measures every workload and prints the report; that of those that were measured, if one fails.
func drains(ctx context.Context, f flags, stdout io.Writer, progress func(line string)) (err error) {
	rig, err := bench.OpenRig(ctx, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rig.Close(ctx)) }()
	var report bench.Report
	if report.Machine, err = rig.Machine(ctx, f.plan); err != nil {
		return err
	}
	for _, w := range f.workloads {
		result, err := rig.Measure(ctx, w, f.plan)
		if err != nil {
			return errors.Join(err, report.Write(stdout))
		}
		report.Results = append(report.Results, result)
	}
	if f.out != "" {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(f.out, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	return report.Write(stdout)
}

func backfill(ctx context.Context, f flags, stdout io.Writer, progress func(line string)) (err error) {
	rig, err := parity.OpenRig(ctx, true, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rig.Close(ctx)) }()
	rows := f.plan.Rows
	if rows == 0 {
		rows = backfillRows
	}
	copies, err := parity.Snapshots(ctx, rig, f.plan.Builds[0].Path, rows)
	if err != nil {
		return err
	}
	return copies.Write(stdout)
}
