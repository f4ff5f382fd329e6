package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"penstock/sink"
)

func (a *app) dlqShowCommand() *cobra.Command {
	var from letterFlags
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a dead letter with its record",
		Example: "  penstock dlq show 3f9a2c1d00b7e644\n  penstock dlq show 3f9a2c -o json",
		Args:    exactArgs("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLetters(cmd.Context(), &from, func(ctx context.Context, box *sink.Letterbox) error {
				book, err := a.readLetters(ctx, box)
				if err != nil {
					return err
				}
				f, err := findLetter(book, args[0])
				if err != nil {
					return err
				}
				return box.Visit(ctx, []*sink.Filed{f}, func(whole *sink.Filed) error {
					if a.data() {
						return a.writeData(viewWhole(whole, book.Queue()))
					}
					_, err := io.WriteString(a.stdout, describeLetter(whole, book.Queue()))
					return err
				})
			})
		},
	}
	from.register(cmd)
	return cmd
}

// describeLetter lays a letter out for people.
func describeLetter(f *sink.Filed, queue *sink.Queue) string {
	l, v := f.Letter, viewLetter(f, queue)
	var b strings.Builder
	line := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(&b, "%-10s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	line("id", "%s", f.ID)
	line("state", "%s", f.State())
	if d := f.Decision; d != nil {
		line("decided", "%s%s", d.Time.UTC().Format(time.RFC3339), noted(d.Note))
	}
	line("reason", "%s", l.Reason)
	line("error", "%s", oneLine(l.Error, 4096))
	if v.Behind != "" {
		line("behind", "%s", v.Behind)
	}
	if v.Waiting > 0 {
		line("waiting", "%d later records of the same key", v.Waiting)
	}
	line("written", "%s", l.Time.UTC().Format(time.RFC3339))
	if l.Pipeline != "" {
		line("pipeline", "%s", l.Pipeline)
	} else {
		line("capture", "%s", l.Capture)
	}
	line("place", "%s", v.String())
	if !l.LSN.IsZero() {
		line("source", "lsn %s, change %d, version %d", l.LSN, l.Seq, l.Version)
	}
	line("key", "%s", readable(l.Record.Key))
	for _, h := range l.Record.Headers {
		line("header", "%s: %s", oneLine(h.Key, 200), readable(h.Value))
	}
	if l.Record.LeftOut > 0 {
		line("value", "%d bytes, which did not fit; of it is known:", l.Record.LeftOut)
	} else {
		line("value", "%d bytes", len(l.Record.Value))
	}
	b.WriteString(indented(l.Record.Value))
	if f.Decision != nil && f.Decision.Value != nil {
		line("corrected", "%d bytes", len(f.Decision.Value))
		b.WriteString(indented(f.Decision.Value))
	}
	return b.String()
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return ": " + oneLine(note, 4096)
}

// readable is one line of what octets say; null is Kafka's.
func readable(octets []byte) string {
	switch {
	case octets == nil:
		return "null"
	case utf8.Valid(octets) && !bytes.ContainsFunc(octets, unicode.IsControl):
		return string(octets)
	default:
		return fmt.Sprintf("%q", octets)
	}
}

// indented is a value for people: JSON on several lines, other text as it is,
// octets as a dump.
func indented(value []byte) string {
	const margin = "  "
	var pretty bytes.Buffer
	switch {
	case value == nil:
		return margin + "null\n"
	case utf8.Valid(value) && json.Indent(&pretty, value, margin, "  ") == nil:
		return margin + escaped(pretty.String()) + "\n"
	case utf8.Valid(value) && !bytes.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return margin + strings.ReplaceAll(string(value), "\n", "\n"+margin) + "\n"
	default:
		return margin + strings.ReplaceAll(strings.TrimRight(hex.Dump(value[:min(len(value), 1024)]), "\n"), "\n", "\n"+margin) + "\n"
	}
}

// escaped is JSON without the control characters that it takes as they are.
func escaped(pretty string) string {
	return controls.ReplaceAllStringFunc(pretty, func(c string) string { return fmt.Sprintf(`\u%04x`, []rune(c)[0]) })
}

var controls = regexp.MustCompile(`[\x{7f}-\x{9f}]`)

// wholeView is a letter with its record. Of each pair of octets and text, one is
// there; both are null for Kafka's null.
type wholeView struct {
	letterView

	Key       octets       `json:"key"`
	Value     octets       `json:"value"`
	LeftOut   int          `json:"left_out,omitempty"` // bytes of a value that is not kept; Value describes it
	Corrected *octets      `json:"corrected,omitempty"`
	Headers   []headerView `json:"headers"`
}

type headerView struct {
	Key   string `json:"key"`
	Value octets `json:"value"`
}

// octets are a JSON string where they are UTF-8, else {"base64": "…"}.
type octets []byte

// MarshalJSON keeps every octet.
func (o octets) MarshalJSON() ([]byte, error) {
	switch {
	case o == nil:
		return []byte("null"), nil
	case utf8.Valid(o):
		return json.Marshal(string(o))
	default:
		return json.Marshal(map[string][]byte{"base64": o})
	}
}

func viewWhole(f *sink.Filed, queue *sink.Queue) wholeView {
	r := f.Letter.Record
	v := wholeView{letterView: viewLetter(f, queue), Key: r.Key, Value: r.Value, LeftOut: r.LeftOut, Headers: []headerView{}}
	for _, h := range r.Headers {
		v.Headers = append(v.Headers, headerView{Key: h.Key, Value: h.Value})
	}
	if f.Decision != nil && f.Decision.Value != nil {
		corrected := octets(f.Decision.Value)
		v.Corrected = &corrected
	}
	return v
}
