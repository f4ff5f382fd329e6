// Package catalog reads from Postgres' catalogue what pgoutput does not say of a
// relation: what its types are made of, which columns take no NULL, defaults, and
// the key.
//
// The catalogue is that of now, the relation that of its place in the log. What
// only the log knows for certain, the names, type ids and replica identity, is
// taken from there.
package catalog
