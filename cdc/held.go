package cdc

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"penstock/cdc/backfill"
	"penstock/schema"
	"penstock/schema/record"
)

// maxHeld bounds the keys of one partition that are remembered at once, in bytes. A partition with more
// is read several times, each time for other keys.
const maxHeld = 64 << 20

// heldRows is what a topic holds last of each row of a table, as [backfill.Held]. It is what was
// delivered when it was opened: the stream says what comes later.
type heldRows struct {
	cfg    *Config
	log    *zap.Logger
	rel    *schema.Relation
	topic  string
	reader rowReader
	limit  int           // of bytes, as maxHeld
	waits  time.Duration // as heldPatience
	seed   maphash.Seed

	left   []heldPart       // to be read
	at     heldPart         // which the keys below are of
	latest map[string]int64 // the offset of the record of each key that is to be handed over
	keys   []string         // of latest, by offset
}

// heldPart is some keys of a partition: those whose hash ends in the same bits.
type heldPart struct {
	partition int32
	end       int64 // the offset behind what is read
	start     int64
	bits      uint
	hash      uint64
}

// holds reports whether a key is one of the part.
func (p *heldPart) holds(hash uint64) bool { return hash&(1<<p.bits-1) == p.hash }

// rowReader knows the records of a topic.
type rowReader interface {
	// about says which row a record is about, in the topic's terms, and whether it exists from then on. No key: all
	// rows of the partition are gone, if truncated, or the record is not about the table. An error says that this
	// cannot be told.
	about(r *kgo.Record) (key string, exists, truncated bool, err error)
	// key is the row's key as the table has it.
	key(topicKey string) (backfill.Key, error)
}

// openHeld opens what Kafka holds of a table: the input topic of a pipeline, which has whole rows, else the
// table's own topic, which has their keys.
func (c *Config) openHeld(ctx context.Context, rel *schema.Relation, log *zap.Logger) (backfill.Held, error) {
	h := &heldRows{cfg: c, log: log, rel: rel, limit: maxHeld, waits: heldPatience, seed: maphash.MakeSeed()}
	if h.topic = c.inputOf(rel.Table); h.topic != "" {
		if column, ok := unprinted(rel); ok {
			return nil, keyRefusal(column, "has a type whose value has several texts")
		}
		h.reader = &inputRows{rel}
	} else {
		t, captured := c.table(rel.Table)
		if !captured || slices.Contains(t.Skip, schema.OpDelete) {
			return h, nil // no record would be made of a delete
		}
		reader, err := newOwnRows(ctx, c, &t, rel)
		if err != nil {
			return nil, err
		}
		h.topic, h.reader = t.Topic, reader
	}
	topics, err := openTopics(c)
	if err != nil {
		return nil, err
	}
	defer topics.Close()
	starts, err := topics.admin.ListStartOffsets(ctx, h.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, kafkaFault("topic "+h.topic, "list offsets", err)
	}
	// To the high watermark: what was committed just now may lie above the last stable offset still.
	ends, err := topics.admin.ListEndOffsets(ctx, h.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, kafkaFault("topic "+h.topic, "list offsets", err)
	}
	for _, end := range ends.Offsets().Sorted() {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Offset < end.At {
			h.left = append(h.left, heldPart{partition: end.Partition, start: start.Offset, end: end.At})
		}
	}
	return h, nil
}

// inputOf is the input topic of a pipeline that the table is joined in, empty for none.
func (c *Config) inputOf(table schema.TableName) string {
	for _, p := range c.Pipelines {
		if p.Stream.Table == table || p.Lookup.Table == table {
			return p.Topic
		}
	}
	return ""
}

func (h *heldRows) Next(ctx context.Context, n int) ([]backfill.HeldRow, error) {
	for len(h.keys) == 0 {
		if len(h.left) == 0 {
			return nil, nil
		}
		if err := h.next(ctx); err != nil {
			return nil, err
		}
	}
	n = min(n, len(h.keys))
	given := h.keys[:n]
	h.keys = h.keys[n:]
	rows := make([]backfill.HeldRow, n)
	for i, topicKey := range given {
		key, err := h.reader.key(topicKey)
		if err == nil && bytes.ContainsRune(key, utf8.RuneError) {
			err = &backfill.Refusal{
				What: fmt.Sprintf("key %q of topic %s has U+FFFD, which stands for what is no UTF-8", key, h.topic), Why: "which row it is cannot be told", Fix: byHand,
			}
		}
		if err != nil {
			return nil, err
		}
		rows[i] = backfill.HeldRow{Key: key, Row: keyRow(h.rel, key)}
	}
	if !h.Whole() {
		return rows, nil
	}
	return rows, h.fill(ctx, given, rows)
}

// Whole reports whether the topic has whole rows.
func (h *heldRows) Whole() bool {
	_, whole := h.reader.(*inputRows)
	return whole
}

