package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   string
		code   int
		stderr string // holds this
	}{
		{"", exitUsage, "fix: bench backfill"},
		{"everything", exitUsage, "fix: bench backfill"},
		{"backfill -rows 0", exitUsage, "at least one row"},
		{"backfill now", exitUsage, "no arguments"},
		{"backfill -h", exitOK, "-rows"},
	} {
		t.Run(c.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), strings.Fields(c.args), &stdout, &stderr); code != c.code {
				t.Errorf("got exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("stderr: got %q, want %q in it", &stderr, c.stderr)
			}
		})
	}
}
