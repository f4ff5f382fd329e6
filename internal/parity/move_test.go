package parity

import (
	"strings"
	"testing"
)

// TestMovedRefuses a topic that is not the history, wherever it departs from it.
func TestMovedRefuses(t *testing.T) {
	history := []string{"c 1 0", "u 1 1", "c 2 0", "d 1"}
	for _, c := range []struct {
		name  string
		topic string // a change each; a leading + marks the daemon's
		want  string // in the error; empty for none
	}{
		{"as it was", "c 1 0|u 1 1|+c 2 0|+d 1", ""},
		{"the end of the connector's again", "c 1 0|u 1 1|+u 1 1|+c 2 0|+d 1", ""},
		{"all of the connector's again", "c 1 0|u 1 1|+c 1 0|+u 1 1|+c 2 0|+d 1", ""},
		{"one lost at the seam", "c 1 0|+c 2 0|+d 1", `got "c 2 0", want "u 1 1"`},
		{"one lost later", "c 1 0|+u 1 1|+d 1", `got "d 1", want "c 2 0"`},
		{"one twice later", "c 1 0|+u 1 1|+u 1 1|+c 2 0|+d 1", `got "u 1 1", want "c 2 0"`},
		{"the last lost", "c 1 0|+u 1 1|+c 2 0", `the first of them "d 1"`},
		{"one too many", "c 1 0|+u 1 1|+c 2 0|+d 1|+d 1", "after the last change"},
		{"both at once", "c 1 0|+u 1 1|c 2 0|+d 1", "goes on after the daemon"},
		{"no move", "c 1 0|u 1 1|c 2 0|d 1", "nothing was moved"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Moved
			var err error
			for i, what := range strings.Split(c.topic, "|") {
				change, ours := strings.CutPrefix(what, "+")
				if err = m.take(history, int64(i), change, ours); err != nil {
					break
				}
			}
			if err == nil {
				err = m.finish(history)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
