package cassandra_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/sink"
	"penstock/sink/cassandra"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// scanned is how many rows the tests put: more than a page in some parts of the ring.
const scanned = 3000

// TestScansMeetEveryRowOnce puts rows, a few without a join value or with NULLs, and
// holds all three scans against them.
func TestScansMeetEveryRowOnce(t *testing.T) {
	for _, specimen := range storetest.Specimens("p:") {
		t.Run(specimen.Name, func(t *testing.T) {
			cfg := config(t)
			cfg.Plan = specimen.Plan
			s := open(t, cfg)
			want := make(map[string]plan.Stored)
			var writes []sink.Write
			for n := range int64(scanned) {
				row := specimen.Full(n)
				switch n % 10 {
				case 0:
					row = specimen.Sparse(n)
				case 1:
					row = specimen.Alone(n)
				}
				writes = append(writes, storetest.Put(1000+n, row))
				want[string(cfg.Plan.AppendRowKey(nil, row))] = plan.Stored{Row: row, Version: 1000 + n}
			}
			if err := s.Apply(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			for _, table := range []*plan.Table{&cfg.Plan.History, &cfg.Plan.Views[0]} {
				wantTable(t, s, cfg.Plan, table, want)
			}
			wantStored(t, cfg.Plan, cfg.Plan.History.Kept(), want, func(visit func([]plan.Stored) error) error { return s.ScanHistory(t.Context(), visit) })
			wantStored(t, cfg.Plan, cfg.Plan.Views[0].Kept(), want, func(visit func([]plan.Stored) error) error { return s.ScanView(t.Context(), 0, visit) })
			stop := errors.New("stop")
			if err := s.ScanView(t.Context(), 0, func([]plan.Stored) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("the visitor's error came back as %v", err)
			}
		})
	}
}

// wantTable holds every column of a table against the rows.
func wantTable(t *testing.T, s *cassandra.Store, p *plan.Plan, table *plan.Table, want map[string]plan.Stored) {
	t.Helper()
	var mu sync.Mutex
	got := make(map[string][]cassandra.Kept)
	err := s.ScanTable(t.Context(), table, func(k *cassandra.Kept) error {
		row := p.NewRow()
		for i, c := range table.Columns {
			if slices.Contains(p.Key, c.Slot) && c.Form == plan.Plain {
				row[c.Slot] = k.Values[i]
			}
		}
		mu.Lock()
		defer mu.Unlock()
		key := string(p.AppendRowKey(nil, row))
		copied := *k
		copied.Values = slices.Clone(k.Values)
		got[key] = append(got[key], copied)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", table.Name, len(got), len(want))
	}
	for key, w := range want {
		values := make([]plan.Value, len(table.Columns))
		for i := range table.Columns {
			values[i] = p.Kept(&table.Columns[i], w.Row)
		}
		whole := []cassandra.Kept{{Values: values, Version: w.Version, FirstWritten: w.Version, LastWritten: w.Version}}
		if diff := cmp.Diff(whole, got[key]); diff != "" {
			t.Fatalf("%s, row %q (-want +got):\n%s", table.Name, key, diff)
		}
	}
}

// TestScanTableTellsTheTimestampsApart finds a cell that another write has made.
func TestScanTableTellsTheTimestampsApart(t *testing.T) {
	cfg := config(t)
	cfg.Plan = storetest.Engagement("").Plan
	s, session := open(t, cfg), raw(t, cfg)
	if err := s.Apply(t.Context(), []sink.Write{put(100, someRow())}); err != nil {
		t.Fatal(err)
	}
	for i, cell := range []string{"device", "engagement_seconds"} {
		query := "UPDATE engagement_by_event USING TIMESTAMP ? SET " + cell + " = null, event_type = 'x' WHERE event_id = 1"
		if err := session.Query(query, 101+i).ExecContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	err := s.ScanTable(t.Context(), &cfg.Plan.Views[0], func(k *cassandra.Kept) error {
		found++
		if k.Version != 100 || k.FirstWritten != 100 || k.LastWritten != 102 {
			t.Errorf("version %d, cells from %d to %d", k.Version, k.FirstWritten, k.LastWritten)
		}
		return nil
	})
	if err != nil || found != 1 {
		t.Errorf("%d rows, error %v", found, err)
	}
}

func wantStored(t *testing.T, p *plan.Plan, kept []int, want map[string]plan.Stored, scan func(func([]plan.Stored) error) error) {
	t.Helper()
	got := make(map[string]plan.Stored)
	err := scan(func(page []plan.Stored) error {
		for _, row := range page {
			key := string(p.AppendRowKey(nil, row.Row))
			if _, twice := got[key]; twice {
				t.Errorf("row %q came twice", key)
			}
			got[key] = row
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
	for key, w := range want {
		for slot := range w.Row {
			if slices.Contains(kept, slot) && got[key].Row[slot] != w.Row[slot] {
				t.Fatalf("row %q: %s is %v, want %v", key, p.Slots[slot].Name, got[key].Row[slot], w.Row[slot])
			}
		}
		if got[key].Version != w.Version {
			t.Fatalf("row %q: version %d, want %d", key, got[key].Version, w.Version)
		}
	}
}
