// Package totals counts the rows of a plan: for each join value and hour how many
// there are, by kind, their milliseconds, the mean and the histogram of their
// share, and how many users. It is pure: no server, no clock, no logger.
//
// Everything but the users is a sum of integers, so that the same rows give the
// same total in whatever order they came, went and changed, and SQL gives it too.
//
// Read sums.go, sketch.go, cell.go and value.go.
package totals
