package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"penstock/internal/chaos"
)

// The exit codes, those of penstock where it has the same.
const (
	exitOK          = 0
	exitBroken      = 1
	exitUsage       = 2
	exitFail        = 4
	exitInvalid     = 5
	exitInterrupted = 130
)

// flags are the command line.
type flags struct {
	budget time.Duration
	seed   uint64
	only   string
	scale  string
	out    string
	dir    string
	list   bool
	faults int
	events int64
}

// proof is what a command of chaos is about.
type proof struct {
	name      string
	scenarios []chaos.Scenario
	budget    time.Duration // what its flags say unless they are given
	faults    int
	events    int64
}

func proofOf(args []string) (proof, []string) {
	if len(args) > 0 && args[0] == "sink" {
		return proof{"chaos sink", chaos.StoreScenarios(), 40 * time.Minute, 200, 1_000_000}, args[1:]
	}
	if len(args) > 0 && args[0] == "backfill" {
		return proof{"chaos backfill", chaos.CopyScenarios(), 40 * time.Minute, 60, 1_000_000}, args[1:]
	}
	return proof{"chaos", chaos.Scenarios(), 75 * time.Minute, 400, 3_000_000}, args
}

func (p *proof) parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet(p.name, flag.ContinueOnError)
	set.SetOutput(stderr)
	set.DurationVar(&f.budget, "for", p.budget, "stop to begin scenarios after so long")
	set.Uint64Var(&f.seed, "seed", rand.Uint64(), "of everything that is random")
	set.StringVar(&f.only, "only", "", "run these scenarios, as in A1,K3f")
	set.StringVar(&f.scale, "scale", "full", "short or full: how much of each scenario")
	set.StringVar(&f.out, "out", "", "add the verdicts to this file, a JSON object a line")
	set.StringVar(&f.dir, "dir", "", "keep configurations and logs in this folder")
	set.BoolVar(&f.list, "list", false, "list the scenarios and end")
	set.IntVar(&f.faults, "faults", p.faults, "run round after round until so many faults are witnessed")
	set.Int64Var(&f.events, "events", p.events, "and until so many events are checked")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	if f.scale != "short" && f.scale != "full" {
		return f, fmt.Errorf("unknown scale %q (fix: short or full)", f.scale)
	}
	return f, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "mutants" {
		return runMutants(ctx, args[1:], stdout, stderr)
	}
	p, args := proofOf(args)
	f, err := p.parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitUsage
	}
	var ids []string
	if f.only != "" {
		ids = strings.Split(f.only, ",")
	}
	scenarios, unknown := chaos.Select(p.scenarios, ids)
	if len(unknown) > 0 {
		fmt.Fprintf(stderr, "chaos: unknown scenario %s (fix: %s --list)\n", strings.Join(unknown, ", "), p.name)
		return exitUsage
	}
	if f.list {
		list(stdout, scenarios)
		return exitOK
	}
	return p.campaign(ctx, f, scenarios, len(ids) > 0, stdout, stderr)
}

func list(stdout io.Writer, scenarios []chaos.Scenario) {
	for _, s := range scenarios {
		fmt.Fprintf(stdout, "%-14s %4d faults %8d events  %s\n", s.ID, s.Full.Faults, s.Full.Events, s.What)
	}
}

// campaign runs the scenarios round after round, the named ones once, and returns the exit code.
func (p *proof) campaign(ctx context.Context, f flags, scenarios []chaos.Scenario, once bool, stdout, stderr io.Writer) int {
	out, err := openOut(f.out)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitUsage
	}
	defer out.Close()
	root, err := chaos.ModuleRoot(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitBroken
	}
	fmt.Fprintf(stdout, "%s revision=%s seed=%d scale=%s for=%s scenarios=%d\n", p.name, chaos.Revision(ctx, root), f.seed, f.scale, f.budget, len(scenarios))
	rig, err := chaos.OpenRig(ctx, chaos.Options{
		Root: root, Dir: f.dir, Throughput: f.scale != "short", Progress: func(line string) { fmt.Fprintln(stderr, line) },
	})
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitBroken
	}
	c := chaos.Campaign{
		Rig: rig, Scenarios: scenarios, Seed: f.seed, Budget: f.budget, Short: f.scale == "short", Once: once,
		Faults: f.faults, Events: f.events,
		Verdict: func(r *chaos.Result) {
			fmt.Fprintln(stdout, r)
			if err := json.NewEncoder(out).Encode(r); err != nil {
				fmt.Fprintln(stderr, "chaos:", err)
			}
		},
	}
	total := c.Run(ctx)
	fmt.Fprintln(stdout, total)
	if err := rig.Close(); err != nil {
		fmt.Fprintln(stderr, "chaos: end the servers:", err)
		return exitBroken
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case total.Word == chaos.Fail:
		return exitFail
	case total.Word == chaos.Invalid:
		return exitInvalid
	}
	return exitOK
}

// openOut opens the file for verdicts, or one that takes nothing.
func openOut(path string) (io.WriteCloser, error) {
	if path == "" {
		return nowhere{io.Discard}, nil
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }
