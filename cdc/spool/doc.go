// Package spool keeps transactions that Postgres streams before they commit in
// files until they do, and then hands each back as if it had never been streamed.
//
// # What is kept
//
// A transaction has one file, appended to as its blocks arrive. Each message in it
// is tagged with the subtransaction that it belongs to, and beside the file stands
// the set of subtransactions that were rolled back; a replay leaves those out. That
// is one file per (transaction, subtransaction) in effect, but keeps the order of
// changes across subtransactions without sorting them, and takes one open file
// and some ten bytes a rolled back subtransaction, however many there are.
//
// A relation that was announced within a rolled back subtransaction is left out
// too. It is not missed: pgoutput forgets, at every abort, what it has announced in
// the transaction, and announces again before the next change. And it must not be
// replayed: its shape may have been rolled back with it, or, as the lock on the
// table is gone too, be older than what was announced since. relations.go has the
// latter for the relations that do survive.
//
// # What is not kept
//
// Nothing outlives the process, so nothing is synced to disk: the position moves
// only when a transaction is in Kafka, and after a crash the server sends again
// whatever is not. Checksums tell that what is read is what was written.
//
// Read spool.go for what each message does, then file.go for the bytes on disk,
// replay.go for the way back, and directory.go for who owns which files.
package spool
