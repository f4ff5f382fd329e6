// Package engagement has the rows of the preset pipeline as Go values: for the
// demo, which shows them, and for tests, which say by them what the stores must
// hold. The sink itself works on [plan.Row].
package engagement
