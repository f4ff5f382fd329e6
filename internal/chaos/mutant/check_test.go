package mutant_test

import (
	"flag"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"penstock/internal/chaos/mutant"
)

var allFlag = flag.Bool("all", false, "check every mutant, not a few")

// few are the mutants that are hunted always: a loss, a duplicate, and a confirmation
// that is ahead of Kafka.
var few = []string{"M3", "M5", "M17b"}

// failed is a test that did what it is for.
var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: `)

// broken is what a build or a test prints that broke by itself.
var broken = regexp.MustCompile(`(?m)^panic: |\[build failed\]|\[setup failed\]|test timed out`)

// TestChecksCatchMutants runs the checks, that of most being the simulation, on the
// broken captures. Each must fail, for what the capture did.
func TestChecksCatchMutants(t *testing.T) {
	root := moduleRoot(t)
	for _, m := range hunted() {
		t.Run(m.ID, func(t *testing.T) {
			overlay, err := m.Overlay(root, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-count", "1", "-timeout", "3m",
				"-run", m.Check.Run, m.Check.Package)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("%s (%s): %v finds nothing:\n%s", m.ID, m.Broken, m.Check, out)
			case broken.Match(out) || !failed.Match(out):
				t.Errorf("%s: the run broke, but not for what the capture did: %v\n%.4000s", m.ID, err, out)
			}
		})
	}
}

// hunted are all mutants that have a check, or a few of them, or one.
func hunted() []mutant.Mutant {
	return slices.DeleteFunc(mutant.All(), func(m mutant.Mutant) bool {
		switch {
		case m.Check.Run == "":
			return true
		case *allFlag:
			return false
		case testing.Short():
			return m.ID != few[0]
		}
		return !slices.Contains(few, m.ID)
	})
}
