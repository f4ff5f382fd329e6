// Package bench measures how fast the daemon reads a slot, beside what reads it fastest and beside Debezium's connector, on
// servers of its own and on the same changes. A run that does not end with every row in Kafka, once, is an error.
//
// Read workload.go first (what is written), then rig.go (the servers), measure.go (rounds, and which run counts) and
// trial.go (one run, from the start of a reader to its last row; live.go: under a load). limit.go, penstock.go and debezium.go
// are the readers; check.go counts what arrived; usage.go and proc.go see what it cost; result.go, table.go and machine.go
// are what is printed.
package bench
