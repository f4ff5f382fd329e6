//go:build !failpoint

package main

// failpoint is nothing in a build that is meant to be run.
func failpoint[P ~string]() func(P) { return nil }
