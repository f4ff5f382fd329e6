// Package sink reads a pipeline's input topic, joins each event with its
// content, writes the rows to the stores and commits offsets once every store
// has acknowledged them. It does not know its stores: they import this package.
//
// One partition of the input topic holds a content row and all its events in the
// source's commit order, and one goroutine owns a partition at a time, so the
// join needs no coordination. Every write carries the version of the change that
// caused it and the stores keep the highest, so replays are harmless.
//
// Read row.go, change.go, write.go, join.go (pure), store.go, then owner.go,
// truncate.go, consumer.go and sink.go.
package sink
