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
		{"-list", exitOK, "types-decimal-string     parity_types    schemas=true  decimal.handling.mode=string", ""},
		{"record -list -only wide", exitOK, "wide ", ""},
		{"-only types,nothing", exitUsage, "", "unknown pass nothing (fix: parity -list)"},
		{"types", exitUsage, "", `unknown argument "types"`},
		{"-out x", exitUsage, "", "flag provided but not defined: -out"},
		{"-h", exitOK, "", "-binary"},
		{"record -h", exitOK, "", "-out"},
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
