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
		stdout string // holds this
		stderr string // holds this
	}{
		{"-list", exitOK, "the daemon is killed at random times", ""},
		{"-list -only K3f", exitOK, "the answer to EndTxn is lost", ""},
		{"-only Z1", exitUsage, "", "unknown scenario Z1 (fix: chaos --list)"},
		{"-scale huge", exitUsage, "", `unknown scale "huge" (fix: short or full)`},
		{"A1", exitUsage, "", `unknown argument "A1"`},
		{"-h", exitOK, "", "-seed"},
		{"sink -list", exitOK, "three members of the group", ""},
		{"sink -only A1", exitUsage, "", "unknown scenario A1 (fix: chaos sink --list)"},
		{"mutants -list", exitOK, "confirm on receive", ""},
		{"mutants -only M99", exitUsage, "", "unknown mutant M99 (fix: chaos mutants --list)"},
		{"mutants M1", exitUsage, "", `unknown argument "M1"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), strings.Fields(c.args), &stdout, &stderr); code != c.code {
				t.Errorf("got exit code %d, want %d", code, c.code)
			}
			if !strings.Contains(stdout.String(), c.stdout) {
				t.Errorf("stdout: got %q, want %q in it", &stdout, c.stdout)
			}
			if !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("stderr: got %q, want %q in it", &stderr, c.stderr)
			}
		})
	}
}
