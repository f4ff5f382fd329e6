// Package admin is what a daemon says of itself on its admin listener: metrics for
// Prometheus, and the probes of who runs it.
//
// Read table.go for the metrics, one row each, from which their documentation is made;
// daemon.go for where their values come from, collector.go for how a scrape reads them,
// ready.go for what the probes say and server.go for the listener.
package admin
