package ledger_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/workload"
	"penstock/schema"
)

// injury spoils what is about to be produced, in one way. It returns false when
// there was nothing to spoil.
type injury func(*player) bool

// find calls do for each record that fits, until it returns true.
func (p *player) find(table string, fits func(*kgo.Record) bool, do func(*part, int) bool) bool {
	for i, one := range p.parts {
		for j, r := range one.records {
			if i > 0 && strings.HasSuffix(r.Topic, "_."+table) && fits(r) && do(one, j) {
				return true
			}
		}
	}
	return false
}

func op(letter string) func(*kgo.Record) bool {
	return func(r *kgo.Record) bool { return bytes.Contains(r.Value, []byte(`"op":"`+letter+`"`)) }
}

func remove(one *part, j int) bool {
	one.records = slices.Delete(slices.Clone(one.records), j, j+1)
	return true
}

func replace(one *part, j int, from, to string) bool {
	r := *one.records[j]
	if !bytes.Contains(r.Value, []byte(from)) {
		return false
	}
	r.Value = bytes.Replace(r.Value, []byte(from), []byte(to), 1)
	one.records[j] = &r
	return true
}

func copyOf(r *kgo.Record) *kgo.Record {
	c := *r
	c.Headers = slices.Clone(r.Headers)
	return &c
}

