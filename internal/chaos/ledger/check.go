package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
)

// The records of one event, as bits: a delete has its record and a tombstone, a
// changed key has the delete of the old one with its tombstone, and a create.
const (
	whole uint8 = 1 << iota
	tomb
	leave
)

// coordinates are a record's headers.
type coordinates struct {
	lsn     schema.LSN
	seq     uint64
	xid     uint32
	version int64
}

// partition is one partition of a topic.
type partition struct {
	topic  string
	number int32
}

// last is where the records of a partition have come to.
type last struct {
	lsn  schema.LSN
	seq  uint64
	rank uint8
}

// checker holds each data record against the history, in the order of its
// partition. Not safe for concurrent use.
type checker struct {
	catalog  *catalog
	truth    *truth
	verdict  *Verdict
	parts    map[string]int32 // partitions of each topic
	imager   imager
	last     map[partition]last
	truncate map[int32]uint64 // partitions that have a truncation's record, by event
	groups   *groups
}

func where(r *kgo.Record) string {
	return fmt.Sprintf("topic %s, partition %d, offset %d, key %.80q", r.Topic, r.Partition, r.Offset, r.Key)
}

// take checks one committed record of a table's topic.
func (c *checker) take(r *kgo.Record) {
	c.verdict.Records++
	t := c.catalog.byTopic[r.Topic]
	if !r.Attrs.IsTransactional() {
		c.verdict.report(Outside, "%s", where(r))
	}
	at, err := parseHeaders(r)
	if err != nil {
		c.verdict.report(Mismatch, "%s: %v", where(r), err)
		return
	}
	index, known := c.truth.byXID[at.xid]
	if !known || at.seq >= uint64(c.truth.commits[index].n) {
		c.verdict.report(Extra, "%s, commit %s, xid %d, change %d: the history has no such change", where(r), at.lsn, at.xid, at.seq)
		return
	}
	cm := &c.truth.commits[index]
	number := cm.first + int32(at.seq)
	e := &c.truth.events[number]
	wrong := func(format string, args ...any) {
		c.verdict.report(Mismatch, "%s: %s: %s", where(r), c.truth.place(c.catalog, cm, int32(at.seq)), fmt.Sprintf(format, args...))
	}
	if c.catalog.tables[e.table] != t {
		wrong("it is in the wrong topic")
		return
	}
	env, role, err := c.role(t, e, r)
	if err != nil {
		wrong("%v", err)
		return
	}
	if c.twice(e, number, role, r.Partition) {
		c.verdict.report(Duplicate, "%s: %s", where(r), c.truth.place(c.catalog, cm, int32(at.seq)))
		return
	}
	if cm.lsn.IsZero() {
		cm.lsn = at.lsn
	}
	if cm.lsn != at.lsn {
		wrong("commit %s", at.lsn)
	}
	c.order(r, at, role, e.op)
	c.groups.data(r, cm, at)
	if err := c.compare(t, cm, e, env, role, at, r); err != nil {
		wrong("%v", err)
	}
}

// role tells which of the event's records it is, and reads its envelope.
func (c *checker) role(t *table, e *event, r *kgo.Record) (*envelope, uint8, error) {
	moves := e.oldKey != 0
	if r.Value == nil {
		if e.op != 'd' && !moves {
			return nil, 0, fmt.Errorf("a tombstone behind what is no delete")
		}
		return nil, tomb, nil
	}
	var env envelope
	if err := json.Unmarshal(r.Value, &env); err != nil {
		return nil, 0, err
	}
	if env.Source.Schema != t.name.Schema || env.Source.Table != t.name.Name {
		return nil, 0, fmt.Errorf("it names table %s.%s", env.Source.Schema, env.Source.Table)
	}
	switch want := string(e.op); {
	case !moves && env.Op == want:
		return &env, whole, nil
	case moves && env.Op == "d":
		return &env, leave, nil
	case moves && env.Op == "c":
		return &env, whole, nil
	}
	return nil, 0, fmt.Errorf("op %q", env.Op)
}

// twice notes the record, and reports whether it was there already.
func (c *checker) twice(e *event, number int32, role uint8, partition int32) bool {
	if e.op == 't' {
		bit := uint64(1) << (partition % 64)
		if c.truncate[number]&bit != 0 {
			return true
		}
		c.truncate[number] |= bit
		return false
	}
	if e.seen&role != 0 {
		return true
	}
	e.seen |= role
	return false
}

