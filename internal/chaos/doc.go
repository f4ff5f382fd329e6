// Package chaos proves that the capture is exactly-once: it runs the real daemon
// between a real Postgres and a real Kafka, breaks one of the three in a way that
// somebody independent can witness, and holds what is in Kafka against what
// Postgres itself wrote down (package ledger) of a seeded load (package workload).
//
// A run passes only if nothing is lost, doubled or out of order and each fault
// that was wanted has been witnessed; with fewer faults it is INVALID, because it
// says nothing. The daemon never gets a hand: it is started again as a service
// would be, and each end of it that nobody asked for is a problem.
//
// The sink has scenarios of its own: three daemons between all four servers, whose
// stores are held against SQL (package stores). So have backfills: a table that is read
// under a load is held against SQL row by row (package copied).
//
// Read scenario.go first (what a scenario is), rig.go (the servers), common.go and
// world.go (what a run has for its own, and its end), daemon.go with spawn.go (the
// supervised process), witness.go and verdict.go; then the scenarios themselves,
// faults_daemon.go, faults_postgres.go, faults_slot.go, faults_bulk.go,
// faults_kafka.go and faults_network.go. tail.go, sql.go, topics.go and link.go are
// how they look at the servers, campaign.go runs them round after round. Of the sink:
// stores_world.go, group.go, stores_daemons.go, stores_faults.go and scenarios_stores.go. Of
// backfills: copies_world.go, copies_faults.go and copies_commands.go.
package chaos
