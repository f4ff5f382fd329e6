package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/plan"
)

func (a *app) dlqCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "List, retry and discard dead letters",
		Long: `A dead letter is a record that could not be processed, kept as it was. Later
records of the same key wait for it, so that nothing is applied out of order: a
letter that is retried or discarded sets them free.`,
		Example: "  penstock dlq list\n  penstock dlq show 3f9a2c\n  penstock dlq retry 3f9a2c --value corrected.json",
	}
	cmd.AddCommand(a.dlqListCommand(), a.dlqShowCommand(), a.dlqRetryCommand(), a.dlqDiscardCommand(), a.dlqExportCommand())
	return group(cmd)
}

// letterFlags name a topic of dead letters.
type letterFlags struct {
	configFlags
	brokers []string
	topic   string
	timeout time.Duration

	known []string // the pipelines and the capture of the configuration, if there is one
}

func (l *letterFlags) register(cmd *cobra.Command) {
	l.configFlags.register(cmd)
	cmd.Flags().StringSliceVar(&l.brokers, "brokers", nil, "Kafka's `host:port` list, instead of kafka.brokers")
	cmd.Flags().StringVar(&l.topic, "topic", "", "topic of the dead letters, instead of kafka.dead_letter_topic")
	cmd.Flags().DurationVar(&l.timeout, "timeout", time.Minute, "how long Kafka may take")
}

// withLetters opens the topic of dead letters, and runs do within the timeout.
func (a *app) withLetters(ctx context.Context, from *letterFlags, do func(context.Context, *sink.Letterbox) error) error {
	cfg, err := a.letterConfig(from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, from.timeout)
	defer cancel()
	plans := map[string]*plan.Plan{}
	for name, p := range cfg.Pipelines {
		if compiled := planOf(cfg, name); compiled != nil { // else the sink tells what is wrong with it
			plans[p.Topic] = compiled
		}
	}
	box := sink.NewLetterbox(sink.LetterboxConfig{Brokers: cfg.Kafka.Brokers, Topic: cfg.Kafka.DeadLetterTopic, Plans: plans})
	if err := box.Reach(ctx); err != nil {
		return err
	}
	err = do(ctx, box)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) { // Kafka has answered before
		return &fault.Error{
			Kind: fault.Unreachable, Where: "topic " + cfg.Kafka.DeadLetterTopic, What: fmt.Sprintf("was not done within %s, as --timeout has it", from.timeout),
			Fix: "give it more time with --timeout; penstock dlq list --state all shows what was decided",
		}
	}
	return err
}

// letterConfig is the configuration with what the flags say instead. With --brokers there
// need not be a file; if there is, its kafka.dead_letter_topic counts, unless --topic names one.
func (a *app) letterConfig(from *letterFlags) (*config.Config, error) {
	overrides, err := a.overrides(from.set)
	if err != nil {
		return nil, err
	}
	if len(from.brokers) > 0 {
		overrides = append(overrides, config.Override{Key: "kafka.brokers", Value: strings.Join(from.brokers, ","), Origin: "flag --brokers"})
	}
	if from.topic != "" {
		overrides = append(overrides, config.Override{Key: "kafka.dead_letter_topic", Value: from.topic, Origin: "flag --topic"})
	}
	_, missing := os.Stat(from.path)
	withoutFile := len(from.brokers) > 0 && !from.given()
	if withoutFile && errors.Is(missing, fs.ErrNotExist) {
		return config.Parse(from.path, nil, a.env, overrides, config.RoleOperator)
	}
	cfg, err := config.Load(from.path, a.env, overrides, config.RoleOperator)
	switch {
	case err == nil:
		from.known = slices.Sorted(maps.Keys(cfg.Pipelines))
		if cfg.Source.Name != "" {
			from.known = append(from.known, cfg.Source.Name)
		}
		return cfg, nil
	case withoutFile && from.topic != "": // the file is not asked for anything
		return config.Parse("", nil, nil, overrides, config.RoleOperator)
	case len(from.brokers) > 0:
		return nil, errors.Join(err, &fault.Error{
			Kind: fault.Usage, What: "no topic of dead letters", Fix: "repair the configuration, or name the topic with --topic",
		})
	}
	return nil, errors.Join(err, &fault.Error{Kind: fault.Usage, What: "no Kafka", Fix: "repair the configuration, or name the brokers with --brokers"})
}