// order checks I6: within a partition commits never go back, nor do changes
// within a commit, nor the records of a change.
func (c *checker) order(r *kgo.Record, at coordinates, role, op uint8) {
	rank := uint8(0)
	switch {
	case role == tomb:
		rank = 1
	case role == whole && op == 'u':
		rank = 2
	}
	p := partition{r.Topic, r.Partition}
	before, now := c.last[p], last{at.lsn, at.seq, rank}
	behind := now.lsn < before.lsn || now.lsn == before.lsn &&
		(now.seq < before.seq || now.seq == before.seq && now.rank < before.rank)
	if behind {
		c.verdict.report(Reorder, "%s: commit %s, change %d is behind commit %s, change %d", where(r), now.lsn, now.seq, before.lsn, before.seq)
		return
	}
	c.last[p] = now
}

// compare holds key, images and version against the history, and then adds the
// record to the state of its table.
func (c *checker) compare(t *table, cm *commit, e *event, env *envelope, role uint8, at coordinates, r *kgo.Record) error {
	if e.op == 't' {
		if len(r.Key) > 0 || string(env.Before) != "null" || string(env.After) != "null" {
			return fmt.Errorf("a truncation with key %.80q or a row", r.Key)
		}
		if e.version != 0 && e.version != at.version {
			return fmt.Errorf("version %d here, %d in another partition", at.version, e.version)
		}
		e.version = at.version
		t.empty(r.Partition)
		return nil
	}
	key, err := c.imager.key(t, r.Key)
	if err != nil {
		return err
	}
	want := e.key
	if e.oldKey != 0 && role != whole {
		want = e.oldKey
	}
	if key != want {
		return fmt.Errorf("the key is another row's")
	}
	if role == tomb {
		return nil
	}
	if env.Source.XID != at.xid || env.Source.LSN != uint64(at.lsn) {
		return fmt.Errorf("source has txId %d and lsn %d", env.Source.XID, env.Source.LSN)
	}
	if role == whole {
		e.version = at.version
	}
	before, err := c.imager.image(t, env.Before)
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	after, err := c.imager.image(t, env.After)
	if err != nil {
		return fmt.Errorf("after: %w", err)
	}
	err = matches(e, role, before, after)
	// The state is what a consumer makes of the topic, right or wrong.
	after.partition = r.Partition
	c.fold(t, cm, env.Op, key, after, r)
	return err
}

// matches compares the sums of the images with those of the history.
func matches(e *event, role uint8, before, after row) error {
	old, image := e.old, e.image
	switch {
	case role == leave:
		image = 0
	case e.oldKey != 0:
		old = 0
	}
	switch {
	case before.sum != old:
		return fmt.Errorf("before is not the row that was")
	case after.sum != image:
		return fmt.Errorf("after is not the row that is")
	case image == 0:
	case after.key != e.key:
		return fmt.Errorf("after has another key")
	case after.unchanged && (e.op == 'c' || e.big != e.oldBig):
		return fmt.Errorf("a value that changed is left out")
	case !after.unchanged && after.big != e.big:
		return fmt.Errorf("after has another large value")
	}
	return nil
}

// fold applies the record to the state of the table as a consumer would, which
// needs no history at all.
func (c *checker) fold(t *table, cm *commit, op string, key uint64, after row, r *kgo.Record) {
	before, there := t.rows[key]
	switch {
	case op == "c" && there:
		c.verdict.report(Gap, "%s: a create of a row that is there, at version %d", where(r), before.ver)
	case op != "c" && !there:
		c.verdict.report(Gap, "%s: op %s of a row that is not there", where(r), op)
	case op != "c" && before.partition != r.Partition:
		c.verdict.report(Gap, "%s: the row was in partition %d", where(r), before.partition)
	case op == "u" && after.ver != before.ver+1:
		c.verdict.report(Gap, "%s: row version %d after %d", where(r), after.ver, before.ver)
	}
	cm.delta += after.bal - before.bal
	if op == "d" {
		delete(t.rows, key)
		return
	}
	if after.unchanged {
		after.big, after.unchanged = before.big, before.unchanged || !there
	}
	t.rows[key] = after
}

// empty applies a truncation to one partition's rows.
func (t *table) empty(partition int32) {
	for key, r := range t.rows {
		if r.partition == partition {
			delete(t.rows, key)
		}
	}
}

func parseHeaders(r *kgo.Record) (coordinates, error) {
	var c coordinates
	seen := 0
	for _, h := range r.Headers {
		var err error
		text := string(h.Value)
		switch h.Key {
		case "penstock.lsn":
			c.lsn, err = schema.ParseLSN(text)
		case "penstock.seq":
			c.seq, err = strconv.ParseUint(text, 10, 64)
		case "penstock.xid":
			var xid uint64
			xid, err = strconv.ParseUint(text, 10, 32)
			c.xid = uint32(xid)
		case "penstock.version":
			c.version, err = strconv.ParseInt(text, 10, 64)
		default:
			continue
		}
		if err != nil {
			return c, fmt.Errorf("header %s: %w", h.Key, err)
		}
		seen++
	}
	if seen != 4 {
		return c, fmt.Errorf("%d of the four headers", seen)
	}
	return c, nil
}
