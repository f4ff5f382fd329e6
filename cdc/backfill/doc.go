// Package backfill reads the rows that a table already has, in chunks, while its changes are streamed, and says
// which of them the stream has overtaken.
//
// A chunk is read in a snapshot of its own, and delivered at a place of the stream that lies behind all that the
// snapshot sees. What the snapshot does not see, and was streamed before that place, is newer than the chunk's row:
// [Window] knows it, and the row is dropped. That cannot be decided by LSNs, because a commit is streamed as soon as
// it is in the log, and visible only later: while it waits for a synchronous standby, much later.
//
// [Job] is how far the backfill of one table has come. It is kept in Kafka, in the transactions that hold the rows.
// Read snapshot.go, window.go and job.go, which are pure, then read.go and worker.go.
package backfill
