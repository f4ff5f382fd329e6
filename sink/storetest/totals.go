package storetest

import (
	"context"
	"math/rand/v2"
	"testing"

	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/totals"
)

// TotalsSubject is a store of totals that can be exercised.
type TotalsSubject interface {
	sink.Store
	// ReadTotal returns the events and milliseconds of a total, and whether there is one
	// with events.
	ReadTotal(ctx context.Context, id totals.ID) (events, millis int64, found bool, err error)
}

// ExerciseTotals runs the conformance suite of totals. open returns an empty subject of
// the preset; hour is one that it keeps.
func ExerciseTotals(t *testing.T, hour int64, open func(t *testing.T) TotalsSubject) {
	t.Helper()
	for _, c := range []struct {
		name     string
		versions []int64 // in the order of the writes; a negative one is of an empty total
		want     int64   // 0 for none
	}{
		{"a total comes back", []int64{10}, 10},
		{"a higher version replaces it", []int64{10, 11}, 11},
		{"a lower version changes nothing", []int64{11, 10}, 11},
		{"a replay changes nothing", []int64{10, 11, 10, 11}, 11},
		{"an empty one removes it", []int64{10, -11}, 0},
		{"an empty one below changes nothing", []int64{11, -10}, 11},
		{"what is below an empty one stays away", []int64{-11, 10}, 0},
		{"what is above an empty one is there", []int64{10, -11, 12}, 12},
		{"versions beyond 53 bits are compared exactly", []int64{1<<62 + 2, 1<<62 + 1}, 1<<62 + 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			for _, version := range c.versions {
				putTotals(t, s, []sink.Write{Total(1, hour, version), Total(1, totals.Whole, version)})
			}
			wantTotal(t, s, totals.ID{Join: joinOf(1), Hour: hour}, c.want)
			wantTotal(t, s, totals.ID{Join: joinOf(1), Hour: totals.Whole}, c.want)
			wantTotal(t, s, totals.ID{Join: joinOf(2), Hour: totals.Whole}, 0)
		})
	}
	t.Run("many in any order end on their highest versions", func(t *testing.T) {
		s := open(t)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		var writes []sink.Write
		for n := range byte(20) {
			for version := int64(1); version <= 20; version++ {
				writes = append(writes, Total(n, hour, version), Total(n, hour-1, version), Total(n, totals.Whole, version))
			}
		}
		random.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
		for len(writes) > 0 {
			n := min(1+random.IntN(300), len(writes))
			putTotals(t, s, writes[:n])
			writes = writes[n:]
		}
		for n := range byte(20) {
			for _, at := range []int64{hour, hour - 1, totals.Whole} {
				wantTotal(t, s, totals.ID{Join: joinOf(n), Hour: at}, 20)
			}
		}
	})
}

func joinOf(n byte) plan.Value {
	join, _ := plan.UUIDOf(ContentID(n).String()) // every id prints as one
	return join
}

// Total is the write of a total that says its version: as many events, each of two
// milliseconds. A negative version is that of an empty one.
func Total(n byte, hour, version int64) sink.Write {
	v := totals.Value{ID: totals.ID{Join: joinOf(n), Hour: hour}, Partition: 3, Offset: max(version, -version), Version: max(version, -version)}
	if version > 0 {
		events := version % (1 << 30)
		v.Sums = totals.Sums{Events: events, Millis: 2 * events, ByKind: map[string]int64{"play": events}, Shares: 2, ShareSum: 1_500_000}
		v.Histogram[5], v.Histogram[10] = 1, 1
		v.Users = 7
		if hour != totals.Whole {
			v.Minutes[59] = totals.Minute{Events: events, Millis: 2 * events, Shares: 2, ShareSum: 1_500_000}
		}
	}
	if hour != totals.Whole {
		v.Changed = 1 << 59
	}
	return sink.Write{Action: sink.PutTotals, Version: v.Version, Totals: &v}
}

func putTotals(t *testing.T, s sink.Store, writes []sink.Write) {
	t.Helper()
	if err := s.Apply(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
}

func wantTotal(t *testing.T, s TotalsSubject, id totals.ID, version int64) {
	t.Helper()
	events, millis, found, err := s.ReadTotal(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if want := version % (1 << 30); found != (version > 0) || events != want || millis != 2*want {
		t.Errorf("%v: got %d events, %d ms, %v, want %d", id, events, millis, found, want)
	}
}

// ReadTotal reads a total by [sink.TotalsReader], for [TotalsSubject].
func ReadTotal(ctx context.Context, reader sink.TotalsReader, id totals.ID) (events, millis int64, found bool, err error) {
	err = reader.Totals(ctx, id.Join, []int64{id.Hour}, func(v *totals.Value) error {
		if v.ID == id && v.Events > 0 {
			events, millis, found = v.Events, v.Millis, true
		}
		return nil
	})
	return events, millis, found, err
}
