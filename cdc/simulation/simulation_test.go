package simulation_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"penstock/cdc"
)

var (
	seedFlag = flag.Uint64("seed", 1, "the first seed of the crash runs")
	runsFlag = flag.Int("runs", 0, "the number of crash runs; 0 is as many as there is time for")
)

const (
	incidents = 12 // that befall the captures of one run
	workers   = 2  // runs at a time: a bubble seldom keeps more than one core busy
)

// result is what a run leaves.
type result struct {
	problems   []string
	said       []string // by the captures, in the end
	strikes    map[string]int
	failpoints map[cdc.Failpoint]int
	commits    int
}

// simulate runs one seed. prepare may change the world before anything happens.
func simulate(t *testing.T, seed uint64, incidents int, prepare func(*world)) (r result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(t.Context(), seed)
		if err != nil {
			t.Fatal(err)
		}
		if prepare != nil {
			prepare(w)
		}
		w.play(incidents)
		w.captures.Wait()
		if w.afterwards != nil {
			if err := w.afterwards(w); err != nil {
				t.Fatal(err)
			}
		}
		w.check()
		w.close()
		r = result{w.problems, w.said.lines, w.strikes, w.failpoints, len(w.wal.commits())}
	})
	return r
}

// TestCrashes runs seed after seed until its time is up, and demands of each that
// every change is delivered once and in order, and of all together that every
// failpoint was reached and struck.
func TestCrashes(t *testing.T) {
	s := &survey{strikes: map[string]int{}, failpoints: map[cdc.Failpoint]int{}, next: *seedFlag, left: *runsFlag}
	length := 35 * time.Second
	if testing.Short() {
		length = 4 * time.Second
	}
	s.until, s.end = time.Now().Add(length), time.Now().Add(length+time.Minute)
	t.Run("seeds", func(t *testing.T) {
		for range workers {
			t.Run("worker", func(t *testing.T) {
				t.Parallel()
				for {
					seed, ok := s.draw()
					if !ok {
						return
					}
					s.add(t, seed, simulate(t, seed, incidents, nil))
				}
			})
		}
	})
	s.report(t)
}

// wantedPoints is how many crash points a run of the usual length has at least.
const wantedPoints = 500

// survey gathers the results of many runs.
type survey struct {
	until time.Time // so long at least
	end   time.Time // so long at most, for every failpoint to be struck

	mu         sync.Mutex
	next       uint64 // seed
	left       int    // runs; 0 is as many as there is time for
	ended      bool
	runs       int
	commits    int
	strikes    map[string]int
	failpoints map[cdc.Failpoint]int
}

// draw gives the next seed, unless it is enough.
func (s *survey) draw() (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enough := s.runs >= 2*len(cdc.Failpoints()) && time.Now().After(s.until) && (s.covered() || time.Now().After(s.end))
	if s.ended || *runsFlag == 0 && enough {
		return 0, false
	}
	if s.left--; s.left == 0 {
		s.ended = true
	}
	s.next++
	return s.next - 1, true
}

// struck is how often something struck at the failpoint.
func (s *survey) struck(p cdc.Failpoint) int {
	n := 0
	for k, strikes := range s.strikes {
		if strings.HasSuffix(k, " at "+string(p)) {
			n += strikes
		}
	}
	return n
}

// covered reports whether every failpoint was struck, and enough at all.
func (s *survey) covered() bool {
	return (testing.Short() || s.points() >= wantedPoints) && !slices.ContainsFunc(cdc.Failpoints(), func(p cdc.Failpoint) bool { return s.struck(p) == 0 })
}

// points is how often something struck.
func (s *survey) points() int {
	n := 0
	for _, strikes := range s.strikes {
		n += strikes
	}
	return n
}

func (s *survey) add(t *testing.T, seed uint64, r result) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs++
	s.commits += r.commits
	for k, n := range r.strikes {
		s.strikes[k] += n
	}
	for k, n := range r.failpoints {
		s.failpoints[k] += n
	}
	if len(r.problems) > 0 {
		s.ended = true
		t.Errorf("seed %d; to repeat it: go test ./cdc/simulation -run TestCrashes -seed %d -runs 1\n%s\n%s",
			seed, seed, strings.Join(r.problems[:min(len(r.problems), 12)], "\n"), strings.Join(r.said, ""))
	}
}

// report prints what happened, and demands that it was everything there is.
func (s *survey) report(t *testing.T) {
	t.Helper()
	points := s.points()
	for _, k := range slices.Sorted(maps.Keys(s.strikes)) {
		t.Logf("%6d × %s", s.strikes[k], k)
	}
	for _, p := range cdc.Failpoints() {
		struck := s.struck(p)
		t.Logf("failpoint %-14s reached %6d times, struck %4d times", p, s.failpoints[p], struck)
		if *runsFlag == 0 && !t.Failed() && struck == 0 {
			t.Errorf("failpoint %s was never struck", p)
		}
	}
	t.Logf("%d runs, %d crash points, %d commits", s.runs, points, s.commits)
	if *runsFlag == 0 && !testing.Short() && points < wantedPoints {
		t.Errorf("%d crash points, want %d: the machine is too busy for this to say much", points, wantedPoints)
	}
}
