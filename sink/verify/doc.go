// Package verify compares what Postgres has with what a pipeline keeps of it: the rows
// of both tables in Kafka's input topic, every table of Cassandra, the hashes of
// Redis. It is the definition of right: a pipeline is right when this finds nothing.
//
// It works while writes go on. What is compared is Postgres' state at an LSN, held
// against stores that have come at least that far; a difference counts only once it
// stands still ([Run] says how).
//
// In the order of reading: config.go, entry.go (what is compared), sum.go (checksums
// of many), place.go (where it is kept), postgres.go, topic.go and fold.go, stores.go (where it
// comes from), progress.go (what is waited for), run.go, recheck.go, sight.go, repair.go.
package verify
