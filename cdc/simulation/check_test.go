package simulation_test

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/record"
)

// ledger holds what the topics say against what was written.
type ledger struct {
	world    *world
	deeds    map[place]*deed
	seen     map[sighting]int
	versions map[place]int64
	parts    map[string]map[schema.LSN]map[int]bool // Kafka transactions by partition, of each commit
}

// sighting is one record that must be there once: a part of a change, and for a
// truncation also its partition.
type sighting struct {
	place     place
	topic     string
	part      int
	partition int32
}

// check reads all topics and reports every difference.
func (w *world) check() {
	l := &ledger{
		world: w, deeds: w.expected(), seen: map[sighting]int{}, versions: map[place]int64{},
		parts: map[string]map[schema.LSN]map[int]bool{},
	}
	topics := []string{pipelineTopic}
	for _, table := range allTables() {
		topics = append(topics, topicOf(table))
	}
	for _, topic := range topics {
		read, err := w.kafka.readAll(w.ctx, topic)
		if err != nil {
			w.problem("read topic %s: %v", topic, err)
			continue
		}
		l.topic(topic, read)
	}
	l.complete()
	l.whole()
	l.ordered()
	l.marked()
	w.checkPositions()
}

// topic looks at each record of a topic, in order.
func (l *ledger) topic(topic string, read map[int32][]*kgo.Record) {
	homes := map[string]int32{}
	for partition, records := range read {
		last, at := order{}, fmt.Sprintf("%s/%d", topic, partition)
		transaction := 0
		l.parts[at] = map[schema.LSN]map[int]bool{}
		for _, r := range records {
			if r.Attrs.IsControl() {
				transaction++
				continue
			}
			next, err := l.record(topic, r)
			if err != nil {
				l.world.problem("%s, offset %d: %v", at, r.Offset, err)
				continue
			}
			if !last.before(next) {
				l.world.problem("reorder: %s, offset %d: %v comes after %v", at, r.Offset, next, last)
			}
			last = next
			if home, known := homes[string(r.Key)]; known && home != partition && r.Key != nil {
				l.world.problem("%s, offset %d: key %s is also in partition %d", at, r.Offset, r.Key, home)
			}
			homes[string(r.Key)] = partition
			if l.parts[at][next.lsn] == nil {
				l.parts[at][next.lsn] = map[int]bool{}
			}
			l.parts[at][next.lsn][transaction] = true
		}
	}
}

// order is where a record stands within its partition.
type order struct {
	lsn       schema.LSN
	seq, part int
}

func (o order) before(p order) bool {
	return slices.Compare([]int{int(o.lsn), o.seq, o.part}, []int{int(p.lsn), p.seq, p.part}) < 0 || o == order{}
}

// record finds what a record is of, and compares what it says.
func (l *ledger) record(topic string, r *kgo.Record) (order, error) {
	at, err := record.ParseCoordinates(func(key string) ([]byte, bool) {
		for _, h := range r.Headers {
			if h.Key == key {
				return h.Value, true
			}
		}
		return nil, false
	})
	if err != nil {
		return order{}, err
	}
	where := place{at.LSN, int(at.Seq)}
	next := order{at.LSN, int(at.Seq), 0}
	d, known := l.deeds[where]
	if !known {
		return next, fmt.Errorf("extra: nothing was written at %s change %d", at.LSN, at.Seq)
	}
	said, err := told(r.Key, r.Value)
	if err != nil {
		return next, err
	}
	facts := d.topics[topic]
	next.part = slices.IndexFunc(facts, func(f fact) bool { f.early = false; return f == said })
	if next.part < 0 {
		return next, fmt.Errorf("it says %+v, want one of %+v", said, facts)
	}
	s := sighting{place: where, topic: topic, part: next.part}
	if said.op == "t" {
		s.partition = r.Partition
	}
	l.seen[s]++
	version := at.Version
	if facts[next.part].early {
		version++
	}
	if other, known := l.versions[where]; known && other != version {
		return next, fmt.Errorf("version %d, elsewhere it is %d", version, other)
	}
	l.versions[where] = version
	return next, nil
}

