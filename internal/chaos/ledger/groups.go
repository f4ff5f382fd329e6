package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
)

// producer names one Kafka transaction: since Kafka 4 each has an epoch of its
// own (transaction.version 2).
type producer struct {
	id    int64
	epoch int16
}

// group is what one Kafka transaction holds.
type group struct {
	positions       int
	records         int64
	lowest, highest coordinates // of its data records
}

// groups gathers the records of all partitions by Kafka transaction.
type groups struct {
	catalog *catalog
	truth   *truth
	verdict *Verdict
	index   map[producer]int32
	all     []group

	positions []position
	key       string
}

// position is a position record.
type position struct {
	offset   int64
	producer int64
	group    int32
	Timeline int32      `json:"timeline"`
	EndLSN   schema.LSN `json:"end_lsn"`
	Open     struct {
		FinalLSN schema.LSN `json:"final_lsn"`
		N        uint64     `json:"n"`
	} `json:"open"`
}

func (g *groups) of(r *kgo.Record) int32 {
	p := producer{r.ProducerID, r.ProducerEpoch}
	index, known := g.index[p]
	if !known {
		index = int32(len(g.all))
		g.index[p] = index
		g.all = append(g.all, group{})
	}
	return index
}

// data adds a record of a table's topic.
func (g *groups) data(r *kgo.Record, cm *commit, at coordinates) {
	if !r.Attrs.IsTransactional() {
		return
	}
	index := g.of(r)
	of := &g.all[index]
	if of.records == 0 || at.before(of.lowest) {
		of.lowest = at
	}
	if of.records == 0 || of.highest.before(at) {
		of.highest = at
	}
	of.records++
	cm.split = cm.split || cm.starts >= 0 && cm.starts != index || cm.ends >= 0 && cm.ends != index
	if at.seq == 0 || cm.starts < 0 {
		cm.starts = index
	}
	if at.seq == uint64(cm.n-1) || cm.ends < 0 {
		cm.ends = index
	}
}

func (c coordinates) before(d coordinates) bool {
	return c.lsn < d.lsn || c.lsn == d.lsn && c.seq < d.seq
}

// parsePosition takes what it knows and leaves the rest alone.
func parsePosition(r *kgo.Record) (position, error) {
	p := position{offset: r.Offset, producer: r.ProducerID}
	if err := json.Unmarshal(r.Value, &p); err != nil {
		return p, fmt.Errorf("%s: %w", where(r), err)
	}
	if p.EndLSN.IsZero() {
		return p, fmt.Errorf("%s: no end_lsn", where(r))
	}
	return p, nil
}

// position adds a record of the position topic.
func (g *groups) position(r *kgo.Record) {
	if string(r.Key) != g.key {
		return
	}
	p, err := parsePosition(r)
	if err != nil {
		g.verdict.report(Position, "%v", err)
		return
	}
	if !r.Attrs.IsTransactional() {
		g.verdict.report(Outside, "%s", where(r))
	}
	p.group = g.of(r)
	of := &g.all[p.group]
	if of.positions++; of.positions > 1 {
		g.verdict.report(Position, "%s: position %s is the second of its Kafka transaction", where(r), p)
	}
	g.positions = append(g.positions, p)
}

func (p position) String() string {
	if p.Open.N == 0 {
		return p.EndLSN.String()
	}
	return fmt.Sprintf("%s with %d changes of %s", p.EndLSN, p.Open.N, p.Open.FinalLSN)
}

// follows reports whether p is further than before, or the same place on the
// timeline of a server that was promoted.
func (p position) follows(before position) bool {
	if p.EndLSN != before.EndLSN {
		return p.EndLSN > before.EndLSN
	}
	return p.Open.N > before.Open.N || p.Open.N == before.Open.N && p.Timeline > before.Timeline
}

