package mutant

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is one broken build.
type Mutant struct {
	ID       string // of the proof's list
	Name     string
	Broken   string // what it does wrong, in a sentence
	Incident string // who did so before
	Edits    []Edit

	// CaughtBy are the scenarios of the harness that must fail on it, the quickest
	// first. Each suffices.
	CaughtBy []string
	// Finds are the kinds of problem that it may be caught for: any other would be luck.
	Finds []string
	// Check is a test without servers that must fail on it too, zero when that
	// would be luck.
	Check Check
}

// Check is a test of a package.
type Check struct {
	Package string // as the go command takes it, from the module's root
	Run     string // the tests, as -run takes them
}

// Edit replaces a piece of source that stands once in a file.
type Edit struct {
	File string // from the module's root, with slashes
	Old  string
	New  string
}

// The packages of checks.
const (
	simulation = "./cdc/simulation"
	spool      = "./cdc/spool"
)

// crashes is the simulation of captures that live and die.
func crashes() Check { return Check{simulation, "^TestCrashes$"} }

// refuses is the simulation of a Kafka that gives one wrong answer.
func refuses(answer string) Check { return Check{simulation, "^TestKafkaRefuses$/^" + answer + "$"} }

// loss are the kinds that say that a row is missing, and more.
func loss(more ...string) []string { return append(more, "lost", "torn", "gap", "state") }

// repeat are the kinds that say that a row comes again, and more.
func repeat(more ...string) []string { return append(more, "dup", "reorder", "gap") }

// All lists the mutants in the order of the proof's list.
func All() []Mutant {
	return []Mutant{
		confirmOnReceive(), confirmKeepalive(), confirmOneTooFar(), confirmMessageEnd(),
		resumeByRow(),
		readUncommitted(), readStableOnly(), readBeforeFence(),
		freshTransactionalID(), ignorePromise(), silenceIsSuccess(), failureIsSuccess(), silenceIsFailure(),
		deliverAgain(), deliverPartAgain(),
		deliverRolledBack(), loseRowBetweenBlocks(),
		confirmIdleUnwritten(), skipOneTooMany(), skipOneTooFew(),
		forgetVersion(), leaveUnconfirmed(),
		commitFirst(), wallClock(), unguarded(), compareNumbers(), countOn(),
		deliverStale(), forgetChunk(), leaveTorn(),
	}
}

// Find returns the mutants with these ids; unknown are the ids that name none.
func Find(ids []string) (found []Mutant, unknown []string) {
	all := All()
	for _, id := range ids {
		i := slices.IndexFunc(all, func(m Mutant) bool { return strings.EqualFold(m.ID, id) })
		if i < 0 {
			unknown = append(unknown, id)
			continue
		}
		found = append(found, all[i])
	}
	return found, unknown
}

// Apply returns the text of each edited file, by its path from the root, with all
// edits of it made in order. A piece that does not stand exactly once in what is
// there now is an error: the source has moved on, and the mutant has to follow.
func (m Mutant) Apply(root string) (map[string]string, error) {
	texts := map[string]string{}
	for i, e := range m.Edits {
		text, read := texts[e.File]
		if !read {
			b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File)))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.ID, err)
			}
			text = string(b)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("mutant %s, edit %d: %s holds %d times, want once:\n%s", m.ID, i+1, e.File, n, e.Old)
		}
		texts[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return texts, nil
}

// Overlay writes the broken source below dir and returns the path of the file that
// `go build -overlay` and `go test -overlay` take. root is the module's root.
func (m Mutant) Overlay(root, dir string) (path string, err error) {
	texts, err := m.Apply(root)
	if err != nil {
		return "", err
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	var overlay struct{ Replace map[string]string }
	overlay.Replace = map[string]string{}
	for file, text := range texts {
		broken := filepath.Join(dir, m.ID, filepath.FromSlash(file))
		overlay.Replace[filepath.Join(root, filepath.FromSlash(file))] = broken
		err = errors.Join(err, write(broken, []byte(text)))
	}
	path = filepath.Join(dir, m.ID, "overlay.json")
	list, marshalErr := json.MarshalIndent(overlay, "", "\t")
	if err = errors.Join(err, marshalErr, write(path, list)); err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	return path, nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
