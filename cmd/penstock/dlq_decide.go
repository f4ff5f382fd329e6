package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
)

func (a *app) dlqRetryCommand() *cobra.Command {
	var from letterFlags
	var all bool
	var pipeline, value string
	cmd := &cobra.Command{
		Use:   "retry [ID…]",
		Short: "Send the records of dead letters through their pipelines again",
		Long: `Send records again, with the versions that they had: what is newer in the
stores stays. When later records of the key wait, the sink processes all of
them in order, the retried one first; the one that fails again is open again.
One that is named, and would fail again by the configuration, is refused.
A record that nothing waits for (bad-headers, null-key, wrong-key,
unknown-table) is written again, and is a new letter when that fails.`,
		Example: `  penstock dlq retry 3f9a2c
  penstock dlq retry 3f9a2c --value corrected.json
  penstock dlq retry --pipeline engagement_metrics
  penstock dlq retry --all`,
		RunE: func(cmd *cobra.Command, ids []string) error {
			order := sink.Order{State: deadletter.Retried, Choose: chooseIDs(ids), Check: len(ids) > 0 && value == ""}
			switch {
			case len(ids) == 0 && !all && pipeline == "":
				return &fault.Error{Kind: fault.Usage, What: `"penstock dlq retry" needs ID, --all or --pipeline`, Fix: cmd.UseLine()}
			case len(ids) > 0 && (all || pipeline != ""):
				return &fault.Error{Kind: fault.Usage, What: "ids and --all or --pipeline exclude each other", Fix: cmd.UseLine()}
			case len(ids) != 1 && value != "":
				return &fault.Error{Kind: fault.Usage, What: "--value is for one letter", Fix: "penstock dlq retry ID --value FILE"}
			case len(ids) == 0:
				order.Choose = func(book *sink.Book) ([]*sink.Filed, error) {
					return retriable(book, pipeline), from.checkPipeline(pipeline, book)
				}
			}
			if value != "" {
				var err error
				if order.Value, err = os.ReadFile(value); err != nil {
					return &fault.Error{
						Kind: fault.Usage, Where: value, What: "the value cannot be read", Err: err,
						Fix: "name a file with the record's value, as penstock dlq show ID -o json has it",
					}
				}
			}
			return a.decideLetters(cmd.Context(), &from, order)
		},
	}
	from.register(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "every open letter that can be retried")
	cmd.Flags().StringVar(&pipeline, "pipeline", "", "every open letter of this `pipeline`")
	cmd.Flags().StringVar(&value, "value", "", "`file` with the value that the record is to have instead")
	return cmd
}

func (a *app) dlqDiscardCommand() *cobra.Command {
	var from letterFlags
	var reason string
	cmd := &cobra.Command{
		Use:   "discard ID…",
		Short: "Give up dead letters, for a reason that is kept",
		Long: `Give letters up: their records are never processed, and what waits for them
goes on without. The letters stay in the topic for a week at least, with the
reason.`,
		Example: "  penstock dlq discard 3f9a2c --reason \"written by a load test\"",
		RunE: func(cmd *cobra.Command, ids []string) error {
			if len(ids) == 0 {
				return &fault.Error{Kind: fault.Usage, What: `"penstock dlq discard" needs ID`, Fix: cmd.UseLine()}
			}
			if reason == "" {
				return &fault.Error{Kind: fault.Usage, What: "a letter is discarded for a reason", Fix: `--reason "why the change may be missing"`}
			}
			return a.decideLetters(cmd.Context(), &from, sink.Order{State: deadletter.Discarded, Note: reason, Choose: chooseIDs(ids)})
		},
	}
	from.register(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, in `words`")
	return cmd
}

// chooseIDs finds letters by their ids.
func chooseIDs(ids []string) func(*sink.Book) ([]*sink.Filed, error) {
	return func(book *sink.Book) ([]*sink.Filed, error) {
		var chosen []*sink.Filed
		for _, id := range ids {
			f, err := findLetter(book, id)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(chosen, f) {
				chosen = append(chosen, f)
			}
		}
		return chosen, nil
	}
}

// retriable are the open letters of a pipeline, or of all, but for those that wait:
// they come with what they wait for.
func retriable(book *sink.Book, pipeline string) []*sink.Filed {
	return slices.DeleteFunc(book.All(), func(f *sink.Filed) bool {
		l := f.Letter
		return l.Pipeline == "" || pipeline != "" && l.Pipeline != pipeline || l.Reason == deadletter.Waits || f.State() != deadletter.Open
	})
}

func (a *app) decideLetters(ctx context.Context, from *letterFlags, order sink.Order) error {
	return a.withLetters(ctx, from, func(ctx context.Context, box *sink.Letterbox) error {
		decided, err := box.Decide(ctx, order)
		if err != nil && len(decided) == 0 {
			return err
		}
		if a.data() {
			views := make([]letterView, len(decided))
			for i, f := range decided {
				views[i] = viewLetter(f, (&sink.Book{}).Queue())
			}
			if failed := a.writeData(views); failed != nil {
				return failed
			}
			return err
		}
		for _, f := range decided {
			if _, failed := fmt.Fprintln(a.stdout, decidedLine(f)); failed != nil {
				return failed
			}
		}
		if len(decided) == 0 {
			_, err = fmt.Fprintln(a.stdout, "no dead letters to decide")
		}
		return err
	})
}

func decidedLine(f *sink.Filed) string {
	line := fmt.Sprintf("dead letter %s %s", f.ID, f.State())
	if f.Decision.Sent < 0 {
		return line
	}
	what := "sent again"
	if f.Letter.Holds() {
		what = "its key is released"
	}
	return fmt.Sprintf("%s: %s at topic %s partition %d offset %d", line, what, printable(f.Letter.Topic), f.Letter.Partition, f.Decision.Sent)
}