// heldKey is the last that a topic says of a row.
type heldKey struct {
	offset, version int64
	exists          bool
}

// next finds the keys of the next part.
func (h *heldRows) next(ctx context.Context) error {
	h.at, h.left = h.left[len(h.left)-1], h.left[:len(h.left)-1]
	last, size := map[string]heldKey{}, 0
	const each = 96 // bytes of an entry, beside its key
	err := h.read(ctx, h.at.start, h.at.end, func(r *kgo.Record) error {
		key, exists, truncated, err := h.reader.about(r)
		if err != nil {
			return &backfill.Refusal{
				What: fmt.Sprintf("the record at offset %d of partition %d of topic %s cannot be read", r.Offset, r.Partition, r.Topic), Why: err.Error(),
				Fix: byHand,
			}
		}
		if truncated {
			clear(last)
			size = 0
		}
		if key == "" || !h.at.holds(maphash.String(h.seed, key)) {
			return nil
		}
		now := heldKey{r.Offset, versionOf(r), exists}
		before, known := last[key]
		if known && now.version < before.version { // a dead letter that was released
			return nil
		}
		if last[key] = now; known {
			return nil
		}
		if size += len(key) + each; size > h.limit {
			h.split(last)
			size = 0
			for key := range last {
				size += len(key) + each
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	h.latest = map[string]int64{}
	for key, k := range last {
		if k.exists {
			h.latest[key] = k.offset
		}
	}
	h.keys = slices.SortedFunc(maps.Keys(h.latest), func(a, b string) int { return cmp.Compare(h.latest[a], h.latest[b]) })
	return nil
}

// split leaves half of the keys of the part for later.
func (h *heldRows) split(last map[string]heldKey) {
	later := h.at
	later.hash |= 1 << h.at.bits
	later.bits++
	h.at.bits++
	h.left = append(h.left, later)
	maps.DeleteFunc(last, func(key string, _ heldKey) bool { return !h.at.holds(maphash.String(h.seed, key)) })
}

// fill reads the whole rows of keys, which are in the order of their offsets.
func (h *heldRows) fill(ctx context.Context, topicKeys []string, rows []backfill.HeldRow) error {
	wanted, last := map[int64]int{}, int64(0)
	for i, key := range topicKeys {
		last = h.latest[key]
		wanted[last] = i
	}
	err := h.read(ctx, h.latest[topicKeys[0]], last+1, func(r *kgo.Record) error {
		i, ok := wanted[r.Offset]
		if !ok {
			return nil
		}
		delete(wanted, r.Offset)
		c, err := record.Parse(r.Value)
		if err == nil {
			rows[i].Row, err = record.ParseRow(h.rel, c.After)
		}
		rows[i].Version = versionOf(r)
		return err
	})
	if err == nil && len(wanted) > 0 { // compacted away meanwhile: there is a newer one
		err = backfill.ErrRewritten
	}
	return err
}

// keyRow is a row of which only the key is known.
func keyRow(rel *schema.Relation, key backfill.Key) schema.Tuple {
	row := make(schema.Tuple, len(rel.Columns))
	for i, text := range backfill.SplitKey(string(key)) {
		row[rel.Key[i]] = schema.Value{Kind: schema.Text, Data: []byte(text)}
	}
	return row
}

// heldPatience is how long a read waits for records before the log says what it waits for.
const heldPatience = 10 * time.Second

// read reads the part's partition, what is committed of it. A transaction that another producer has open below the
// end is waited for: Kafka ends it when its time is up.
func (h *heldRows) read(ctx context.Context, from, to int64, visit func(*kgo.Record) error) error {
	cl, err := h.cfg.kafka(
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{h.topic: {h.at.partition: kgo.NewOffset().At(from)}}),
	)
	if err != nil {
		return kafkaFault("topic "+h.topic, "open a reader", err)
	}
	defer cl.Close()
	for next := from; next < to; {
		polling, cancel := context.WithTimeout(ctx, h.waits)
		fetches := cl.PollFetches(polling)
		late := polling.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if late && fetches.Empty() {
			h.log.Info("a backfill waits for a Kafka transaction of another producer to end", zap.String(keyTopic, h.topic),
				zap.Int32("partition", h.at.partition), zap.Int64("offset", next))
			continue
		}
		if err := fetches.Err(); err != nil && !late {
			return kafkaFault("topic "+h.topic, "read", err)
		}
		for _, r := range fetches.Records() {
			if next = r.Offset + 1; r.Attrs.IsControl() || r.Offset >= to {
				continue
			}
			if err := visit(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// versionOf is the version that a record has, 0 for none.
func versionOf(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == record.HeaderVersion {
			version, _ := strconv.ParseInt(string(h.Value), 10, 64)
			return version
		}
	}
	return 0
}
