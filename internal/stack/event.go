package stack

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Event is one thing that happened on the way to running servers.
type Event struct {
	Server  string        // postgres, kafka, cassandra, redis; empty: the stack as a whole
	Text    string        // one line for a person
	Passing bool          // outdated by the next event of this server: a download that grows
	Elapsed time.Duration // since the stack began to start
}

// String is the event as one line.
func (e Event) String() string {
	name := e.Server
	if name == "" {
		name = "stack"
	}
	return fmt.Sprintf("%-9s %5.1fs  %s", name, e.Elapsed.Seconds(), e.Text)
}

// WriteProgress returns a Progress that writes one line per event to w. On a terminal passing events overwrite each other.
func WriteProgress(w io.Writer) func(Event) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func(e Event) { fmt.Fprintln(w, e) }
	}
	return func(e Event) {
		const clearLine = "\r\x1b[K"
		if e.Passing {
			fmt.Fprint(w, clearLine, e)
			return
		}
		fmt.Fprint(w, clearLine, e, "\n")
	}
}

// reporter serialises events and stamps them.
type reporter struct {
	began time.Time

	mu   sync.Mutex // guards the calls of hear
	hear func(Event)
}

func newReporter(hear func(Event)) *reporter {
	return &reporter{began: time.Now(), hear: hear}
}

func (r *reporter) say(server, format string, args ...any) {
	r.send(Event{Server: server, Text: fmt.Sprintf(format, args...)})
}

// passing reports a state that the next event of the server outdates.
func (r *reporter) passing(server, format string, args ...any) {
	r.send(Event{Server: server, Text: fmt.Sprintf(format, args...), Passing: true})
}

func (r *reporter) send(e Event) {
	if r.hear == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Elapsed = time.Since(r.began)
	r.hear(e)
}
