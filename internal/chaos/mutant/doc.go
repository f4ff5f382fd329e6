// Package mutant holds deliberately broken builds of the capture, which the chaos harness has to catch: the test of the
// tests.
//
// A mutant is a list of exact replacements in production source, laid over it for one build by the go command's -overlay.
// The source itself carries no hook for it.
package mutant
