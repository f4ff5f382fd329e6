package cdc

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/record"
)

// Router turns events into records: which topics, partitions, keys, values and
// headers. It is pure, but for the time that [Router.Route] is given and for a
// schema registry, if a format needs one. Not safe for concurrent use.
type Router struct {
	origin   debezium.Origin
	tables   map[schema.TableName]*route
	latest   *route                               // of the last event; nil before it
	change   change                               // the last, whose place the next takes
	memory   slab                                 // of the records
	last     map[schema.TableName]record.Relation // what was delivered last of each, also by an earlier daemon
	fresh    []record.Relation                    // of it, what is not written down yet
	accepted schema.LSN                           // the commit in which frozen tables may change, by the operator's word
	seen     *atomic.Pointer[[]slot.Entry]        // what the publications are made of, since it was written down last; nil without a watch
	octets   bool                                 // the database does not know which encoding its text has
	cfg      *Config
	messages *messenger
	log      *zap.Logger
}

// topicRef is a topic with its number of partitions.
type topicRef struct {
	name       string
	partitions int32
	maxBytes   int32 // of one batch; 0 is not known
	compacted  bool  // it takes no record without a key
	hash       kgo.TopicPartitioner
	probe      *kgo.Record // for hash, which takes nothing else
}

func newTopicRef(name string, partitions int32) topicRef {
	return topicRef{name: name, partitions: partitions, hash: kgo.StickyKeyPartitioner(nil).ForTopic(name), probe: &kgo.Record{}}
}

// partition places a key as every Kafka client does by default: murmur2 of its
// bytes. What has no key lies in one partition, so that its order is kept. Not safe for concurrent use.
func (t topicRef) partition(key []byte) int32 {
	if key == nil {
		key = []byte{}
	}
	t.probe.Key = key
	return int32(t.hash.Partition(t.probe, int(t.partitions)))
}

// newRouter wires tables and pipelines. known describes each topic; open makes one
// that is not known until a message names it.
func newRouter(cfg *Config, database string, known layout, open openTopic) *Router {
	r := &Router{
		origin: debezium.Origin{Version: cfg.Version, Name: cfg.Name, Database: database},
		tables: map[schema.TableName]*route{},
		last:   map[schema.TableName]record.Relation{},
		cfg:    cfg,
		log:    zap.NewNop(),
	}
	dead := &letters{capture: cfg.Name, topic: known.ref(cfg.DeadLetterTopic)}
	r.change.origin, r.change.memory = record.Origin(r.origin), &r.memory
	r.messages = newMessenger(cfg, r.origin, dead, open)
	r.messages.memory = &r.memory
	for i := range cfg.Tables {
		t := &cfg.Tables[i]
		r.tables[t.Name] = &route{cfg: cfg, table: t, topic: known.ref(t.Topic), letters: dead}
	}
	for _, p := range cfg.Pipelines {
		for _, side := range []JoinSide{p.Stream, p.Lookup} {
			t := r.tables[side.Table]
			t.joins = append(t.joins, join{
				topic: known.ref(p.Topic), pipeline: p.Name, column: side.Column,
			})
		}
	}
	return r
}

