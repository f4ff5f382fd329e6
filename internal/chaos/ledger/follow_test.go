package ledger

import (
	"hash/maphash"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestTheConcurrentReadersChain has the concurrent consumer read something else
// than the scan, in each way there is.
func TestTheConcurrentReadersChain(t *testing.T) {
	record := func(offset int64, value string) *kgo.Record {
		return &kgo.Record{Topic: "t", Offset: offset, Key: []byte("k"), Value: []byte(value)}
	}
	scanned := []*kgo.Record{record(0, "a"), record(1, "b"), record(4, "c")}
	for _, c := range []struct {
		name string
		read []*kgo.Record
		want int64
	}{
		{"the same", scanned, 0},
		{"nothing", nil, 1},
		{"one less", scanned[:2], 1},
		{"one in between less", []*kgo.Record{scanned[0], scanned[2]}, 1},
		{"one more", append(scanned[:3:3], record(5, "d")), 1},
		{"another value", []*kgo.Record{scanned[0], record(1, "x"), scanned[2]}, 1},
		{"another offset", []*kgo.Record{scanned[0], record(2, "b"), scanned[2]}, 1},
		{"one again", append(scanned[:3:3], scanned[2]), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &follower{seed: maphash.MakeSeed(), chains: map[partition]*chain{}}
			for _, r := range c.read {
				f.take(r)
			}
			all := &chain{}
			for _, r := range scanned {
				if err := all.add(f.seed, r); err != nil {
					t.Fatal(err)
				}
			}
			v := newVerdict()
			f.compare(v, map[partition]*chain{{"t", 0}: all, {"never", 1}: {}})
			if v.Found[Reread] != c.want {
				t.Errorf("got %d, want %d: %q", v.Found[Reread], c.want, v.Problems)
			}
		})
	}
}
