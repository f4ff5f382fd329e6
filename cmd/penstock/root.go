package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"penstock/internal/config"
	"penstock/internal/fault"
)

// interrupted is the exit code after a signal came before the work was done.
const interrupted = 130

// app is what every command is given: the process around it and the global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            []string
	interactive    bool // stdin is a terminal, on which can be asked

	output    choice // table or json
	noColor   bool
	logLevel  choice
	logFormat choice
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{
		stdin: stdin, stdout: stdout, stderr: stderr, env: env, interactive: isTerminal(stdin),
		output:    choice{value: "table", allowed: []string{"table", "json", "jsonl"}},
		logLevel:  choice{allowed: []string{"debug", "info", "warn", "error"}},
		logFormat: choice{allowed: []string{"auto", "json", "console"}},
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(stderr, "interrupted")
		return interrupted
	}
	if format := wantsData(args); format != "" {
		a.output.value = format
	}
	a.report(cmd, err)
	return fault.KindOf(err).ExitCode()
}

// wantsData looks for -o json or jsonl by hand: the flags may be what is wrong.
func wantsData(args []string) string {
	for i, arg := range args {
		for _, format := range []string{"json", "jsonl"} {
			if slices.Contains([]string{"-o" + format, "-o=" + format, "--output=" + format}, arg) ||
				(arg == "-o" || arg == "--output") && i+1 < len(args) && args[i+1] == format {
				return format
			}
		}
	}
	return ""
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "penstock",
		Short: "Carry Postgres changes to Kafka exactly once, and from there to Cassandra and Redis",
		Long: `Penstock reads the write-ahead log of a Postgres database and writes every
committed change to Kafka exactly once. From Kafka it joins engagement events
with their content and keeps the result in Cassandra and Redis.

Exit codes: 0 done, 1 something broke, 2 usage or configuration, 3 a server does
not answer, 4 a check found a difference, 5 refused as not safe, 6 position
lost, 130 interrupted.`,
		Example: `  penstock demo --once                  # try it: real servers, four events, all checked
  penstock run -c penstock.yaml         # the daemon
  penstock status                       # how far everything has come
  penstock verify                       # hold the stores against Postgres
  penstock slot list --dsn "$PG_DSN"    # what holds the log back`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	flags := root.PersistentFlags()
	flags.VarP(&a.output, "output", "o", "how data is printed")
	flags.BoolVar(&a.noColor, "no-color", false, "print without colours (also: NO_COLOR in the environment)")
	flags.Var(&a.logLevel, "log-level", "what is logged on standard error (default info)")
	flags.Var(&a.logFormat, "log-format", "how it is logged; auto is console on a terminal, else json (default auto)")
	root.SetFlagErrorFunc(flagFault)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.backfillCommand(), a.configCommand(), a.demoCommand(), a.devCommand(), a.dlqCommand(), a.keeperCommand(), a.recoverCommand(),
		a.replayCommand(), a.runCommand(), a.slotCommand(), a.statusCommand(), a.verifyCommand(), a.versionCommand(),
	)
	group(root)
	return root
}

// group makes a command that only holds others: alone it prints its help, and a
// verb that it does not have is a fault with a suggestion.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		f := &fault.Error{
			Kind: fault.Usage,
			What: fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath()),
			Fix:  cmd.CommandPath() + " --help lists the commands",
		}
		var verbs []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				verbs = append(verbs, c.Name())
			}
		}
		if near := config.Nearest(args[0], verbs); near != "" {
			f.Fix = "did you mean " + near + "?"
		}
		return f
	}
	return cmd
}

// loadConfig reads the configuration with the global flags on top.
func (a *app) loadConfig(path string, set []string, roles ...config.Role) (*config.Config, error) {
	overrides, err := a.overrides(set)
	if err != nil {
		return nil, err
	}
	return config.Load(path, a.env, overrides, roles...)
}

// overrides are the --set flags and the global ones.
func (a *app) overrides(set []string) ([]config.Override, error) {
	var overrides []config.Override
	for _, pair := range set {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, &fault.Error{Kind: fault.Usage, What: fmt.Sprintf("--set %q is not key=value", pair), Fix: "--set kafka.partitions=6"}
		}
		overrides = append(overrides, config.Override{Key: key, Value: value, Origin: "flag --set"})
	}
	if a.logLevel.value != "" {
		overrides = append(overrides, config.Override{Key: "log.level", Value: a.logLevel.value, Origin: "flag --log-level"})
	}
	if a.logFormat.value != "" {
		overrides = append(overrides, config.Override{Key: "log.format", Value: a.logFormat.value, Origin: "flag --log-format"})
	}
	return overrides, nil
}
