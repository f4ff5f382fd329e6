// Package plan is what a pipeline does, compiled: which columns of a stream table
// are joined to which of a lookup table, what is computed and filtered, and under
// which keys the result is kept. It is pure: no server, no clock, no logger.
//
// A [Declaration] is compiled once, when the configuration is read, into a [Plan];
// everything that can be wrong with it is found then. A plan's row is a [Row] of
// typed slots: the stream table's columns, the lookup table's, the computed ones.
//
// Read value.go, declaration.go, plan.go, place.go, compile.go and tables.go, expr.go and eval.go for
// expressions, image.go for rows as records have them, and engagement.go for the
// plan that is shipped. kept.go is what the stores have of a row, seen from their side.
package plan
