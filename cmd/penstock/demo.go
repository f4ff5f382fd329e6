package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"penstock/internal/fault"
	"penstock/internal/stack"
)

func (a *app) demoCommand() *cobra.Command {
	var once, keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show it working: real servers, the seed's four events, every store checked",
		Long: `Start Postgres, Kafka, Cassandra and Redis on this machine, or use the ones of
"penstock dev up" or of PENSTOCK_POSTGRES, PENSTOCK_KAFKA, PENSTOCK_CASSANDRA and
PENSTOCK_REDIS. Create the seed's database, run capture and sink, insert the
seed's rows, follow each event from Postgres through Kafka to Cassandra and
Redis, and compare everything with SQL.

Then the demo stays up and writes a gentle random load until Ctrl-C. With --once
it ends: 0 when all is equal, 1 with what differs. On servers that go on running
it uses names that are free, and removes what it made unless --keep is given.`,
		Example: `  penstock demo
  penstock demo --once
  penstock demo --once -o json`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), once, keep) },
	}
	cmd.Flags().BoolVar(&once, "once", false, "end after the check")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the demo's objects on servers that go on running")
	return cmd
}

func (a *app) demo(ctx context.Context, once, keep bool) (err error) {
	servers, shared, stop, err := a.demoServers(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	level := a.logLevel.value
	if level == "" {
		level = "error"
	}
	format := a.logFormat.value
	if format == "" {
		format = "auto"
	}
	w, running, err := openWalkthrough(ctx, servers, newLogger(a.stderr, level, format))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close(ctx, shared && !keep)) }()

	people, p := !a.data(), a.palette(a.stdout)
	if people {
		_, _ = fmt.Fprintf(a.stdout, "\n%s\n\nThe seed's walk-through: 3 rows of content, then 4 engagement events\n\n", renderServers(servers, w.names, p))
	}
	s, err := w.walk(running)
	if err != nil {
		return err
	}
	if err := a.tell(s, people, p); err != nil {
		return err
	}
	if !s.OK {
		return told{&fault.Error{What: fmt.Sprintf("the walk-through found %d differences", len(s.Differences))}}
	}
	if once {
		return nil
	}
	return a.demoLoad(ctx, running, w, s, people)
}

// demoServers returns the servers to use, whether they outlive the demo, and
// what ends those that do not.
func (a *app) demoServers(ctx context.Context) (servers stack.Servers, shared bool, stop func() error, err error) {
	named := false
	for _, name := range []string{"PENSTOCK_POSTGRES", "PENSTOCK_KAFKA", "PENSTOCK_CASSANDRA", "PENSTOCK_REDIS"} {
		named = named || lookup(a.env, name) != ""
	}
	if kept, err := stack.Status(); err == nil && !named {
		return kept.Servers, true, func() error { return nil }, nil
	}
	st, err := stack.Start(ctx, stack.Options{Progress: stack.WriteProgress(a.stderr)})
	if err != nil {
		return stack.Servers{}, false, nil, fmt.Errorf("start the servers: %w", err)
	}
	return st.Servers(), named, st.Close, nil
}

// tell prints the story.
func (a *app) tell(s *story, people bool, p palette) error {
	if !people {
		return a.writeData(s)
	}
	_, err := io.WriteString(a.stdout, s.render(a.width(), p))
	return err
}

// width is the terminal's, or 0 when there is none.
func (a *app) width() int {
	file, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// demoLoad says where to look and writes the load until ctx ends, by a signal, or
// running does, with the daemon.
func (a *app) demoLoad(ctx, running context.Context, w *walkthrough, s *story, people bool) error {
	if people {
		_, _ = fmt.Fprintf(a.stdout, "\nLook around; a gentle random load goes on until Ctrl-C\n\n%s\n", s.renderAddresses(a.palette(a.stdout)))
	}
	begun, said := time.Now(), time.Time{}
	l := &load{db: w.objects.db, random: rand.New(rand.NewPCG(uint64(begun.UnixNano()), 0))}
	terminal := isTerminal(a.stderr)
	err := l.run(running, func(l *load) {
		end := "\n"
		if terminal {
			end = "\r"
		} else if time.Since(said) < 10*time.Second {
			return
		}
		said = time.Now()
		_, _ = fmt.Fprintf(a.stderr, "%d inserted, %d updated, %d deleted in %s%s", l.inserted, l.updated, l.deleted, time.Since(begun).Truncate(time.Second), end)
	})
	if terminal {
		_, _ = fmt.Fprintln(a.stderr)
	}
	if err == nil && ctx.Err() == nil {
		return context.Cause(running) // the daemon ended without being told to
	}
	return err
}
