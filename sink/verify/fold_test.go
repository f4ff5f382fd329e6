package verify

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/sink/plan"
)

const partitions = 3

// written is a table with the records of what became of it.
type written struct {
	t       *testing.T
	random  *rand.Rand
	version int64
	rows    map[int64]row
	lookups map[int64]string
	topic   map[int32][]*kgo.Record
}

func (w *written) put(join int64, r *kgo.Record) {
	p := int32(join % partitions)
	r.Partition = p
	w.topic[p] = append(w.topic[p], r)
}

func (w *written) everywhere(make func() *kgo.Record) {
	for p := range int64(partitions) {
		w.put(p, make())
	}
}

// step does one random thing to the tables.
func (w *written) step() {
	w.version += 2
	next := row{id: w.random.Int64N(30), j: w.random.Int64N(6), v: fmt.Sprint(w.random.IntN(5))}
	old, exists := w.rows[next.id]
	switch n := w.random.IntN(100); {
	case n < 2:
		clear(w.rows)
		w.everywhere(func() *kgo.Record { return recordOf(schema.OpTruncate, "stream", w.version, "", "") })
	case n < 3:
		clear(w.lookups)
		w.everywhere(func() *kgo.Record { return recordOf(schema.OpTruncate, "lookup", w.version, "", "") })
	case n < 20:
		w.stepLookup(next.j, fmt.Sprint(w.random.IntN(5)))
	case exists && n < 40:
		delete(w.rows, next.id)
		w.put(old.j, recordOf(schema.OpDelete, "stream", w.version, old.json(), ""))
	case exists && next.j == old.j:
		w.rows[next.id] = next
		w.put(old.j, recordOf(schema.OpUpdate, "stream", w.version, old.json(), next.json()))
	case exists: // it moves: two records, the first one version earlier
		w.rows[next.id] = next
		w.put(old.j, recordOf(schema.OpDelete, "stream", w.version-1, old.json(), ""))
		w.put(next.j, recordOf(schema.OpCreate, "stream", w.version, "", next.json()))
	default:
		w.rows[next.id] = next
		w.put(next.j, recordOf(schema.OpCreate, "stream", w.version, "", next.json()))
	}
}

func (w *written) stepLookup(id int64, name string) {
	image := func(name string) string { return fmt.Sprintf(`{"id":%d,"name":%q}`, id, name) }
	old, exists := w.lookups[id]
	switch {
	case exists && name == "0":
		delete(w.lookups, id)
		w.put(id, recordOf(schema.OpDelete, "lookup", w.version, image(old), ""))
	case exists:
		w.lookups[id] = name
		w.put(id, recordOf(schema.OpUpdate, "lookup", w.version, image(old), image(name)))
	default:
		w.lookups[id] = name
		w.put(id, recordOf(schema.OpCreate, "lookup", w.version, "", image(name)))
	}
}

// TestTheTopicFoldsToTheTables writes random changes of both tables, with truncations and
// moves between partitions, and holds both folds of the topic against the tables: the
// checksums, which keep no row, and the last change of each row.
func TestTheTopicFoldsToTheTables(t *testing.T) {
	p := small(t)
	for seed := range uint64(60) {
		w := &written{
			t: t, random: rand.New(rand.NewPCG(seed, 1)), rows: map[int64]row{}, lookups: map[int64]string{}, topic: map[int32][]*kgo.Record{},
		}
		for range 200 {
			w.step()
		}
		h := newHasher()
		sums, last := newHistory(p, h), newLatest(p, h)
		last.wanted = [sides]set{newSet(), newSet()}
		last.wanted[stream].addAll()
		last.wanted[lookup].addAll()
		for partition, records := range w.topic {
			for len(records) > 0 {
				n := 1 + w.random.IntN(len(records))
				if err := sums.take(partition, records[:n]); err != nil {
					t.Fatal(err)
				}
				if err := last.take(partition, records[:n]); err != nil {
					t.Fatal(err)
				}
				records = records[n:]
			}
		}
		w.holds(p, h, sums, last)
	}
}

func (w *written) holds(p *plan.Plan, h *hasher, sums *history, last *latest) {
	w.t.Helper()
	all := places(p, nil, nil)
	for of, want := range map[side][]*entry{stream: w.stream(p, all[0]), lookup: w.lookup(p, all[1])} {
		folded := newFold()
		for _, e := range want {
			folded.add(h, e)
			if got, known := last.row(of, e.key); !known || got == nil || !e.same(got) {
				w.t.Fatalf("side %d: the topic's last of %v is %v", of, e.values, got)
			}
		}
		left := 0
		for key := range last.rows[of] {
			if e, _ := last.row(of, key); e != nil {
				left++
			}
		}
		if left != len(want) {
			w.t.Fatalf("side %d: the topic has %d rows, the table %d", of, left, len(want))
		}
		if differ := differing(folded, sums.fold(of), 0); !differ.empty() {
			w.t.Fatalf("side %d: the checksums differ: %d rows in the table, %d in the topic", of, folded.count(), sums.fold(of).count())
		}
	}
}

func (w *written) stream(p *plan.Plan, at *place) []*entry {
	var list []*entry
	for _, r := range w.rows {
		list = append(list, at.entry(sourceOf(w.t, p, r, w.lookups[r.j])))
	}
	return list
}

func (w *written) lookup(p *plan.Plan, at *place) []*entry {
	source := &postgres{plan: p}
	source.lookup.columns, source.lookup.join = []string{"id", "name"}, "id"
	var list []*entry
	for id, name := range w.lookups {
		list = append(list, at.entry(source.lookupRow([][]byte{fmt.Append(nil, id), []byte(name)})))
	}
	return list
}

// TestSumsFindExactlyWhatDiffers injects differences of every kind among random rows: the
// buckets that differ are exactly those of these rows.
func TestSumsFindExactlyWhatDiffers(t *testing.T) {
	const clock = 1000
	for seed := range uint64(30) {
		random, h := rand.New(rand.NewPCG(seed, 2)), newHasher()
		want, got, injected := newFold(), newFold(), newSet()
		for id := range int64(2000) {
			e := &entry{key: string(plan.AppendValue(nil, plan.IntOf(id))), values: []plan.Value{plan.IntOf(id), plan.TextOf(fmt.Sprint(random.IntN(9)))}, version: 1 + random.Int64N(clock)}
			e.written = e.version
			found := *e
			kind := random.IntN(40)
			switch kind {
			case 0: // missing
				want.add(h, e)
			case 1: // extra
				got.add(h, e)
			case 2:
				found.values = []plan.Value{e.values[0], {}}
			case 3:
				found.values = []plan.Value{e.values[0], plan.TextOf("")}
			case 4:
				found.torn = "1 to 2"
			case 5:
				found.written = clock + 1
			case 6: // twice
				got.add(h, e)
			}
			if kind > 1 {
				want.add(h, e)
				got.add(h, &found)
			}
			if kind <= 6 {
				injected.add(h.bucketOf(e.key))
			}
		}
		differ := differing(want, got, clock)
		for b := range buckets {
			if differ.has(b) != injected.has(b) {
				t.Fatalf("seed %d: bucket %d: found %v, injected %v", seed, b, differ.has(b), injected.has(b))
			}
		}
	}
}
