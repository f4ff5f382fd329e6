package redis_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"penstock/internal/stack/stacktest"
	"penstock/sink"
	"penstock/sink/plan"
	"penstock/sink/redis"
	"penstock/sink/storetest"
)

// TestScanMeetsEveryKey puts rows and tombstones beside a key of somebody else, and
// one under the prefix that is no hash.
func TestScanMeetsEveryKey(t *testing.T) {
	const rows = 2500
	for i := range storetest.Specimens("") {
		specimen := storetest.Specimens(stacktest.Prefix(t) + `[*?\`)[i]
		t.Run(specimen.Name, func(t *testing.T) {
			p := specimen.Plan
			s, _ := open(t, redis.Config{Plan: p})
			want := make(map[string]plan.Stored)
			var writes []sink.Write
			for n := range int64(rows) {
				row := specimen.Full(n)
				writes = append(writes, storetest.Put(n+1, row))
				if n%100 == 0 {
					writes = append(writes, storetest.Remove(p, n+2, row)...)
					continue
				}
				want[string(p.Redis.AppendKey(nil, row))] = plan.Stored{Row: row, Version: n + 1}
			}
			if err := s.Apply(t.Context(), writes); err != nil {
				t.Fatal(err)
			}
			foreign := p.Redis.Prefix() + "foreign"
			set(t, foreign, "x"+p.Redis.Prefix()+"1")
			got, deleted, strangers := scanAll(t, s, p)
			if len(deleted) != rows/100 || !cmp.Equal(strangers, []string{foreign}) {
				t.Errorf("%d tombstones, strangers %q", len(deleted), strangers)
			}
			wantRows(t, p, want, got)
		})
	}
}

// set sets keys to a value that is no hash.
func set(t *testing.T, keys ...string) {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{stacktest.Servers(t).Redis.Address}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for _, key := range keys {
		if err := client.Do(t.Context(), client.B().Set().Key(key).Value("v").Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
}

func wantRows(t *testing.T, p *plan.Plan, want, got map[string]plan.Stored) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d", len(got), len(want))
	}
	for key, w := range want {
		for _, slot := range p.Redis.Kept() {
			if got[key].Row[slot] != w.Row[slot] {
				t.Fatalf("key %q: %s is %v, want %v", key, p.Slots[slot].Name, got[key].Row[slot], w.Row[slot])
			}
		}
		if got[key].Version != w.Version {
			t.Fatalf("key %q: version %d, want %d", key, got[key].Version, w.Version)
		}
	}
}

// scanAll scans, and reads the key of each row back.
func scanAll(t *testing.T, s *redis.Store, p *plan.Plan) (rows map[string]plan.Stored, deleted map[string]bool, strangers []string) {
	t.Helper()
	rows, deleted = make(map[string]plan.Stored), make(map[string]bool)
	err := s.Scan(t.Context(), func(page []redis.Found) error {
		for i := range page {
			f := &page[i]
			switch {
			case f.Foreign:
				strangers = append(strangers, f.Key)
				continue
			case f.Deleted():
				deleted[f.Key] = true
				if _, err := strconv.ParseInt(f.Version(), 10, 64); err != nil {
					t.Errorf("tombstone %q: %v", f.Key, err)
				}
			default:
				row, err := s.Row(f)
				if err != nil {
					t.Error(err)
				}
				rows[f.Key] = row
			}
			if key, err := p.ParseKey([]byte(f.Key)); err != nil || s.KeyOf(key) != f.Key {
				t.Errorf("key %q was read as %v, error %v", f.Key, key, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, deleted, strangers
}
