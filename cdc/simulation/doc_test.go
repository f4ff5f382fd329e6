// Package simulation_test lets captures live and die thousands of times a minute
// without a server: a Postgres that is only its protocol and its memory of one
// slot, kfake for Kafka, connections in memory, and the clock of testing/synctest,
// so that a minute of waiting takes none.
//
// A run is a seed. It gives what is written (wal_test.go), where each capture is
// struck and by what (director_test.go, host_test.go), and how the servers behave
// (postgres_test.go, walsender_test.go, kafka_test.go). In the end, and at each
// standby status, the topics are held against what was written (expect_test.go,
// check_test.go); broken_test.go shows that the checks can fail.
//
//	go test ./cdc/simulation                        a minute of seeds
//	go test ./cdc/simulation -run TestCrashes -seed 17 -runs 1
//	go test ./cdc/simulation -run TestCrashes -runs 20000 -timeout 2h
//
// A seed repeats what is written and where it strikes. Which goroutine runs first
// is the scheduler's choice, so a failure that depends on it may take a few tries.
//
// kfake is not the judge where it differs from a broker. What is left out for that
// reason, and tested on a real broker elsewhere:
//   - A fenced producer that initialises again with its old epoch is taken back by
//     kfake. Here it is refused, as a broker does (kafka.refuseStaleEpoch).
//   - kfake ends a transaction before it answers, so there is no window in which a
//     broker says CONCURRENT_TRANSACTIONS by itself; it is injected.
//   - A broker that crashes: kfake writes no abort marker for what was open.
//   - Several brokers, elections, and replicas that fall behind.
//   - How much time anything takes.
package simulation_test
