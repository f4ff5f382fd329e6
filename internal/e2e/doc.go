// Package e2e runs the built daemon as a process of its own on the real servers
// and compares what it leaves in Kafka, Cassandra and Redis with SQL. It holds
// tests only.
//
// Read world_test.go (what a test has for its own), daemon_test.go, then
// truth_test.go (how the stores are held against Postgres).
package e2e
