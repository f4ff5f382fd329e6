package cdc

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/record"
)

// Router turns events into records: which topics, partitions, keys, values and
// headers. It is pure, but for the time that [Router.Route] is given. Not safe
// for concurrent use.
type Router struct {
	origin record.Origin
	tables map[schema.TableName]*route
}

// route is where one table's changes go.
type route struct {
	topic topicRef
	key   []string // names of the primary key's columns
	joins []join

	relation   *schema.Relation // the version that the fields below are for
	keyColumns []int
	keyLogged  bool // old rows hold the key
}

// join is a pipeline's input topic that a table's changes also go to.
type join struct {
	topic    topicRef
	pipeline string
	column   string
	index    int // of column in route.relation
}

// topicRef is a topic with its number of partitions.
type topicRef struct {
	name       string
	partitions int32
	hash       kgo.TopicPartitioner
}

func newTopicRef(name string, partitions int32) topicRef {
	return topicRef{name: name, partitions: partitions, hash: kgo.StickyKeyPartitioner(nil).ForTopic(name)}
}

// partition places a key as every Kafka client does by default: murmur2 of its bytes.
func (t topicRef) partition(key []byte) int32 {
	return int32(t.hash.Partition(&kgo.Record{Key: key}, int(t.partitions)))
}

// newRouter wires tables and pipelines. keys holds each table's primary key and
// partitions each topic's count.
func newRouter(cfg *Config, database string, keys map[schema.TableName][]string, partitions map[string]int32) *Router {
	r := &Router{
		origin: record.Origin{Version: cfg.Version, Name: cfg.Name, Database: database},
		tables: map[schema.TableName]*route{},
	}
	for _, t := range cfg.Tables {
		r.tables[t.Name] = &route{topic: newTopicRef(t.Topic, partitions[t.Topic]), key: keys[t.Name]}
	}
	for _, p := range cfg.Pipelines {
		for _, side := range []JoinSide{p.Stream, p.Lookup} {
			t := r.tables[side.Table]
			t.joins = append(t.joins, join{
				topic: newTopicRef(p.Topic, partitions[p.Topic]), pipeline: p.Name, column: side.Column,
			})
		}
	}
	return r
}

// Route appends the records of one event to dst, in the order they must be
// produced. The records own their bytes; the event may be reused.
func (r *Router) Route(dst []*kgo.Record, e *schema.Event, nowMicros int64) ([]*kgo.Record, error) {
	rt, err := r.route(e)
	if err != nil {
		return dst, err
	}
	if e.Op == schema.OpTruncate {
		value := record.AppendEnvelope(nil, &r.origin, e, record.Image{Op: e.Op}, nowMicros)
		dst = everywhere(dst, rt.topic, value, headers(e, e.Version))
		for _, j := range rt.joins {
			dst = everywhere(dst, j.topic, value, headers(e, e.Version))
		}
		return dst, nil
	}
	c := change{router: r, route: rt, event: e, now: nowMicros, headers: headers(e, e.Version)}
	if dst, err = c.toTable(dst); err != nil {
		return dst, err
	}
	for i := range rt.joins {
		dst = c.toJoin(dst, &rt.joins[i])
	}
	return dst, nil
}

// route finds the table's route and fits it to the event's relation.
func (r *Router) route(e *schema.Event) (*route, error) {
	rt, known := r.tables[e.Relation.Table]
	if !known {
		return nil, &fault.Error{
			Kind:  fault.Refused,
			Where: place(e),
			What:  fmt.Sprintf("the publication sends table %s, which source.tables does not list", e.Relation.Table),
			Why:   "a change may be delivered or refused, but never dropped",
			Fix:   "list the table in source.tables, or drop it from the publication",
		}
	}
	if rt.relation == e.Relation {
		return rt, nil
	}
	return rt, rt.fit(e)
}

func (rt *route) fit(e *schema.Event) error {
	rel := e.Relation
	rt.keyColumns, rt.keyLogged = rt.keyColumns[:0], true
	for _, name := range rt.key {
		i := rel.Index(name)
		if i < 0 {
			return missingColumn(e, name, "of its primary key")
		}
		rt.keyColumns = append(rt.keyColumns, i)
		rt.keyLogged = rt.keyLogged && rel.Columns[i].Identity
	}
	if len(rt.joins) > 0 && rel.Identity != schema.IdentityFull {
		return identityFault(e, "REPLICA IDENTITY FULL", "its old rows would not show which join key they leave")
	}
	for i := range rt.joins {
		j := &rt.joins[i]
		if j.index = rel.Index(j.column); j.index < 0 {
			return missingColumn(e, j.column, "that pipeline "+j.pipeline+" joins on")
		}
	}
	rt.relation = rel
	return nil
}

// identityFault refuses a table whose identity was changed while running, or
// that no pipeline needs and start-up therefore did not look at.
func identityFault(e *schema.Event, want, why string) error {
	return &fault.Error{
		Kind:  fault.Refused,
		Where: place(e),
		What:  fmt.Sprintf("the table has REPLICA IDENTITY %s, want %s", e.Relation.Identity, want),
		Why:   why,
		Fix: fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY FULL; what was written before it cannot be repaired: "+
			"recreate the slot and accept the gap", quoteTable(e.Relation.Table)),
	}
}

func missingColumn(e *schema.Event, column, role string) error {
	return &fault.Error{
		Kind:  fault.Refused,
		Where: place(e),
		What:  fmt.Sprintf("the publication does not send column %s %s", column, role),
		Fix:   "restore the column, or add it to the publication's column list, and start again",
	}
}

