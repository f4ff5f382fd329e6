//go:build !failpoint

package main

import "penstock/cdc"

// failpoint is nothing in a build that is meant to be run.
func failpoint() func(cdc.Failpoint) { return nil }
