package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"penstock/internal/parity"
)

// The exit codes, those of penstock where it has the same.
const (
	exitOK          = 0
	exitBroken      = 1
	exitUsage       = 2
	exitFail        = 4
	exitInterrupted = 130
)

// flags are the command line.
type flags struct {
	record bool
	move   bool
	only   string
	out    string
	binary string
	list   bool
	quiet  bool
}

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	if len(args) > 0 && args[0] == "record" {
		f.record, args = true, args[1:]
	} else if len(args) > 0 && args[0] == "move" {
		f.move, args = true, args[1:]
	}
	set := flag.NewFlagSet("parity", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.only, "only", "", "run these passes, as in types,shapes")
	set.BoolVar(&f.list, "list", false, "list the passes and end")
	set.BoolVar(&f.quiet, "q", false, "do not say what happens")
	if f.record {
		set.StringVar(&f.out, "out", "testdata/debezium", "write the goldens into this folder")
	} else {
		set.StringVar(&f.binary, "binary", "", "the daemon; built when empty")
	}
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	return f, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "parity:", err)
		return exitUsage
	}
	var names []string
	if f.only != "" {
		names = strings.Split(f.only, ",")
	}
	passes, unknown := parity.Select(names)
	if len(unknown) > 0 {
		fmt.Fprintf(stderr, "parity: unknown pass %s (fix: parity -list)\n", strings.Join(unknown, ", "))
		return exitUsage
	}
	if f.list {
		for _, p := range passes {
			fmt.Fprintln(stdout, p)
		}
		return exitOK
	}
	code, err := judge(ctx, f, passes, stdout, stderr)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintln(stderr, "parity:", err)
		return exitBroken
	}
	return code
}

// judge runs the passes and returns the exit code of what they show.
func judge(ctx context.Context, f flags, passes []parity.Pass, stdout, stderr io.Writer) (code int, err error) {
	if f.binary == "" && !f.record {
		built, remove, err := parity.Build(ctx)
		if err != nil {
			return 0, err
		}
		defer remove()
		f.binary = built
	}
	rig, err := parity.OpenRig(ctx, false, func(line string) {
		if !f.quiet {
			fmt.Fprintln(stderr, line)
		}
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rig.Close(ctx)) }()
	if f.record {
		return exitOK, parity.Record(ctx, rig, passes, f.out)
	}
	code = exitOK
	if !f.move {
		report, err := parity.Judge(ctx, rig, passes, f.binary)
		if err != nil {
			return 0, err
		}
		report.Write(stdout)
		if report.Failed() {
			code = exitFail
		}
	}
	if f.only != "" {
		return code, nil
	}
	moved, err := parity.Move(ctx, rig, f.binary)
	if err != nil {
		return 0, fmt.Errorf("the move from the connector to the daemon: %w", err)
	}
	fmt.Fprintln(stdout, &moved)
	if moved.Problem != "" {
		code = exitFail
	}
	return code, nil
}