// place names an event's coordinates.
func place(e *schema.Event) string {
	return fmt.Sprintf("%s, commit %s, change %d", e.Relation.Table, e.Source.CommitLSN, e.Source.Seq)
}

// change is one row's event on its way to its topics. The value is encoded once
// for all topics that get the same image.
type change struct {
	router  *Router
	route   *route
	event   *schema.Event
	now     int64
	headers []kgo.RecordHeader
	whole   []byte // the envelope with the event's own images
}

func (c *change) envelope(image record.Image) []byte {
	return record.AppendEnvelope(nil, &c.router.origin, c.event, image, c.now)
}

func (c *change) wholeEnvelope() []byte {
	if c.whole == nil {
		c.whole = c.envelope(record.Image{Op: c.event.Op, Before: c.event.Old, After: c.event.New})
	}
	return c.whole
}

// toTable appends the records of the table's own topic. A delete is followed by
// a tombstone; an update that changes the key is a delete, a tombstone and a
// create, as Debezium has it.
func (c *change) toTable(dst []*kgo.Record) ([]*kgo.Record, error) {
	e, rt := c.event, c.route
	if e.Old != nil && !rt.keyLogged {
		return dst, identityFault(e, "one that holds the primary key", "the record would have no key")
	}
	if e.Op == schema.OpDelete && e.Old == nil {
		return dst, fmt.Errorf("%s: delete without an old row", place(e))
	}
	if e.Op == schema.OpDelete {
		key := c.key(e.Old)
		return c.append(dst, rt.topic, key, c.headers, c.wholeEnvelope(), nil), nil
	}
	key := c.key(e.New)
	if e.Op != schema.OpUpdate || e.Old == nil || !moved(e, rt.keyColumns) {
		return c.append(dst, rt.topic, key, c.headers, c.wholeEnvelope()), nil
	}
	oldKey := c.key(e.Old)
	leaving := append(headers(e, e.Version-1), kgo.RecordHeader{Key: record.HeaderNewKey, Value: key})
	arriving := append(headers(e, e.Version), kgo.RecordHeader{Key: record.HeaderOldKey, Value: oldKey})
	dst = c.append(dst, rt.topic, oldKey, leaving, c.envelope(record.Image{Op: schema.OpDelete, Before: e.Old}), nil)
	return c.append(dst, rt.topic, key, arriving, c.envelope(record.Image{Op: schema.OpCreate, After: e.New})), nil
}

// toJoin appends the records of a pipeline's input topic, keyed by the join
// column's text, so that one partition holds a lookup row and all rows that join
// it. A row that gets another key or another join key leaves its old place, one
// version earlier.
func (c *change) toJoin(dst []*kgo.Record, j *join) []*kgo.Record {
	e := c.event
	if e.Op == schema.OpDelete {
		return c.append(dst, j.topic, joinKey(e.Old[j.index]), c.headers, c.wholeEnvelope())
	}
	key := joinKey(e.New[j.index])
	stays := e.Op != schema.OpUpdate || e.Old == nil || !(moved(e, c.route.keyColumns) || moved(e, []int{j.index}))
	if stays {
		return c.append(dst, j.topic, key, c.headers, c.wholeEnvelope())
	}
	leave := c.envelope(record.Image{Op: schema.OpDelete, Before: e.Old})
	arrive := c.envelope(record.Image{Op: schema.OpCreate, After: e.New})
	dst = c.append(dst, j.topic, joinKey(e.Old[j.index]), headers(e, e.Version-1), leave)
	return c.append(dst, j.topic, key, c.headers, arrive)
}

// append adds one record per value, all with the same key and headers.
func (c *change) append(dst []*kgo.Record, t topicRef, key []byte, hs []kgo.RecordHeader, values ...[]byte) []*kgo.Record {
	partition := t.partition(key)
	for _, value := range values {
		dst = append(dst, &kgo.Record{Topic: t.name, Partition: partition, Key: key, Value: value, Headers: hs})
	}
	return dst
}

func (c *change) key(tuple schema.Tuple) []byte {
	return record.AppendKey(nil, c.event.Relation, tuple, c.route.keyColumns)
}

// joinKey copies the join column's text. A row without a join key has the empty
// key, which places all of them in one partition, in order.
func joinKey(v schema.Value) []byte { return append([]byte{}, v.Data...) }

// moved reports whether an update changed one of the columns.
func moved(e *schema.Event, columns []int) bool {
	for _, c := range columns {
		before, after := e.Old[c], e.New[c]
		if after.Kind == schema.Unchanged {
			continue
		}
		if before.Kind != after.Kind || !bytes.Equal(before.Data, after.Data) {
			return true
		}
	}
	return false
}

func everywhere(dst []*kgo.Record, t topicRef, value []byte, hs []kgo.RecordHeader) []*kgo.Record {
	for p := range t.partitions {
		dst = append(dst, &kgo.Record{Topic: t.name, Partition: p, Value: value, Headers: hs})
	}
	return dst
}

func headers(e *schema.Event, version int64) []kgo.RecordHeader {
	lsn := e.Source.CommitLSN.Append(nil)
	return []kgo.RecordHeader{
		{Key: record.HeaderLSN, Value: lsn},
		{Key: record.HeaderSeq, Value: strconv.AppendUint(nil, e.Source.Seq, 10)},
		{Key: record.HeaderXID, Value: strconv.AppendUint(nil, uint64(e.Source.XID), 10)},
		{Key: record.HeaderVersion, Value: strconv.AppendInt(nil, version, 10)},
	}
}
