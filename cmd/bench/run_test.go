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
		{"", exitUsage, "fix: bench drain|small|huge|wide|live|backfill|all"},
		{"everything", exitUsage, "fix: bench drain|small|huge|wide|live|backfill|all"},
		{"-rows 5", exitUsage, "fix: bench drain|"},
		{"drain -rows -1", exitUsage, "--rows of at least 1"},
		{"drain -rows many", exitUsage, "invalid value"},
		{"drain -rounds 0", exitUsage, "--rounds of at least 1"},
		{"drain -retries -1", exitUsage, "--retries of at least 0"},
		{"drain now", exitUsage, `unknown argument "now"`},
		{"drain -readers penstock,somebody", exitUsage, `no reader "somebody" (fix: some of limit,penstock,debezium,`},
		{"drain -binary a/penstock -binary b/penstock", exitUsage, "two are called penstock: want name=path"},
		{"drain -binary old=", exitUsage, "want path or name=path"},
		{"backfill -binary a -binary b", exitUsage, "backfill measures one --binary"},
		{"all -binary a -binary b", exitUsage, "backfill measures one --binary"},
		{"backfill -out x", exitUsage, "backfill has no --out"},
		{"backfill now", exitUsage, "unknown argument"},
		{"drain -h", exitOK, "-rows"},
		{"-h", exitOK, "usage: bench drain|small|huge|wide|live|backfill|all"},
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

func TestBuildsAreBesideEachOther(t *testing.T) {
	f, err := parse(strings.Fields("drain --binary old=/a/penstock --binary /b/new --readers penstock"), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if b := f.plan.Builds; len(b) != 2 || b[0].Name != "old" || b[0].Path != "/a/penstock" || b[1].Name != "new" || b[1].Path != "/b/new" {
		t.Errorf("got %+v", b)
	}
}
