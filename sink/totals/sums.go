package totals

import (
	"maps"
	"math"
)

// Bounds is how many bounds the histogram has: a row counts in the bar of the
// highest bound, in tenths, that its share reaches; the first bar takes also what is
// negative, the last everything from 100 % on.
const Bounds = 10

const (
	million = 1_000_000 // shares are counted in parts per million
	tenth   = million / 10
)

// Sums are what some rows add up to.
type Sums struct {
	Events int64
	ByKind map[string]int64 // rows whose kind is not NULL; none of 0; nil for none
	Millis int64            // of the rows that have any

	Shares    int64 // how many rows have a share
	ShareSum  int64 // parts per million
	Histogram [Bounds + 1]int64
}

// Minute is what the rows of one minute add up to.
type Minute struct {
	Events, Millis, Shares, ShareSum int64
}

// Seconds is Millis in seconds.
func (s *Sums) Seconds() float64 { return float64(s.Millis) / 1000 }

// Mean is the mean share, 0.5 being half, and whether any row has one.
func (s *Sums) Mean() (share float64, found bool) {
	if s.Shares == 0 {
		return 0, false
	}
	return float64(s.ShareSum) / million / float64(s.Shares), true
}

// Equal reports whether two sums are the same.
func (s *Sums) Equal(other *Sums) bool {
	return s.Events == other.Events && s.Millis == other.Millis && s.Shares == other.Shares && s.ShareSum == other.ShareSum &&
		s.Histogram == other.Histogram && maps.Equal(s.ByKind, other.ByKind)
}

// Add adds other sums n times; -1 takes them away.
func (s *Sums) Add(other *Sums, n int64) {
	s.Events += n * other.Events
	s.Millis += n * other.Millis
	s.Shares += n * other.Shares
	s.ShareSum += n * other.ShareSum
	for i := range s.Histogram {
		s.Histogram[i] += n * other.Histogram[i]
	}
	for kind, events := range other.ByKind {
		s.addKind(kind, n*events)
	}
}

func (s *Sums) addKind(kind string, n int64) {
	if s.ByKind == nil {
		s.ByKind = make(map[string]int64)
	}
	if s.ByKind[kind] += n; s.ByKind[kind] == 0 {
		delete(s.ByKind, kind)
	}
}

// partsPerMillion rounds as Postgres' round(share * 1e6) does, half to even. What
// is beyond a bigint, SQL refuses; here it is the nearest.
func partsPerMillion(share float64) int64 {
	switch ppm := math.RoundToEven(share * million); {
	case math.IsNaN(ppm):
		return 0
	case ppm >= math.MaxInt64:
		return math.MaxInt64
	case ppm <= math.MinInt64:
		return math.MinInt64
	default:
		return int64(ppm)
	}
}

// barOf is the histogram's bar of a share.
func barOf(ppm int64) int {
	if ppm < 0 {
		return 0
	}
	return int(min(ppm/tenth, Bounds))
}
