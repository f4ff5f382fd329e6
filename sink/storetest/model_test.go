package storetest_test

import (
	"testing"

	"penstock/sink/storetest"
)

func TestModelConforms(t *testing.T) {
	storetest.Exercise(t, func(*testing.T) storetest.Subject { return storetest.NewModel() })
	storetest.ExerciseLookup(t, func(*testing.T) storetest.LookupSubject { return storetest.NewModel() })
}
