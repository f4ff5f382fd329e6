package cdc

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/schema"
)

// State is what a capture is doing.
type State string

// The states.
const (
	Starting   State = "starting"  // it looks at the servers, takes the slot, reads the position
	StandingBy State = "standby"   // another daemon holds the slot
	Streaming  State = "streaming" // it delivers
	Waiting    State = "waiting"   // for a server, after something failed
)

// States lists them all.
func States() []State { return []State{Starting, StandingBy, Streaming, Waiting} }

// Stats is what a capture says of itself. What it counts begins with the process.
type Stats struct {
	State     State
	Received  schema.LSN // the highest that the server has sent
	Delivered schema.LSN // everything that was committed below is in Kafka, and confirmed to the slot
	Version   int64      // of the last change delivered, in microseconds: about when it was committed; 0 for none
	Began     time.Time  // when it began to stream last
	Committed time.Time  // when a Kafka transaction was committed last; while nothing happens every few seconds

	Transactions int64          // commits of the source that were handed to Kafka whole
	Changes      []TableChanges // handed to Kafka, by table and operation, also those that had to be sent again
	Commits      int64          // Kafka transactions that were committed
	Aborts       int64          // and aborted
	Topics       []TopicVolume  // written to Kafka, by topic, also in transactions that were not committed

	Backfills []backfill.Progress // the last of each table, as far as they are in Kafka, by table
}

// TableChanges counts the changes of a table by one operation.
type TableChanges struct {
	Table schema.TableName
	Op    schema.Op
	N     int64
}

// TopicVolume is what brokers have acknowledged of a topic.
type TopicVolume struct {
	Topic   string
	Records int64
	Bytes   int64 // of batches, before compression
}

// Stats may be called at any time, from any goroutine.
func (c *Capture) Stats() Stats { return c.cfg.meter.stats() }

// meter counts what a capture does. Only its maps have a lock, which no row waits for: they are
// touched when a table, a topic or a backfill is another than before. A nil meter counts nothing.
type meter struct {
	state     atomic.Pointer[State]
	received  atomic.Uint64
	delivered atomic.Uint64
	version   atomic.Int64
	began     atomic.Int64 // nanoseconds since the Unix epoch, like committed
	committed atomic.Int64

	transactions, commits, aborts atomic.Int64

	mu        sync.Mutex
	changes   map[schema.TableName]*changeCounts     // guarded by mu, the counts are not
	topics    map[string]*TopicVolume                // guarded by mu
	backfills map[schema.TableName]backfill.Progress // guarded by mu
}

func newMeter() *meter {
	m := &meter{changes: map[schema.TableName]*changeCounts{}, topics: map[string]*TopicVolume{}, backfills: map[schema.TableName]backfill.Progress{}}
	m.enter(Starting)
	return m
}

func (m *meter) stats() Stats {
	s := Stats{
		State:    *m.state.Load(),
		Received: schema.LSN(m.received.Load()), Delivered: schema.LSN(m.delivered.Load()), Version: m.version.Load(),
		Transactions: m.transactions.Load(), Commits: m.commits.Load(), Aborts: m.aborts.Load(),
	}
	if at := m.began.Load(); at != 0 {
		s.Began = time.Unix(0, at)
	}
	if at := m.committed.Load(); at != 0 {
		s.Committed = time.Unix(0, at)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for table, counts := range m.changes {
		for i := range counts {
			if n := counts[i].Load(); n > 0 {
				s.Changes = append(s.Changes, TableChanges{table, schema.Op(countedOps[i]), n})
			}
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(m.topics)) {
		s.Topics = append(s.Topics, *m.topics[topic])
	}
	s.Backfills = slices.SortedFunc(maps.Values(m.backfills), func(a, b backfill.Progress) int { return strings.Compare(a.Table.String(), b.Table.String()) })
	slices.SortFunc(s.Changes, func(a, b TableChanges) int {
		return cmp.Or(strings.Compare(a.Table.String(), b.Table.String()), cmp.Compare(a.Op, b.Op))
	})
	return s
}

func (m *meter) enter(state State) {
	if m != nil {
		m.state.Store(&state)
	}
}

// receive notes how far the server has sent the log.
func (m *meter) receive(lsn schema.LSN) {
	if m != nil {
		m.received.Store(uint64(lsn))
	}
}

// begin notes the position that streaming begins with.
func (m *meter) begin(at schema.Position) {
	if m != nil {
		m.stand(at)
		m.began.Store(time.Now().UnixNano())
	}
}

// deliver notes a position that was committed to Kafka.
func (m *meter) deliver(at schema.Position) {
	if m != nil {
		m.stand(at)
		m.committed.Store(time.Now().UnixNano())
	}
}

func (m *meter) stand(at schema.Position) {
	m.delivered.Store(uint64(at.EndLSN))
	m.version.Store(at.Version)
}

func (m *meter) transaction() {
	if m != nil {
		m.transactions.Add(1)
	}
}

func (m *meter) commit() {
	if m != nil {
		m.commits.Add(1)
	}
}

func (m *meter) abort() {
	if m != nil {
		m.aborts.Add(1)
	}
}

// tell notes how far backfills have come.
func (m *meter) tell(jobs ...backfill.Progress) {
	if m == nil || len(jobs) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range jobs {
		m.backfills[jobs[i].Table] = jobs[i]
	}
}

// OnProduceBatchWritten is called by the Kafka client for each batch that was acknowledged.
func (m *meter) OnProduceBatchWritten(_ kgo.BrokerMetadata, topic string, _ int32, batch kgo.ProduceBatchMetrics) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	volume := m.topics[topic]
	if volume == nil {
		volume = &TopicVolume{Topic: topic}
		m.topics[topic] = volume
	}
	volume.Records += int64(batch.NumRecords)
	volume.Bytes += int64(batch.UncompressedBytes)
}

// countedOps are the operations of rows, in the order of a table's counts.
const countedOps = "cudtr"

// changeCounts are the changes of a table, by operation.
type changeCounts [len(countedOps)]atomic.Int64

// of returns the counts of a table, the same for the life of the meter.
func (m *meter) of(table schema.TableName) *changeCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := m.changes[table]
	if counts == nil {
		counts = &changeCounts{}
		m.changes[table] = counts
	}
	return counts
}

// tableCounter counts changes for one goroutine, which looks up what is counted of a table once.
type tableCounter struct {
	meter  *meter
	last   *schema.Relation
	counts *changeCounts // of last
	known  map[uint32]counted
}

// counted is what is counted of a relation, until it has another name.
type counted struct {
	table  schema.TableName
	counts *changeCounts
}

func (c *tableCounter) count(e *schema.Event) {
	if c.meter == nil || e.Relation == nil {
		return
	}
	if e.Relation != c.last {
		c.turnTo(e.Relation)
	}
	if op := strings.IndexByte(countedOps, byte(e.Op)); op >= 0 {
		c.counts[op].Add(1)
	}
}

func (c *tableCounter) turnTo(rel *schema.Relation) {
	k, found := c.known[rel.OID]
	if !found || k.table != rel.Table {
		if c.known == nil {
			c.known = map[uint32]counted{}
		}
		k = counted{rel.Table, c.meter.of(rel.Table)}
		c.known[rel.OID] = k
	}
	c.last, c.counts = rel, k.counts
}
