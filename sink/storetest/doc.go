// Package storetest holds what every store of the sink must satisfy, an
// in-memory model that does, and stores that fail on purpose.
package storetest
