package chaos

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/mutant"
)

func TestCatchCounts(t *testing.T) {
	m := mutant.Mutant{ID: "M0", Finds: []string{"lost"}}
	fail := func(kinds ...ledger.Kind) *Result {
		return &Result{Scenario: "A1", Word: Fail, Kinds: kinds, Problems: []string{"something"}}
	}
	for _, c := range []struct {
		name    string
		run     *Result
		control Word
		caught  bool
		line    string
	}{
		{"what it breaks", fail(Slow, ledger.Lost), Pass, true, "caught by A1"},
		{"something else only", fail(Slow), Pass, false, "NOT CAUGHT"},
		{"a run that shows too little", &Result{Word: Invalid, Kinds: []ledger.Kind{ledger.Lost}}, Pass, false, "NOT CAUGHT"},
		{"where the healthy build fails", fail(ledger.Lost), Fail, false, "the healthy build fails too"},
		{"where the healthy build shows too little", fail(ledger.Lost), Invalid, false, "control=INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			caught := &Catch{Mutant: m}
			if counts(m, c.run) {
				caught.By, caught.Control = c.run, &Result{Word: c.control}
			}
			if caught.Caught() != c.caught || !strings.Contains(caught.String(), c.line) {
				t.Errorf("caught %v, want %v: %s", caught.Caught(), c.caught, caught)
			}
		})
	}
}

func TestMutantsNameScenariosAndKinds(t *testing.T) {
	for _, m := range mutant.All() {
		if _, unknown := Select(everyScenario(), m.CaughtBy); len(unknown) > 0 {
			t.Errorf("mutant %s: unknown scenarios %q", m.ID, unknown)
		}
		for _, kind := range suffice(m) {
			if !slices.Contains(Kinds(), kind) {
				t.Errorf("mutant %s: unknown kind %q", m.ID, kind)
			}
		}
	}
}

func TestFindingsKeepTheirKind(t *testing.T) {
	w := &world{common: &common{witnesses: &witnesses{}, rig: &Rig{}}}
	w.judge(errEnough)
	if len(w.problems) != 0 || len(w.thin) != 1 {
		t.Errorf("an error of the rig's own: problems %q, objections %q", w.problems, w.thin)
	}
	if found(Stuck, nil) != nil {
		t.Error("no error is no finding")
	}
	var heard []ledger.Kind
	w = &world{common: &common{witnesses: &witnesses{heard: func(k ledger.Kind) { heard = append(heard, k) }}}}
	w.wrong(Fence, "twice")
	if err, ok := errors.AsType[*finding](found(Stuck, found(Refused, errEnough))); !ok || err.kind != Refused {
		t.Errorf("got %v, want the inner kind", err)
	}
	if !slices.Equal(heard, []ledger.Kind{Fence}) || !w.kinds[Fence] {
		t.Errorf("heard %v, noted %v", heard, w.kinds)
	}
}
