// Package parity holds Penstock's Debezium format against the real thing: Debezium's
// Postgres connector and the daemon read copies of one slot, and what the two wrote
// is compared field by field. A difference fails unless it is one of those that
// justified.txt declares.
//
// Read run.go first, then pass.go (the settings that are compared) and fill.go (the
// changes: package typecases has the types, shapes/*.sql the shapes of change);
// rig.go, debezium.go, penstock.go, daemon.go and topics.go are the two readers and their
// servers; align.go, compare.go, values.go, justify.go and report.go judge. Package
// golden keeps what the connector wrote for tests without servers; input.go asks
// the server for the same rows.
package parity
