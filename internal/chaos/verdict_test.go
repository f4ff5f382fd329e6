package chaos

import (
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		result Result
		want   Word
	}{
		{"every fault witnessed", Result{Wanted: 3, Witnessed: 3}, Pass},
		{"a fault too few", Result{Wanted: 3, Witnessed: 2}, Invalid},
		{"a problem", Result{Wanted: 3, Witnessed: 3, Problems: []string{"lost"}}, Fail},
		{"a problem and a fault too few: what is wrong is wrong", Result{Wanted: 3, Problems: []string{"lost"}}, Fail},
		{"an objection", Result{Objections: []string{"nothing was shifted"}}, Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.result.judge()
			if c.result.Word != c.want {
				t.Errorf("got %s, want %s", c.result.Word, c.want)
			}
		})
	}
}

func TestVerdictLine(t *testing.T) {
	r := Result{
		Scenario: "A1", Seed: 7, Word: Fail, Took: 61 * time.Second,
		Figures: []Figure{{"faults", "40"}, {"lost", "1"}}, Problems: []string{"lost: evt 3\nworker 1"},
	}
	const want = "A1 seed=7 faults=40 lost=1 took=1m1s FAIL\n    lost: evt 3\n    worker 1"
	if got := r.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.95: 5, 1: 5} {
		if got := quantile(all, q); got != want {
			t.Errorf("quantile %g: got %d, want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.95); got != 0 {
		t.Errorf("of none: got %d", got)
	}
}

func TestSelect(t *testing.T) {
	for _, c := range []struct {
		ids     string
		want    string
		unknown string
	}{
		{"a1,K3f", "A1 K3f", ""},
		{"P6", "P6-dropped P6-recreated P6-advanced P6-invalidated", ""},
		{"P9", "P9 P9-streaming", ""},
		{"A1,Z9", "A1", "Z9"},
	} {
		chosen, unknown := Select(Scenarios(), strings.Split(c.ids, ","))
		var ids []string
		for _, s := range chosen {
			ids = append(ids, s.ID)
		}
		if got := strings.Join(ids, " "); got != c.want || strings.Join(unknown, " ") != c.unknown {
			t.Errorf("%s: got %q and unknown %q", c.ids, got, unknown)
		}
	}
	if all, _ := Select(Scenarios(), nil); len(all) != len(Scenarios()) {
		t.Errorf("no ids: got %d of %d scenarios", len(all), len(Scenarios()))
	}
}

func TestScenariosAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Scenarios() {
		if seen[s.ID] || s.What == "" || s.run == nil {
			t.Errorf("scenario %q: its id must be unique, and it needs words and steps", s.ID)
		}
		seen[s.ID] = true
		if s.Short.Faults < 1 || s.Full.Faults < s.Short.Faults || s.Full.Events < s.Short.Events {
			t.Errorf("scenario %s: sizes %v and %v", s.ID, s.Short, s.Full)
		}
	}
}

func TestTotal(t *testing.T) {
	runs := func(words ...Word) *Total {
		total := &Total{}
		for _, word := range words {
			total.add(&Result{Word: word, Witnessed: 2, Events: 10})
		}
		return total
	}
	for _, c := range []struct {
		name     string
		campaign Campaign
		total    *Total
		want     Word
	}{
		{"all shown", Campaign{Faults: 4, Events: 20}, runs(Pass, Pass), Pass},
		{"too few faults", Campaign{Faults: 5, Events: 20}, runs(Pass, Pass), Invalid},
		{"too few events", Campaign{Faults: 4, Events: 21}, runs(Pass, Pass), Invalid},
		{"one round has no demands", Campaign{Faults: 5, Once: true}, runs(Pass, Pass), Pass},
		{"a scenario did not run", Campaign{Scenarios: make([]Scenario, 3), Once: true}, runs(Pass, Pass), Invalid},
		{"an invalid run", Campaign{}, runs(Pass, Invalid), Invalid},
		{"a failed run", Campaign{}, runs(Invalid, Fail), Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.campaign.judge(c.total)
			if c.total.Word != c.want {
				t.Errorf("got %s, want %s", c.total.Word, c.want)
			}
		})
	}
}
