package main

import (
	"strings"
	"testing"
)

// TestAnIDIsThatOfAListedLetter: what only waits is not listed, and does not make the beginning of an id ambiguous.
func TestAnIDIsThatOfAListedLetter(t *testing.T) {
	t.Chdir(t.TempDir())
	bad, waiting := badLetter(), waitingLetter()
	for waiting.ID()[:4] != bad.ID()[:4] {
		waiting.Offset++
	}
	flags, _ := letterTopic(t, bad, waiting)
	if r := execute(t, "", nil, strings.Fields("dlq show -o json "+bad.ID()[:4]+flags)...); r.code != 0 || !strings.Contains(r.stdout, bad.ID()) {
		t.Errorf("show: %+v", r)
	}
	if r := execute(t, "", nil, strings.Fields("dlq export"+flags)...); strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("export without --waiting: %s", r.stdout)
	}
}
