package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"penstock/internal/fault"
	"penstock/internal/stack"
)

func (a *app) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Keep the four real servers running on this machine",
		Long: `Start Postgres, Kafka, Cassandra and Redis once and share them: the demo, the
tests and the benchmarks use a running stack instead of starting their own.`,
		Example: `  penstock dev up
  penstock dev status -o json
  penstock dev down`,
	}
	cmd.AddCommand(
		a.leaf("up", "Start the servers and leave them running", a.devUp),
		a.leaf("down", "Stop the servers that dev up started", a.devDown),
		a.leaf("status", "Print how the running servers are reached", a.devStatus),
	)
	return group(cmd)
}

// leaf makes a command without flags and arguments of its own.
func (a *app) leaf(use, short string, do func(context.Context) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Example: "  penstock dev " + use, Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return do(cmd.Context()) },
	}
}

// keeperCommand is what dev up runs in the background.
func (a *app) keeperCommand() *cobra.Command {
	cmd := a.leaf(stack.KeeperCommand, "Keep the servers (started by dev up)", stack.RunKeeper)
	cmd.Hidden = true
	return cmd
}

func (a *app) devUp(ctx context.Context) error {
	state, err := stack.Up(ctx, stack.Options{Progress: stack.WriteProgress(a.stderr)})
	if err != nil {
		return err
	}
	return a.showState(state)
}

func (a *app) devStatus(context.Context) error {
	state, err := stack.Status()
	if errors.Is(err, stack.ErrNotRunning) {
		return &fault.Error{Kind: fault.Unreachable, What: "no stack is running", Fix: "penstock dev up"}
	}
	if err != nil {
		return err
	}
	return a.showState(state)
}

func (a *app) devDown(ctx context.Context) error {
	err := stack.Down(ctx)
	stopped := err == nil
	if err != nil && !errors.Is(err, stack.ErrNotRunning) {
		return err
	}
	if a.data() {
		return a.writeData(map[string]any{"stopped": stopped})
	}
	text := "no stack was running"
	if stopped {
		text = "stopped"
	}
	_, err = fmt.Fprintln(a.stdout, text)
	return err
}

// showState prints how the servers are reached, passwords included: they are
// those of servers for development.
func (a *app) showState(state stack.State) error {
	if a.data() {
		return a.writeData(state)
	}
	t := table{header: []string{"SERVER", "VERSION", "FROM", "REACHED BY"}}
	t.add("postgres", state.Postgres.Version, string(state.Postgres.Origin), state.Postgres.DSN)
	for _, broker := range state.Kafka.Brokers {
		t.add("kafka", state.Kafka.Version, string(state.Kafka.Origin), broker)
	}
	for _, host := range state.Cassandra.Hosts {
		t.add("cassandra", state.Cassandra.Version, string(state.Cassandra.Origin), host+" as "+state.Cassandra.Username+" / "+state.Cassandra.Password)
	}
	t.add("redis", state.Redis.Version, string(state.Redis.Origin), state.Redis.Address)
	_, err := fmt.Fprint(a.stdout, t.draw(a.width(), a.palette(a.stdout)))
	return err
}