// conclude checks K4: positions only move forward, and each says exactly what is
// in its Kafka transaction.
func (g *groups) conclude() {
	g.verdict.Positions = int64(len(g.positions))
	var before position
	for _, p := range g.positions {
		if !p.follows(before) {
			g.verdict.report(Position, "offset %d: position %s follows %s", p.offset, p, before)
		} else if of := &g.all[p.group]; of.records > 0 && !p.covers(before, of) {
			g.verdict.report(Position, "offset %d: position %s after %s comes with commits %s to %s",
				p.offset, p, before, of.lowest.lsn, of.highest.lsn)
		}
		before = p
	}
	for i, of := range g.all {
		if of.records > 0 && of.positions == 0 {
			g.verdict.report(Position, "a Kafka transaction with commits %s to %s has no position (number %d)", of.lowest.lsn, of.highest.lsn, i)
		}
	}
	for i := range g.truth.commits {
		g.whole(&g.truth.commits[i])
	}
}

// covers reports whether the records lie between the two positions.
func (p position) covers(before position, of *group) bool {
	from := of.lowest.lsn >= before.EndLSN
	if before.Open.N > 0 && of.lowest.lsn == before.Open.FinalLSN {
		from = of.lowest.seq >= before.Open.N
	}
	to := of.highest.lsn < p.EndLSN
	if p.Open.N > 0 {
		to = of.highest.lsn < p.Open.FinalLSN || of.highest.lsn == p.Open.FinalLSN && of.highest.seq < p.Open.N
	}
	return from && to
}

// whole checks K5: a commit is visible at once, or its parts are announced.
func (g *groups) whole(cm *commit) {
	name := fmt.Sprintf("xid %d, commit %s", cm.xid, cm.lsn)
	if cm.split {
		g.verdict.Splits++
	}
	switch {
	case cm.split && cm.marks == 0:
		g.verdict.report(Torn, "%s lies in several Kafka transactions and has no marks", name)
	case cm.marks == 0:
	case cm.begun < 0 || cm.done < 0:
		g.verdict.report(Mark, "%s has only one of begin and end", name)
	case cm.marks != 2:
		g.verdict.report(Mark, "%s has %d marks", name, cm.marks)
	case cm.begun != cm.starts || cm.done != cm.ends && g.all[cm.done].records > 0:
		g.verdict.report(Mark, "%s: a mark is not in the Kafka transaction of the first and the last change", name)
	}
}

// mark is the value of a mark: Debezium's transaction metadata.
type mark struct {
	Status     string `json:"status"`
	ID         string `json:"id"`
	EventCount *int64 `json:"event_count"`
	Tables     []struct {
		Name       string `json:"data_collection"`
		EventCount int64  `json:"event_count"`
	} `json:"data_collections"`
}

// mark adds a record of the transaction topic.
func (g *groups) mark(r *kgo.Record) {
	var m mark
	bad := func(format string, args ...any) {
		g.verdict.report(Mark, "%s: %s", where(r), fmt.Sprintf(format, args...))
	}
	if err := json.Unmarshal(r.Value, &m); err != nil {
		bad("%v", err)
		return
	}
	id, lsn, _ := strings.Cut(m.ID, ":")
	xid, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		bad("id %q", m.ID)
		return
	}
	index, known := g.truth.byXID[uint32(xid)]
	if !known {
		bad("the history has no xid %d", xid)
		return
	}
	cm := &g.truth.commits[index]
	if want := strconv.FormatUint(uint64(cm.lsn), 10); !cm.lsn.IsZero() && lsn != want {
		bad("id %q, its records have commit %s", m.ID, want)
	}
	cm.marks++
	switch m.Status {
	case "BEGIN":
		cm.begun = g.of(r)
	case "END":
		cm.done = g.of(r)
		if err := g.counts(cm, &m); err != nil {
			bad("%v", err)
		}
	default:
		bad("status %q", m.Status)
	}
}

// counts holds the counts of an end against the history.
func (g *groups) counts(cm *commit, m *mark) error {
	if m.EventCount == nil || *m.EventCount != int64(cm.n) {
		return fmt.Errorf("event_count is not the %d of the history", cm.n)
	}
	want := map[string]int64{}
	for _, e := range g.truth.events[cm.first : cm.first+cm.n] {
		want[g.catalog.tables[e.table].name.String()]++
	}
	for _, t := range m.Tables {
		if want[t.Name] != t.EventCount {
			return fmt.Errorf("%s: event_count %d, the history has %d", t.Name, t.EventCount, want[t.Name])
		}
		delete(want, t.Name)
	}
	if len(want) > 0 {
		return fmt.Errorf("%d tables are not named", len(want))
	}
	return nil
}
