package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"penstock/internal/config"
	"penstock/internal/fault"
)

// failure is the JSON form of a command that failed.
type failure struct {
	Command string        `json:"command"`
	OK      bool          `json:"ok"`
	Error   faultReport   `json:"error"`            // the first
	Errors  []faultReport `json:"errors,omitempty"` // all, when there are several
}

// faultReport is one fault as data.
type faultReport struct {
	Kind   string `json:"kind"`
	State  string `json:"state,omitempty"`
	What   string `json:"what"`
	Where  string `json:"where,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Why    string `json:"why,omitempty"`
	Fix    string `json:"fix,omitempty"`

	excerpt string
}

// told is an error that the command's own output has told already. It only
// decides the exit code.
type told struct{ error }

// Unwrap returns the error.
func (t told) Unwrap() error { return t.error }

// report prints an error for people on stderr, or as one JSON object on stdout.
func (a *app) report(cmd *cobra.Command, err error) {
	var reports []faultReport
	for _, err := range flatten(err) {
		if errors.As(err, new(told)) {
			continue
		}
		reports = append(reports, describe(err))
	}
	if !a.data() || len(reports) == 0 {
		for _, r := range reports {
			_, _ = io.WriteString(a.stderr, r.render(a.palette(a.stderr)))
		}
		return
	}
	f := failure{Command: cmd.CommandPath(), Error: reports[0]}
	if len(reports) > 1 {
		f.Errors = reports
	}
	_ = a.writeData(f)
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, ok := e.(*fault.Error); ok { //nolint:errorlint // this link of the chain, not one below it
			break
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			var all []error
			for _, e := range joined.Unwrap() {
				all = append(all, flatten(e)...)
			}
			return all
		}
	}
	return []error{err}
}

// describe reads the fields of the fault in err's chain; what was wrapped
// around it stays in front.
func describe(err error) faultReport {
	r := faultReport{Kind: kindName(fault.KindOf(err)), What: err.Error()}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		prefix, _ := strings.CutSuffix(err.Error(), f.Error())
		if prefix == err.Error() {
			prefix = ""
		}
		r.State = string(f.State)
		r.What, r.Where, r.Why, r.Fix = prefix+f.What, f.Where, f.Why, f.Fix
		if f.Err != nil {
			r.What += ": " + f.Err.Error()
		}
	}
	if p := (*config.Problem)(nil); errors.As(err, &p) {
		r.Line, r.Column, r.excerpt = p.Line, p.Column, p.Excerpt
	}
	return r
}

func kindName(k fault.Kind) string {
	switch k {
	case fault.Usage:
		return "usage"
	case fault.Unreachable:
		return "unreachable"
	case fault.Check:
		return "check"
	case fault.Refused:
		return "refused"
	case fault.PositionLost:
		return "position_lost"
	default:
		return "runtime"
	}
}

// render lays a fault out as a mark, what is wrong, and a line for each of
// where, why and fix.
func (r faultReport) render(p palette) string {
	var b strings.Builder
	what := r.What
	if r.State != "" {
		what = r.State + ": " + what
	}
	_, _ = fmt.Fprintf(&b, "%s %s\n", p.cross(), indent(what, 2))
	line := func(label, text string) {
		if text != "" {
			_, _ = fmt.Fprintf(&b, "    %s %s\n", p.dim(fmt.Sprintf("%-3s", label)), indent(text, 8))
		}
	}
	line("at", r.Where)
	line("", r.excerpt)
	line("why", r.Why)
	line("fix", r.Fix)
	return b.String()
}

// indent moves all lines but the first to the right.
func indent(text string, by int) string {
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\t", "  ")
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", by))
}

// data reports whether data is printed for programs.
func (a *app) data() bool { return a.output.value != "table" }

// writeData prints a value for programs: as JSON, or, of a list, each element as a
// line of JSON.
func (a *app) writeData(value any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	list := []any{value}
	if a.output.value == "json" {
		e.SetIndent("", "  ")
	} else if v := reflect.ValueOf(value); v.Kind() == reflect.Slice {
		list = make([]any, v.Len())
		for i := range list {
			list[i] = v.Index(i).Interface()
		}
	}
	for _, value := range list {
		if err := e.Encode(value); err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
	}
	return nil
}

// palette colours text, or leaves it alone.
type palette struct{ on bool }

func (a *app) palette(w io.Writer) palette {
	return palette{on: !a.noColor && lookup(a.env, "NO_COLOR") == "" && lookup(a.env, "TERM") != "dumb" && isTerminal(w)}
}

func (p palette) paint(code, text string) string {
	if !p.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p palette) tick() string            { return p.paint("32", "✓") }
func (p palette) cross() string           { return p.paint("31", "✗") }
func (p palette) dim(text string) string  { return p.paint("2", text) }
func (p palette) bold(text string) string { return p.paint("1", text) }

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// lookup returns the value of an environment variable, or "".
func lookup(env []string, name string) string {
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}
