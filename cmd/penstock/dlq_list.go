package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
)

func (a *app) dlqListCommand() *cobra.Command {
	var from letterFlags
	var filter letterFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Show dead letters",
		Long: `Show the dead letters that are open, by the place of their records. WAITING is
how many later records of the same key wait for the letter; they are letters,
too, with the reason waits.`,
		Example: "  penstock dlq list\n  penstock dlq list --pipeline engagement_metrics --reason bad-value --since 2h\n  penstock dlq list --state all -o json",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLetters(cmd.Context(), &from, func(ctx context.Context, box *sink.Letterbox) error {
				book, letters, err := a.pickLetters(ctx, box, &from, &filter)
				if err != nil {
					return err
				}
				queue := book.Queue()
				if a.data() {
					views := make([]letterView, len(letters))
					for i, f := range letters {
						views[i] = viewLetter(f, queue)
					}
					return a.writeData(views)
				}
				_, err = io.WriteString(a.stdout, letterTable(letters, queue))
				return err
			})
		},
	}
	from.register(cmd)
	filter.register(cmd, "open", false)
	return cmd
}

// pickLetters returns all letters, and those that pass the filter.
func (a *app) pickLetters(ctx context.Context, box *sink.Letterbox, from *letterFlags, filter *letterFilter) (*sink.Book, []*sink.Filed, error) {
	if _, err := filter.pick(&sink.Book{}, time.Now()); err != nil {
		return nil, nil, err // of the flags, before the topic is read
	}
	book, err := a.readLetters(ctx, box)
	if err != nil {
		return nil, nil, err
	}
	if err := from.checkPipeline(filter.pipeline, book); err != nil {
		return nil, nil, err
	}
	letters, err := filter.pick(book, time.Now())
	return book, letters, err
}

func letterTable(letters []*sink.Filed, queue *sink.Queue) string {
	if len(letters) == 0 {
		return "no dead letters\n"
	}
	t := table{header: []string{"ID", "WRITTEN", "OF", "TOPIC", "PARTITION", "OFFSET", "LSN", "REASON", "STATE", "WAITING", "ERROR"}}
	for _, f := range letters {
		l := f.Letter
		offset, lsn := "–", "–"
		if l.Offset >= 0 {
			offset = strconv.FormatInt(l.Offset, 10)
		}
		if !l.LSN.IsZero() {
			lsn = l.LSN.String()
		}
		written, partition := l.Time.UTC().Format(time.DateTime), strconv.Itoa(int(l.Partition))
		state, behind := string(f.State()), strconv.Itoa(queue.Waiting(f))
		t.add(f.ID, written, printable(l.Origin()), printable(l.Topic), partition, offset, lsn, printable(string(l.Reason)), state, behind, oneLine(l.Error, 60))
	}
	return t.plain()
}

// printable is a text without what would break a line or command a terminal: the
// letter's texts are whatever somebody wrote.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// oneLine is the beginning of a printable text.
func oneLine(text string, limit int) string {
	text = printable(text)
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return text
}

func (a *app) dlqExportCommand() *cobra.Command {
	var from letterFlags
	var filter letterFilter
	format := choice{value: "jsonl", allowed: []string{"jsonl"}}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print dead letters with their records, one JSON object a line",
		Long: `Print open dead letters with everything that is known of them, in the order in
which they were written; --state all --waiting prints all that there are. Keys,
values and headers that are not UTF-8 are there in base64.`,
		Example: "  penstock dlq export --format jsonl > letters.jsonl\n  penstock dlq export --state all --waiting --pipeline engagement_metrics",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLetters(cmd.Context(), &from, func(ctx context.Context, box *sink.Letterbox) error {
				book, letters, err := a.pickLetters(ctx, box, &from, &filter)
				if err != nil {
					return err
				}
				queue := book.Queue()
				lines := json.NewEncoder(a.stdout)
				lines.SetEscapeHTML(false)
				return box.Visit(ctx, letters, func(f *sink.Filed) error {
					if err := lines.Encode(viewWhole(f, queue)); err != nil {
						return &fault.Error{Kind: fault.Runtime, What: "the letters cannot be printed", Err: err}
					}
					return nil
				})
			})
		},
	}
	from.register(cmd)
	filter.register(cmd, "open", false)
	cmd.Flags().Var(&format, "format", "how letters are printed")
	return cmd
}

// letterView is what JSON shows of a letter.
type letterView struct {
	ID        string     `json:"id"`
	State     string     `json:"state"`
	Reason    string     `json:"reason"`
	Error     string     `json:"error"`
	Written   time.Time  `json:"written"`
	Pipeline  string     `json:"pipeline,omitempty"`
	Capture   string     `json:"capture,omitempty"`
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Offset    *int64     `json:"offset"`    // null: in no topic
	Timestamp *time.Time `json:"timestamp"` // the record's; null for none
	LSN       string     `json:"lsn,omitempty"`
	Seq       *uint64    `json:"seq,omitempty"`
	Version   *int64     `json:"version,omitempty"`
	Behind    string     `json:"behind,omitempty"`  // the letter that it waits for, or when decided waited for at first
	Waiting   int        `json:"waiting,omitempty"` // records that wait for it
	Decided   *time.Time `json:"decided,omitempty"`
	Note      string     `json:"note,omitempty"`
	Sent      *int64     `json:"sent,omitempty"` // offset in the same partition of what the decision sent
}

func viewLetter(f *sink.Filed, queue *sink.Queue) letterView {
	l := f.Letter
	v := letterView{
		ID: f.ID, State: string(f.State()), Reason: string(l.Reason), Error: l.Error, Written: l.Time, Pipeline: l.Pipeline, Capture: l.Capture,
		Topic: l.Topic, Partition: l.Partition, Behind: behind(f, queue), Waiting: queue.Waiting(f),
	}
	if l.Offset >= 0 {
		v.Offset = &l.Offset
	}
	if l.Timestamp >= 0 {
		at := time.UnixMilli(l.Timestamp).UTC()
		v.Timestamp = &at
	}
	if !l.LSN.IsZero() {
		v.LSN, v.Seq, v.Version = l.LSN.String(), &l.Seq, &l.Version
	}
	if d := f.Decision; d != nil {
		v.Decided, v.Note = &d.Time, d.Note
		if d.Sent >= 0 {
			v.Sent = &d.Sent
		}
	}
	return v
}

// behind is the id of the letter that another waits for, empty for none.
func behind(f *sink.Filed, queue *sink.Queue) string {
	if f.State() != deadletter.Open {
		return f.Letter.Behind
	}
	if head := queue.Head(f); head != nil {
		return head.ID
	}
	return ""
}

// String names the letter's place.
func (v *letterView) String() string {
	if v.Offset == nil {
		return fmt.Sprintf("%s partition %d", v.Topic, v.Partition)
	}
	return fmt.Sprintf("%s partition %d offset %d", v.Topic, v.Partition, *v.Offset)
}
