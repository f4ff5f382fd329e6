package pgoutput_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock/cdc/pgoutput"
)

const scenarios = "../../testdata/pgoutput"

// scenario is one file of testdata/pgoutput: a line that tells the story, the SQL,
// and what the server sent for it. Blank lines part the SQL into transactions, or
// into what one of two sessions runs before it is the other's turn.
type scenario struct {
	path     string
	story    string
	options  []string // of the plugin, name and value in turn, beyond those that every scenario has
	setup    []string // runs before the slot is there
	changes  []string // is captured
	messages [][]byte
	rendered []string // the messages for people, as recorded
}

// The headings of a file's parts. They are SQL comments, so that the first two
// parts can be pasted into psql.
const (
	optionsHeading  = "-- options"
	setupHeading    = "-- setup"
	changesHeading  = "-- changes"
	messagesHeading = "-- messages"

	secondSession = "-- second session" // opens a part of the changes that runs beside the others
)

// load reads every scenario.
func load(tb testing.TB) []*scenario {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(scenarios, "*.txt"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no scenarios in %s: %v", scenarios, err)
	}
	all := make([]*scenario, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		if all[i], err = parseScenario(path, string(text)); err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
	}
	return all
}

// loadMessages reads the messages of every scenario, in the form that Parse takes.
func loadMessages(tb testing.TB) [][]byte {
	tb.Helper()
	var all [][]byte
	for _, s := range load(tb) {
		for _, m := range place(s.messages) {
			_, plain := m.plain(tb)
			all = append(all, plain)
		}
	}
	return all
}

// placed is a message as the server sent it.
type placed struct {
	data     []byte
	streamed bool // it stands within a block of a streamed transaction
}

// place finds the blocks in a sequence of messages.
func place(messages [][]byte) []placed {
	all := make([]placed, len(messages))
	within := false
	for i, data := range messages {
		switch pgoutput.Kind(data[0]) {
		case pgoutput.KindStreamStop:
			within = false
			all[i] = placed{data, within}
		case pgoutput.KindStreamStart:
			all[i] = placed{data, within}
			within = true
		default:
			all[i] = placed{data, within}
		}
	}
	return all
}

// plain returns the message in the form that Parse takes, and whose it is.
func (m placed) plain(tb testing.TB) (xid uint32, message []byte) {
	tb.Helper()
	if !m.streamed {
		return 0, m.data
	}
	xid, message, err := pgoutput.Unstream(bytes.Clone(m.data))
	if err != nil {
		tb.Fatalf("%x: %v", m.data, err)
	}
	return xid, message
}

func (s *scenario) name() string {
	return strings.TrimSuffix(filepath.Base(s.path), ".txt")
}

func parseScenario(path, text string) (*scenario, error) {
	s := &scenario{path: path}
	story, rest, _ := strings.Cut(text, "\n")
	s.story = strings.TrimPrefix(story, "# ")
	rest, messages, _ := strings.Cut(rest, messagesHeading+"\n")
	rest, changes, found := strings.Cut(rest, changesHeading+"\n")
	options, setup, foundSetup := strings.Cut(rest, setupHeading+"\n")
	if s.story == story || !found || !foundSetup {
		return nil, fmt.Errorf("want a comment line, %q, %q and %q", setupHeading, changesHeading, messagesHeading)
	}
	s.options = strings.Fields(strings.TrimPrefix(strings.TrimSpace(options), optionsHeading))
	s.setup = paragraphs(setup)
	s.changes = paragraphs(changes)
	return s, s.parseMessages(messages)
}

func paragraphs(sql string) []string {
	var parts []string
	for part := range strings.SplitSeq(sql, "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// parseMessages reads messages as indented hexadecimal lines, each message
// followed by its unindented rendering.
func (s *scenario) parseMessages(text string) error {
	var message []byte
	for line := range strings.Lines(text) {
		if digits, indented := strings.CutPrefix(line, "  "); indented {
			part, err := hex.DecodeString(strings.TrimSpace(digits))
			if err != nil {
				return err
			}
			message = append(message, part...)
			continue
		}
		s.messages = append(s.messages, message)
		s.rendered = append(s.rendered, strings.TrimSuffix(line, "\n"))
		message = nil
	}
	return nil
}

// format is the inverse of parseScenario.
func (s *scenario) format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", s.story)
	if len(s.options) > 0 {
		fmt.Fprintf(&b, "%s %s\n\n", optionsHeading, strings.Join(s.options, " "))
	}
	fmt.Fprintf(&b, "%s\n%s\n\n", setupHeading, strings.Join(s.setup, "\n\n"))
	fmt.Fprintf(&b, "%s\n%s\n\n", changesHeading, strings.Join(s.changes, "\n\n"))
	fmt.Fprintf(&b, "%s\n", messagesHeading)
	for i, message := range s.messages {
		for len(message) > 0 {
			n := min(len(message), hexWidth)
			fmt.Fprintf(&b, "  %x\n", message[:n])
			message = message[n:]
		}
		fmt.Fprintf(&b, "%s\n", s.rendered[i])
	}
	return b.Bytes()
}

// hexWidth is how many bytes of a message stand on one line.
const hexWidth = 60