// TestInjuriesAreFound produces a load as a capture would, spoiled in one way
// each time, and demands that the ledger finds it and calls it by its name.
func TestInjuriesAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  ledger.Kind // empty: nothing is wrong
		spoil injury
	}{
		{"nothing", "", func(*player) bool { return true }},
		{"aborted and sent again", "", func(p *player) bool { p.parts[2].abort = true; return true }},
		{"a dropped row", ledger.Lost, func(p *player) bool { return p.find("evt", op("c"), remove) }},
		{"a dropped truncation in one partition", ledger.Lost, func(p *player) bool { return p.find("trunc_t", op("t"), remove) }},
		{"a row twice", ledger.Duplicate, func(p *player) bool {
			return p.find("evt", op("u"), func(one *part, j int) bool {
				one.records = append(one.records, one.records[j])
				return true
			})
		}},
		{"a Kafka transaction twice", ledger.Duplicate, func(p *player) bool {
			p.parts = slices.Insert(p.parts, 3, &part{records: p.parts[2].records, silent: true})
			return true
		}},
		{"two commits swapped", ledger.Reorder, swapCommits},
		{"two rows of one key swapped", ledger.Reorder, swapRows},
		{"another value", ledger.Mismatch, func(p *player) bool {
			return p.find("evt", op("c"), func(one *part, j int) bool { return replace(one, j, `"worker":`, `"worker":7`) })
		}},
		{"another value before", ledger.Mismatch, func(p *player) bool {
			return p.find("evt", op("d"), func(one *part, j int) bool { return replace(one, j, `"worker":`, `"worker":7`) })
		}},
		{"a number through a float", ledger.Mismatch, func(p *player) bool {
			return p.find("evt", op("c"), func(one *part, j int) bool {
				_, id, _ := strings.Cut(string(one.records[j].Key), ":")
				n, _ := strconv.ParseInt(strings.TrimSuffix(id, "}"), 10, 64)
				rounded := int64(float64(n))
				return rounded != n && replace(one, j, fmt.Sprintf(`"id":%d`, n), fmt.Sprintf(`"id":%d`, rounded))
			})
		}},
		{"half a transaction", ledger.Torn, func(p *player) bool {
			return p.find("evt", func(r *kgo.Record) bool { return op("c")(r) && header(r, "seq") == "1" }, remove)
		}},
		{"a commit in two without marks", ledger.Torn, func(p *player) bool { return split(p, nil) }},
		{"a commit in two with marks", "", func(p *player) bool { return split(p, markEnds) }},
		{"marks that miscount", ledger.Mark, func(p *player) bool {
			return split(p, func(first, second *part, r *kgo.Record, n int) { markEnds(first, second, r, n+1) })
		}},
		{"a transfer by half", ledger.Money, func(p *player) bool { return p.find("acct", op("u"), remove) }},
		{"a position that goes back", ledger.Position, func(p *player) bool {
			p.parts[1].position, p.parts[2].position = p.parts[2].position, p.parts[1].position
			return true
		}},
		{"a position before its records", ledger.Position, func(p *player) bool {
			p.parts[3].position = position(p.parts[2].end + 1)
			return true
		}},
		{"no position", ledger.Position, func(p *player) bool { p.parts[2].silent = true; return true }},
		{"two positions", ledger.Position, func(p *player) bool {
			p.parts[2].second, p.parts[2].position = p.parts[2].position, position(p.parts[2].end-1)
			return true
		}},
		{"confirmed too early", ledger.Early, func(p *player) bool { p.parts[2].early = p.parts[2].end; return true }},
		{"confirmed before the commit", ledger.Early, func(p *player) bool { p.parts[2].hasty = true; return true }},
		{"confirmed before the first position", ledger.Early, func(p *player) bool { p.parts[0].early = p.parts[0].end; return true }},
		{"no tombstone", ledger.Tombstone, func(p *player) bool {
			return p.find("evt", func(r *kgo.Record) bool { return r.Value == nil }, remove)
		}},
		{"a version twice", ledger.Version, func(p *player) bool {
			return p.find("evt", func(r *kgo.Record) bool { return op("c")(r) && header(r, "seq") == "1" }, func(one *part, j int) bool {
				one.records[j] = copyOf(one.records[j])
				header(one.records[j], "version", header(one.records[j-1], "version"))
				return true
			})
		}},
		{"a record outside a transaction", ledger.Outside, func(p *player) bool {
			return p.find("evt", op("c"), func(one *part, j int) bool {
				one.loose = append(one.loose, one.records[j])
				return remove(one, j)
			})
		}},
		{"a row too many in a commit", ledger.Extra, func(p *player) bool {
			return p.find("evt", op("c"), func(one *part, j int) bool {
				r := copyOf(one.records[j])
				header(r, "seq", "100000")
				one.records = append(one.records, r)
				return true
			})
		}},
		{"a commit too many", ledger.Extra, func(p *player) bool {
			return p.find("evt", op("c"), func(one *part, j int) bool {
				r := copyOf(one.records[j])
				header(r, "xid", "4000000000")
				one.records = append(one.records, r)
				return true
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) { testInjury(t, c.want, c.spoil) })
	}
}

func testInjury(t *testing.T, want ledger.Kind, spoil injury) {
	p := newPlay(t)
	l := p.open()
	mix := workload.DefaultMix()
	mix.MultiRow, mix.Copy, mix.Truncate = 1, 1, 10
	load := workload.Start(t.Context(), workload.Options{DSN: p.target.DSN, Seed: 5, Workers: 2, Events: 1_500, MaxValue: 5_000, Mix: mix})
	log, err := load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	p = p.play()
	if len(p.parts) < 5 {
		t.Fatalf("only %d parts", len(p.parts))
	}
	if !spoil(p) {
		t.Fatal("there was nothing to spoil")
	}
	p.produce(func() {
		at := l.Samples()
		p.eventually("two looks at I1", func() string {
			if l.Samples() >= at+2 {
				return ""
			}
			return "not yet"
		})
	})
	v := p.judge(l, log)
	if want == "" && !v.OK() || want != "" && v.Found[want] == 0 {
		t.Errorf("got %v, want %q:\n%s", v.Found, want, strings.Join(v.Problems, "\n"))
	}
	if p.parts[2].abort && (v.AbortedTxns != 1 || v.AbortedRecords == 0) {
		t.Errorf("%d aborted transactions with %d records, want 1 with some", v.AbortedTxns, v.AbortedRecords)
	}
	if v.Samples == 0 || v.Commits == 0 || v.Records < v.Events/2 {
		t.Errorf("too little was looked at: %s", v)
	}
}

// swapCommits exchanges two neighbouring commits that meet in a partition.
func swapCommits(p *player) bool {
	return p.find("evt", func(*kgo.Record) bool { return true }, func(one *part, j int) bool {
		for k := j + 1; k < len(one.records); k++ {
			a, b := one.records[j], one.records[k]
			if a.Topic == b.Topic && a.Partition == b.Partition && header(a, "xid") != header(b, "xid") {
				var rest, moved []*kgo.Record
				for _, r := range one.records {
					if header(r, "xid") == header(a, "xid") {
						moved = append(moved, r)
					} else {
						rest = append(rest, r)
					}
				}
				one.records = slices.Concat(rest, moved)
				return true
			}
		}
		return false
	})
}

// swapRows exchanges two records of one key.
func swapRows(p *player) bool {
	return p.find("evt", op("c"), func(one *part, j int) bool {
		for k := j + 1; k < len(one.records); k++ {
			a, b := one.records[j], one.records[k]
			if a.Topic == b.Topic && bytes.Equal(a.Key, b.Key) && op("u")(b) {
				one.records[j], one.records[k] = b, a
				return true
			}
		}
		return false
	})
}

// split lays a commit's records into two Kafka transactions, at a place between
// two changes.
func split(p *player, mark func(first, second *part, r *kgo.Record, n int)) bool {
	for i, one := range p.parts {
		for j, r := range one.records {
			if i == 0 || header(r, "seq") != "3" || header(one.records[j-1], "seq") != "2" {
				continue
			}
			events := map[string]bool{}
			for _, other := range one.records {
				if header(other, "xid") == header(r, "xid") {
					events[header(other, "seq")] = true
				}
			}
			before := p.parts[i-1].end
			first := &part{records: one.records[:j:j], position: position(before)}
			// What lies before the commit is in Kafka, too.
			if at := slices.IndexFunc(one.records, func(o *kgo.Record) bool { return header(o, "xid") == header(r, "xid") }); at > 0 {
				lsn, _ := schema.ParseLSN(header(one.records[at-1], "lsn"))
				first.position = position(lsn + 8)
			}
			first.position["open"] = map[string]any{"final_lsn": header(r, "lsn"), "xid": 1, "n": 3, "hash": "00"}
			second := &part{records: one.records[j:], position: one.position, end: one.end}
			if mark != nil {
				mark(first, second, r, len(events))
			}
			p.parts = slices.Replace(p.parts, i, i+1, first, second)
			return true
		}
	}
	return false
}

func markEnds(first, second *part, r *kgo.Record, n int) {
	topic := r.Topic[:strings.LastIndex(r.Topic, "_.")] + "_.transactions"
	lsn, _ := schema.ParseLSN(header(r, "lsn"))
	id := fmt.Sprintf("%s:%d", header(r, "xid"), uint64(lsn))
	table := "public." + r.Topic[strings.LastIndex(r.Topic, ".")+1:]
	first.records = append(first.records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, `{"status":"BEGIN","id":%q,"event_count":null}`, id)})
	second.records = append(slices.Clip(second.records), &kgo.Record{Topic: topic, Value: fmt.Appendf(nil,
		`{"status":"END","id":%q,"event_count":%d,"data_collections":[{"data_collection":%q,"event_count":%d}]}`, id, n, table, n)})
}

// TestAWrongClientLogIsFound has the log promise what is not there, and deny what is.
func TestAWrongClientLogIsFound(t *testing.T) {
	p := newPlay(t)
	l := p.open()
	load := workload.Start(t.Context(), workload.Options{DSN: p.target.DSN, Seed: 6, Workers: 1, Events: 300, MaxValue: 5_000})
	log, err := load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(log.Ops, func(o workload.Op) bool { return o.Outcome == workload.OK && o.Changes > 0 })
	log.Ops[i].Outcome = workload.Fail
	log.Ops = append(log.Ops, workload.Op{Worker: 0, N: 1 << 30, Outcome: workload.OK, Changes: 1}, workload.Op{Worker: 0, N: 1 << 31, Outcome: workload.Unknown})
	p = p.play()
	p.produce(func() {})
	v := p.judge(l, log)
	if v.Found[ledger.Client] != 2 || len(v.Found) != 1 || v.Unknown != 1 {
		t.Errorf("got %v, want 2 of the client's:\n%s", v.Found, strings.Join(v.Problems, "\n"))
	}
}
