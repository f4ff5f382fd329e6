package main

import (
	"strings"
	"testing"

	"penstock/sink/verify"
)

// TestCountsThatDifferAreExplained beside the word that all is equal.
func TestCountsThatDifferAreExplained(t *testing.T) {
	r := &verify.Report{Pipeline: "p", Looked: 1, Counts: []verify.Count{{Place: "redis", Postgres: 3, Store: 2}}}
	const words = "counts are of the first look"
	if text := verdict(r, palette{}); !strings.Contains(text, words) || !strings.Contains(text, "p equals Postgres") {
		t.Errorf("got %q", text)
	}
	r.Counts[0].Store = 3
	if text := verdict(r, palette{}); strings.Contains(text, words) {
		t.Errorf("equal counts: got %q", text)
	}
	r.Counts[0].Store, r.Differences, r.Left = 2, 1, 1
	if text := verdict(r, palette{}); strings.Contains(text, words) || !strings.Contains(text, "p differs") {
		t.Errorf("a difference: got %q", text)
	}
}
