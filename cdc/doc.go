// Package cdc is the capture: it tails one replication slot and writes every
// committed change to Kafka exactly once.
//
// The recipe in one paragraph. The slot is the lease: who streams from it, and
// nobody else, fences the transactional id and reads the position. Each Kafka
// transaction holds whole Postgres transactions and, as its last record, the
// position after them. Postgres is told only of positions that a committed
// Kafka transaction holds. Any doubt closes both connections and starts again
// from the position; what the slot sends again is recognised by its commit LSN
// and dropped.
//
// Data flows one way: [Stream] (owns the replication connection) to [Assembler]
// (pure: messages to events and commit boundaries) to [Router] (pure: events to
// records) to [Producer] (owns the transactional client). One watermark flows
// back, the confirmed LSN. Read capture.go first, then along that path.
package cdc
