package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"penstock/internal/chaos"
	"penstock/internal/chaos/mutant"
)

// mutantFlags are the command line of `chaos mutants`.
type mutantFlags struct {
	seed   uint64
	only   string
	dir    string
	within time.Duration
	list   bool
	loud   bool
}

func parseMutants(args []string, stderr io.Writer) (mutantFlags, error) {
	var f mutantFlags
	set := flag.NewFlagSet("chaos mutants", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Uint64Var(&f.seed, "seed", rand.Uint64(), "of everything that is random")
	set.StringVar(&f.only, "only", "", "hunt these mutants, as in M1,M8")
	set.StringVar(&f.dir, "dir", "", "keep builds, configurations and logs in this folder")
	set.DurationVar(&f.within, "within", 3*time.Minute, "in which each has to be caught")
	set.BoolVar(&f.list, "list", false, "list the mutants and end")
	set.BoolVar(&f.loud, "v", false, "print the verdict line of each run")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if set.NArg() > 0 {
		return f, fmt.Errorf("unknown argument %q", set.Arg(0))
	}
	return f, nil
}

// runMutants hunts broken builds of the daemon. It returns 4 when one is not caught.
func runMutants(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parseMutants(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitUsage
	}
	mutants := mutant.All()
	if f.only != "" {
		var unknown []string
		if mutants, unknown = mutant.Find(strings.Split(f.only, ",")); len(unknown) > 0 {
			fmt.Fprintf(stderr, "chaos: unknown mutant %s (fix: chaos mutants --list)\n", strings.Join(unknown, ", "))
			return exitUsage
		}
	}
	if f.list {
		for _, m := range mutants {
			fmt.Fprintf(stdout, "%-5s %-34s %-16s %s\n", m.ID, m.Name, strings.Join(m.CaughtBy, ","), m.Broken)
		}
		return exitOK
	}
	return hunt(ctx, f, mutants, stdout, stderr)
}

func hunt(ctx context.Context, f mutantFlags, mutants []mutant.Mutant, stdout, stderr io.Writer) int {
	root, err := chaos.ModuleRoot(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitBroken
	}
	fmt.Fprintf(stdout, "chaos mutants revision=%s seed=%d mutants=%d within=%s\n", chaos.Revision(ctx, root), f.seed, len(mutants), f.within)
	rig, err := chaos.OpenRig(ctx, chaos.Options{Root: root, Dir: f.dir, Progress: func(line string) { fmt.Fprintln(stderr, line) }})
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return exitBroken
	}
	h := chaos.Hunt{Rig: rig, Root: root, Seed: f.seed, Within: f.within}
	if f.loud {
		h.Verdict = func(r *chaos.Result) { fmt.Fprintln(stdout, r) }
	}
	caught, code := 0, exitOK
	for _, m := range mutants {
		c, err := h.Run(ctx, m)
		if err != nil {
			fmt.Fprintln(stderr, "chaos:", err)
			code = max(code, exitBroken)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		fmt.Fprintln(stdout, c)
		if c.Caught() {
			caught++
		} else {
			code = exitFail
		}
	}
	fmt.Fprintf(stdout, "total mutants=%d caught=%d\n", len(mutants), caught)
	if err := rig.Close(); err != nil {
		fmt.Fprintln(stderr, "chaos: end the servers:", err)
		code = max(code, exitBroken)
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return code
}
