package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"penstock/internal/bench"
)

const (
	nameBackfill = "backfill"
	nameAll      = "all"
)

// flags are the command line.
type flags struct {
	workloads []bench.Workload
	backfill  bool
	plan      bench.Plan
	out       string
}

// errUsage says that flag has printed what is wrong.
var errUsage = errors.New("usage")

func parse(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() { usage(set) }
	set.Int64Var(&f.plan.Rows, "rows", 0, "how many rows there are; 0 is as many as the measurement has by itself")
	set.IntVar(&f.plan.Rounds, "rounds", 3, "how often each reader reads; the result is the median")
	set.IntVar(&f.plan.Retries, "retries", 2, "how often a run is repeated in which other processes took more than a quarter core")
	set.Func("readers", "which read, default "+strings.Join(bench.Readers(), ","), func(text string) error {
		f.plan.Readers = strings.Split(text, ",")
		return nil
	})
	set.Func("binary", "the daemon, as path or name=path; several are measured beside each other; built when there is none", func(text string) error {
		build, err := newBuild(text, f.plan.Builds)
		f.plan.Builds = append(f.plan.Builds, build)
		return err
	})
	set.StringVar(&f.out, "out", "", "also write the results into this file, as JSON, but for those of backfill")
	what, args := "", slices.Clone(args)
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		what, args = args[0], args[1:]
	}
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return f, err
		}
		return f, errUsage
	}
	if f.plan.Readers == nil {
		f.plan.Readers = bench.Readers()
	}
	if err := f.choose(what); err != nil {
		return f, err
	}
	return f, f.check(set)
}

// choose finds what is to be measured.
func (f *flags) choose(what string) error {
	f.backfill = what == nameBackfill || what == nameAll
	for _, w := range bench.Workloads() {
		if what == w.Name || what == nameAll {
			f.workloads = append(f.workloads, w)
		}
	}
	if f.workloads == nil && !f.backfill {
		return fmt.Errorf("what is to be measured? (fix: bench %s)", strings.Join(names(), "|"))
	}
	return nil
}

func (f *flags) check(set *flag.FlagSet) error {
	switch {
	case set.NArg() > 0:
		return fmt.Errorf("unknown argument %q", set.Arg(0))
	case f.plan.Rows < 0:
		return errors.New("want --rows of at least 1")
	case f.plan.Rounds < 1:
		return errors.New("want --rounds of at least 1")
	case f.plan.Retries < 0:
		return errors.New("want --retries of at least 0")
	case f.backfill && len(f.plan.Builds) > 1:
		return fmt.Errorf("%s measures one --binary", nameBackfill)
	case f.workloads == nil && f.out != "":
		return fmt.Errorf("%s has no --out", nameBackfill)
	case f.workloads == nil:
		return nil
	default:
		return f.plan.Check()
	}
}

// newBuild reads name=path or path, which is named after its file. No two have one name.
func newBuild(text string, others []bench.Build) (bench.Build, error) {
	name, path, named := strings.Cut(text, "=")
	if !named {
		name, path = filepath.Base(text), text
	}
	if name == "" || path == "" {
		return bench.Build{}, errors.New("want path or name=path")
	}
	if slices.ContainsFunc(others, func(b bench.Build) bool { return b.Name == name }) {
		return bench.Build{}, fmt.Errorf("two are called %s: want name=path", name)
	}
	return bench.Build{Name: name, Path: path}, nil
}

// names lists what can be measured.
func names() []string {
	var all []string
	for _, w := range bench.Workloads() {
		all = append(all, w.Name)
	}
	return append(all, nameBackfill, nameAll)
}

func usage(set *flag.FlagSet) {
	out := set.Output()
	fmt.Fprintf(out, "usage: bench %s [flags]\n\n", strings.Join(names(), "|"))
	for _, w := range bench.Workloads() {
		fmt.Fprintf(out, "  %-9s %s (%d rows)\n", w.Name, w.About, w.Rows)
	}
	fmt.Fprintf(out, "  %-9s a table copied by COPY, the daemon and Debezium's connector (%d rows)\n", nameBackfill, backfillRows)
	fmt.Fprintf(out, "  %-9s all of them\n\n", nameAll)
	set.PrintDefaults()
}
