// Package mutant holds deliberately broken builds of the capture, which the chaos harness has to catch: the test of the
// tests.
//
// A mutant is a list of exact replacements in production source, laid over it for one build by the go command's -overlay.
// The source itself carries no hook for it. Each breaks the capture in a way in which another project's was broken once;
// it runs, and looks well.
//
// The order to read: mutant.go, then the mutants by what they break: confirm.go (what Postgres is told), kafka.go
// (transactions, fence and position), restart.go (what is sent again), spool.go (transactions that are streamed before they
// commit), sink.go, backfill.go.
package mutant
