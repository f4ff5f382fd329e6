// Package shape decides what of a table leaves the database: which columns, and
// which of them masked or truncated, before any format sees them. A [Shape] is
// compiled for one version of a relation; it gives the relation that the formats
// see, and turns its tuples.
//
// A column of the key that is excluded stays in the relation, because records
// need it as their key, but is not one of [Shape.RowColumns], the columns of a
// record's value. NULL stays NULL, and a column that an update did not touch stays
// untouched: neither is masked or truncated, for there is nothing to hide.
//
// Read rules.go, shape.go, mask.go in that order.
package shape
