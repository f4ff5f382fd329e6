// Package registry gives schemas the ids under which a Confluent-compatible schema
// registry knows them, and frames records with them. It asks once for each schema
// and remembers the answer.
//
// Read registry.go, config.go, subject.go, wire.go, fault.go in that order.
package registry