// complete reports what is missing and what is there twice.
func (l *ledger) complete() {
	for where, d := range l.deeds {
		for topic, facts := range d.topics {
			for part, f := range facts {
				copies := int32(1)
				if f.op == "t" {
					copies = partitions
				}
				for partition := range copies {
					s := sighting{where, topic, part, partition}
					switch n := l.seen[s]; {
					case n == 0:
						l.world.problem("lost: %s of %s change %d in %s", f.op, where.lsn, where.seq, topic)
					case n > 1:
						l.world.problem("dup: %s of %s change %d is %d times in %s", f.op, where.lsn, where.seq, n, topic)
					}
				}
			}
		}
	}
}

// sizes are the numbers of records of the commits, those of a truncation in every
// partition.
func (l *ledger) sizes() map[schema.LSN]int {
	sizes := map[schema.LSN]int{}
	for where, d := range l.deeds {
		for _, facts := range d.topics {
			for _, f := range facts {
				sizes[where.lsn]++
				if f.op == "t" {
					sizes[where.lsn] += partitions - 1
				}
			}
		}
	}
	return sizes
}

// whole reports commits that were torn apart although they are small.
func (l *ledger) whole() {
	sizes := l.sizes()
	for at, commits := range l.parts {
		for lsn, transactions := range commits {
			if len(transactions) > 1 && sizes[lsn] <= splitRecords {
				l.world.problem("torn: commit %s with %d records is in %d Kafka transactions of %s", lsn, sizes[lsn], len(transactions), at)
			}
		}
	}
}

// ordered reports versions that do not grow with the stream.
func (l *ledger) ordered() {
	places := make([]place, 0, len(l.versions))
	for p := range l.versions {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int {
		return slices.Compare([]int{int(a.lsn), a.seq}, []int{int(b.lsn), b.seq})
	})
	for i := 1; i < len(places); i++ {
		// The version before each is that of its leaving half.
		if before, now := l.versions[places[i-1]], l.versions[places[i]]; now-1 <= before {
			l.world.problem("version %d of %v is not above %d of %v", now, places[i], before, places[i-1])
		}
	}
}

// checkPositions demands one position a Kafka transaction, each further than the last.
func (w *world) checkPositions() {
	read, err := w.kafka.readAll(w.ctx, positionTopic)
	if err != nil {
		w.problem("read topic %s: %v", positionTopic, err)
		return
	}
	var last schema.Position
	inTransaction := 0
	for _, r := range read[0] {
		if r.Attrs.IsControl() {
			inTransaction = 0
			continue
		}
		if string(r.Key) != captureName {
			continue // what it remembers of a table
		}
		if inTransaction++; inTransaction > 1 {
			w.problem("position at offset %d is not the only one of its Kafka transaction", r.Offset)
		}
		p, err := record.ParsePosition(r.Value)
		if err != nil {
			w.problem("position at offset %d: %v", r.Offset, err)
			continue
		}
		forward := p.EndLSN > last.EndLSN || p.EndLSN == last.EndLSN &&
			(p.Open.N > last.Open.N || p.Open.N == last.Open.N && p.Timeline > last.Timeline)
		if same := p == last && w.beating(); !same && !forward || p.Version < last.Version {
			w.problem("position at offset %d goes from %s to %s", r.Offset, describe(last), describe(p))
		}
		last = p
	}
	if confirmed := w.postgres.confirmed(); confirmed > last.EndLSN {
		w.problem("I1: at the end, confirmed is %s and the position %s", confirmed, describe(last))
	}
	if end := w.lastCommit(); last.EndLSN < end {
		w.problem("the last position is %s, the last commit ends at %s", describe(last), end)
	}
}

func describe(p schema.Position) string {
	return p.EndLSN.String() + " open " + strconv.FormatUint(p.Open.N, 10) + " version " + strconv.FormatInt(p.Version, 10)
}