// Route appends the records of one event to dst, in the order they must be
// produced. The records own their bytes; the event may be reused.
func (r *Router) Route(ctx context.Context, dst []*kgo.Record, e *schema.Event, nowMicros int64) ([]*kgo.Record, error) {
	if e.Op == schema.OpMessage {
		return r.messages.route(ctx, dst, e, nowMicros)
	}
	rt, err := r.route(ctx, e)
	if err != nil {
		return dst, err
	}
	c := &r.change
	c.route, c.event, c.now, c.octets, c.whole = rt, e, nowMicros, r.octets, nil
	c.headers = r.memory.headersOf(e, e.Version)
	c.shape()
	if !slices.Contains(rt.table.Skip, e.Op) {
		if dst, err = c.toTable(dst); err != nil {
			return dst, placed(e, err)
		}
	}
	for i := range rt.joins {
		if dst, err = c.toJoin(dst, &rt.joins[i]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// route finds the table's route and fits it to the event's relation.
func (r *Router) route(ctx context.Context, e *schema.Event) (*route, error) {
	if r.latest != nil && r.latest.relation == e.Relation {
		return r.latest, nil
	}
	rt, known := r.tables[e.Relation.Table]
	if !known {
		if _, ok := r.cfg.matching(e.Relation.Table); ok {
			return nil, &newTable{e.Relation.Table}
		}
		return nil, &fault.Error{
			Kind:  fault.Refused,
			Where: place(e),
			What:  fmt.Sprintf("the publication sends table %s, which source.tables does not list", e.Relation.Table),
			Why:   "a change may be delivered or refused, but never dropped",
			Fix: "list the table in source.tables, or name it in source.matching, which also lets it be gone or have another name by now; " +
				"taking it out of the publication does not take back what is in the log",
		}
	}
	r.latest = rt
	if rt.relation == e.Relation {
		return rt, nil
	}
	now := record.RelationOf(e.Relation, e.Source.CommitLSN)
	before, seen := r.last[e.Relation.Table]
	if !seen {
		if err := r.unruled(e, rt.table); err != nil {
			return nil, err
		}
	}
	same := seen && before.Same(&now)
	if seen {
		now.Follow(&before)
	}
	if seen && !same && rt.table.Frozen && r.accepted != e.Source.CommitLSN {
		return nil, r.frozen(e, &before, &now)
	}
	if err := rt.fit(ctx, e, now.Gone, &r.origin); err != nil {
		return nil, err
	}
	if !same {
		r.last[now.Table] = now
		r.fresh = append(r.fresh, now)
		if seen {
			r.log.Info("rows of the table are others from here on", zap.Stringer(keyTable, now.Table), zap.Stringer(keyLSN, now.LSN),
				zap.String(keyColumns, columnList(&now)))
		}
	}
	return rt, nil
}

// unruled refuses a table that is captured for its name and has no rules of columns, if rows of it
// came under another name that has some: what they keep back would come out under the new one.
func (r *Router) unruled(e *schema.Event, t *Table) error {
	if !t.Matched || !t.Rules.IsZero() {
		return nil
	}
	for name, last := range r.last {
		if last.RelID != e.Relation.OID || last.RelID == 0 || name == t.Name {
			continue
		}
		was, ok := r.cfg.matching(name)
		if rt, known := r.tables[name]; known {
			was, ok = *rt.table, true
		}
		if ok && !was.Rules.IsZero() {
			return &fault.Error{
				Kind: fault.Refused, Where: place(e), What: fmt.Sprintf("table %s was %s, whose columns have rules, and has none of its own", t.Name, name),
				Why: "what they keep back would come out under the new name",
				Fix: fmt.Sprintf(`say of records.tables.%s what records.tables.%s says, or include: ["*"]`, t.Name, name),
			}
		}
	}
	return nil
}

// remember appends the records of relations that are delivered as they are now for
// the first time, for the Kafka transaction in which they are, and of the publications
// if they are made of something else.
func (r *Router) remember(dst []*kgo.Record) ([]*kgo.Record, error) {
	for i := range r.fresh {
		key, err := record.AppendRelationKey(nil, r.cfg.Name, r.fresh[i].Table)
		if err != nil {
			return dst, err
		}
		value, err := record.AppendRelation(nil, &r.fresh[i])
		if err != nil {
			return dst, err
		}
		dst = append(dst, &kgo.Record{Topic: r.cfg.PositionTopic, Key: key, Value: value})
	}
	r.fresh = r.fresh[:0]
	if r.seen == nil {
		return dst, nil
	}
	if entries := r.seen.Swap(nil); entries != nil {
		made, err := r.cfg.entriesRecord(*entries)
		if err != nil {
			return dst, err
		}
		dst = append(dst, made)
	}
	return dst, nil
}

// placed adds an event's coordinates to an error that does not have them.
func placed(e *schema.Event, err error) error {
	if _, ok := err.(*fault.Error); ok { //nolint:errorlint // it names them at the top
		return err
	}
	return fmt.Errorf("%s: %w", place(e), err)
}

// place names an event's coordinates.
func place(e *schema.Event) string {
	return fmt.Sprintf("%s, commit %s, change %d", e.Relation.Table, e.Source.CommitLSN, e.Source.Seq)
}