// checkPipeline refuses a pipeline, or a capture, that neither the configuration nor a letter
// names: a misspelt one has no letters. Without any name it is not known to be misspelt.
func (l *letterFlags) checkPipeline(name string, book *sink.Book) error {
	known := slices.Clone(l.known)
	for _, f := range book.All() {
		known = append(known, f.Letter.Origin())
	}
	slices.Sort(known)
	if known = slices.Compact(known); name == "" || len(known) == 0 || slices.Contains(known, name) {
		return nil
	}
	return unknownPipeline(name, known, "neither the configuration nor a dead letter names it")
}

// readLetters reads all letters, and says what the topic holds beside.
func (a *app) readLetters(ctx context.Context, box *sink.Letterbox) (*sink.Book, error) {
	book, err := box.Read(ctx)
	if err == nil && book.Foreign > 0 {
		_, _ = fmt.Fprintf(a.stderr, "%d records of the topic are no dead letters\n", book.Foreign)
	}
	return book, err
}

// letterFilter picks letters.
type letterFilter struct {
	pipeline     string
	reasons      choices
	state        choice
	since, until string
	waiting      bool // also those that wait for others
}

func (f *letterFilter) register(cmd *cobra.Command, state string, waiting bool) {
	for _, reason := range deadletter.Reasons() {
		f.reasons.allowed = append(f.reasons.allowed, string(reason))
	}
	f.state = choice{value: state, allowed: []string{"all"}}
	for _, s := range deadletter.States() {
		f.state.allowed = append(f.state.allowed, string(s))
	}
	cmd.Flags().StringVar(&f.pipeline, "pipeline", "", "only letters of this `pipeline`, or of the capture of this name")
	cmd.Flags().Var(&f.reasons, "reason", "only letters with these `reasons`, such as bad-value,waits")
	cmd.Flags().Var(&f.state, "state", "only letters in this state")
	cmd.Flags().BoolVar(&f.waiting, "waiting", waiting, "also letters that only wait for others; so with --reason waits")
	cmd.Flags().StringVar(&f.since, "since", "", "only letters written since this `time`, such as 2026-11-27T10:00:00Z or 2h (ago)")
	cmd.Flags().StringVar(&f.until, "until", "", "only letters written before this `time`")
}

// pick returns the letters of a book that pass the filter.
func (f *letterFilter) pick(book *sink.Book, now time.Time) ([]*sink.Filed, error) {
	since, err := parseTime("since", f.since, time.Time{}, now)
	if err != nil {
		return nil, err
	}
	until, err := parseTime("until", f.until, now.Add(time.Hour), now)
	if err != nil {
		return nil, err
	}
	waiting := f.waiting || slices.Contains(f.reasons.values, string(deadletter.Waits))
	return slices.DeleteFunc(book.All(), func(l *sink.Filed) bool {
		return !waiting && l.Letter.Reason == deadletter.Waits ||
			f.pipeline != "" && l.Letter.Origin() != f.pipeline ||
			len(f.reasons.values) > 0 && !slices.Contains(f.reasons.values, string(l.Letter.Reason)) ||
			f.state.value != "all" && string(l.State()) != f.state.value ||
			l.Letter.Time.Before(since) || !l.Letter.Time.Before(until)
	}), nil
}

// parseTime reads a time, or how long ago it was.
func parseTime(flag, text string, absent, now time.Time) (time.Time, error) {
	if text == "" {
		return absent, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, &fault.Error{
		Kind: fault.Usage, What: fmt.Sprintf("bad value %q for flag --%s", text, flag), Fix: "2026-11-27T10:00:00Z, 2026-11-27, or 2h for two hours ago",
	}
}

// findLetter returns the letter whose id begins so: of several the only one that penstock dlq list shows.
func findLetter(book *sink.Book, id string) (*sink.Filed, error) {
	if exact := book.Find(id); exact != nil {
		return exact, nil
	}
	var found, listed []*sink.Filed
	for _, f := range book.All() {
		if len(id) < 4 || !strings.HasPrefix(f.ID, id) {
			continue
		}
		found = append(found, f)
		if f.State() == deadletter.Open && f.Letter.Reason != deadletter.Waits {
			listed = append(listed, f)
		}
	}
	if len(listed) == 1 {
		found = listed
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, &fault.Error{
			Kind: fault.Usage, What: fmt.Sprintf("no dead letter has the id %q", id),
			Fix: "penstock dlq list --state all; the first four digits or more of an id will do",
		}
	default:
		return nil, &fault.Error{
			Kind: fault.Usage, What: fmt.Sprintf("%d dead letters have an id that begins with %q", len(found), id), Fix: "give more digits, such as " + found[0].ID,
		}
	}
}
