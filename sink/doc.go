// Package sink reads a pipeline's input topic, joins each row of its stream table
// with that of its lookup table, as the pipeline's plan says, writes the rows to the stores and commits offsets once every store
// has acknowledged them. It does not know its stores: they import this package.
//
// One partition of the input topic holds a lookup row and all its stream rows in the
// source's commit order, and one goroutine owns a partition at a time, so the
// join needs no coordination. Every write carries the version of the change that
// caused it and the stores keep the highest, so replays are harmless.
//
// A record that cannot be processed stops the sink or becomes a dead letter, for
// which the later records of its key wait.
//
// Read change.go, write.go, join.go, progress.go and book.go (pure), store.go, then
// owner.go, truncate.go, tally.go for totals, consumer.go, sink.go, step.go and batch.go; of stores that
// are away breaker.go, behind.go and lane.go; replay.go and refill.go; of dead
// letters letterbox.go, release.go and decide.go.
package sink
