package storetest_test

import (
	"testing"

	"penstock/sink/storetest"
)

func TestModelConforms(t *testing.T) {
	for _, s := range storetest.Specimens("p:") {
		storetest.Exercise(t, s, func(*testing.T) storetest.Subject { return storetest.NewModelOf(s.Plan) })
		storetest.ExerciseLookup(t, s, func(*testing.T) storetest.LookupSubject { return storetest.NewModelOf(s.Plan) })
	}
	storetest.ExerciseTotals(t, 487_816, func(*testing.T) storetest.TotalsSubject { return storetest.NewModel() })
}
