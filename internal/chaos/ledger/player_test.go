package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
)

const partitions = 3

// part is one Kafka transaction that the player writes.
type part struct {
	records  []*kgo.Record
	loose    []*kgo.Record // after it, outside any transaction
	position map[string]any
	second   map[string]any // a position too many
	end      schema.LSN     // what the slot is confirmed at after it
	early    schema.LSN     // and, unless zero, what it is confirmed at before it
	hasty    bool           // confirmed when its records are written, but not committed
	abort    bool           // written, aborted, and written again
	silent   bool           // no position
}

// player is a capture in a few lines: it makes records of what test_decoding
// says, so that a test can spoil them.
type player struct {
	*stage
	columns map[string][]string
	parts   []*part
	version int64
}

// keys are the primary keys that are not just id.
func keyColumns(table string) []string {
	switch table {
	case "pair_t":
		return []string{"a", "b"}
	case "part_t":
		return []string{"id", "region"}
	}
	return []string{"id"}
}

// play reads the slot and makes a part of every few commits.
func (s *stage) play() *player {
	s.t.Helper()
	p := &player{stage: s, columns: map[string][]string{}, version: 1_000_000}
	for name := range s.target.Topics {
		var columns []string
		const query = `SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0`
		if err := s.db.QueryRow(s.t.Context(), query, name.Name).Scan(&columns); err != nil {
			s.t.Fatal(err)
		}
		p.columns[name.Name] = columns
	}
	s.exec("SET timezone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'")
	rows, err := s.db.Query(s.t.Context(), "SELECT lsn::text, xid::text, data FROM pg_logical_slot_peek_changes($1, NULL, NULL)", s.target.Slot)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines [][3]string
	for rows.Next() {
		var line [3]string
		if err := rows.Scan(&line[0], &line[1], &line[2]); err != nil {
			s.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if rows.Err() != nil {
		s.t.Fatal(rows.Err())
	}
	commits := 0
	var pending []*kgo.Record
	for i := 0; i < len(lines); {
		first := i
		for !strings.HasPrefix(lines[i][2], "COMMIT") {
			i++
		}
		end, err := schema.ParseLSN(lines[i][0])
		if err != nil {
			s.t.Fatal(err)
		}
		seq := 0
		for _, line := range lines[first:i] {
			if made := p.records(line[2], line[1], end-8, seq); made != nil {
				pending = append(pending, made...)
				seq++
			}
		}
		i++
		if commits++; commits%5 == 0 || i == len(lines) {
			p.parts = append(p.parts, &part{records: pending, position: position(end), end: end})
			pending = nil
		}
	}
	return p
}

func position(end schema.LSN) map[string]any {
	return map[string]any{"system_id": "1", "slot": "s", "end_lsn": end.String(), "version": 1, "later": true}
}

// records are those of one line, nil if the table is not captured.
func (p *player) records(line, xid string, lsn schema.LSN, seq int) []*kgo.Record {
	rest, isChange := strings.CutPrefix(line, "table public.")
	if !isChange {
		return nil
	}
	table, rest, _ := strings.Cut(rest, ": ")
	if table == "part_a" || table == "part_b" {
		table = "part_t"
	}
	topic, captured := p.target.Topics[schema.TableName{Schema: "public", Name: table}]
	if !captured {
		return nil
	}
	verb, rest, _ := strings.Cut(rest, ": ")
	p.version += 2
	record := func(op string, before, after map[string]json.RawMessage) *kgo.Record {
		return p.record(table, topic, change{op, xid, lsn, seq, before, after})
	}
	tombstone := func(r *kgo.Record) *kgo.Record {
		t := *r
		t.Value = nil
		return &t
	}
	switch verb {
	case "INSERT":
		return []*kgo.Record{record("c", nil, p.tuple(rest))}
	case "DELETE":
		r := record("d", p.tuple(rest), nil)
		return []*kgo.Record{r, tombstone(r)}
	case "UPDATE":
		var before map[string]json.RawMessage
		if old, changed := strings.CutPrefix(rest, "old-key: "); changed {
			was, is, _ := strings.Cut(old, " new-tuple: ")
			before, rest = p.tuple(was), is
		}
		after := p.tuple(rest)
		for _, c := range keyColumns(table) {
			if before != nil && !bytes.Equal(before[c], after[c]) {
				r := record("d", before, nil)
				return []*kgo.Record{r, tombstone(r), record("c", nil, after)}
			}
		}
		for c, v := range after {
			if string(v) == `"__debezium_unavailable_value"` && before[c] != nil {
				after[c] = before[c]
			}
		}
		return []*kgo.Record{record("u", before, after)}
	case "TRUNCATE":
		var all []*kgo.Record
		for number := range int32(partitions) {
			r := record("t", nil, nil)
			r.Partition = number
			all = append(all, r)
		}
		return all
	}
	p.t.Fatalf("line %.100q", line)
	return nil
}

// change is what a record is made of.
type change struct {
	op, xid       string
	lsn           schema.LSN
	seq           int
	before, after map[string]json.RawMessage
}

func (p *player) record(table, topic string, c change) *kgo.Record {
	image := func(row map[string]json.RawMessage) any {
		if row == nil {
			return nil
		}
		for _, column := range p.columns[table] {
			if row[column] == nil {
				row[column] = json.RawMessage("null")
			}
		}
		return row
	}
	key := map[string]json.RawMessage{}
	for _, column := range keyColumns(table) {
		if key[column] = c.after[column]; c.after == nil {
			key[column] = c.before[column]
		}
	}
	r := &kgo.Record{Topic: topic, Key: p.json(key), Value: p.json(map[string]any{
		"before": image(c.before), "after": image(c.after), "op": c.op,
		"source": map[string]any{"schema": "public", "table": table, "lsn": uint64(c.lsn), "txId": json.RawMessage(c.xid)},
	})}
	if c.op == "t" {
		r.Key = nil
	}
	for name, value := range map[string]string{
		"lsn": c.lsn.String(), "seq": strconv.Itoa(c.seq), "xid": c.xid, "version": strconv.FormatInt(p.version, 10),
	} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "penstock." + name, Value: []byte(value)})
	}
	h := fnv.New32a()
	h.Write(r.Key)
	r.Partition = int32(h.Sum32() % partitions)
	return r
}

var (
	field  = regexp.MustCompile(`(?s)^([a-z_]+)\[([a-z ]+)\]:('(?:[^']|'')*'|[^ ]+) ?`)
	moment = regexp.MustCompile(`^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00$`)
)

// tuple reads id[bigint]:1 payload[text]:'it”s'.
func (p *player) tuple(text string) map[string]json.RawMessage {
	row := map[string]json.RawMessage{}
	for text != "" {
		m := field.FindStringSubmatch(text)
		if m == nil {
			p.t.Fatalf("tuple %.200q", text)
		}
		text = text[len(m[0]):]
		value := m[3]
		if strings.HasPrefix(value, "'") {
			value = strings.ReplaceAll(value[1:len(value)-1], "''", "'")
			if at := moment.FindStringSubmatch(value); m[2] == "timestamp with time zone" && at != nil {
				value = at[1] + "T" + at[2] + "Z"
			}
			row[m[1]] = p.json(value)
			continue
		}
		switch {
		case value == "unchanged-toast-datum":
			value = `"__debezium_unavailable_value"`
		case value == "null":
		case m[2] == "numeric", strings.HasSuffix(value, "Infinity"), value == "NaN":
			value = string(p.json(value))
		}
		row[m[1]] = json.RawMessage(value)
	}
	return row
}

func (p *player) json(v any) []byte {
	p.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	return text
}

func (s *stage) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatalf("%.200s: %v", sql, err)
	}
}

// createTopics makes what a capture would.
func (s *stage) createTopics() {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.target.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	create := func(n int32, topics ...string) {
		created, err := admin.CreateTopics(s.t.Context(), n, 1, nil, topics...)
		if err == nil {
			err = created.Error()
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	create(1, s.target.PositionTopic, s.target.TransactionTopic)
	for _, topic := range s.target.Topics {
		create(partitions, topic)
	}
}

// produce writes the parts; sampled awaits that I1 has been looked at.
func (p *player) produce(sampled func()) {
	p.t.Helper()
	open := func(opts ...kgo.Opt) *kgo.Client {
		cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(p.target.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(cl.Close)
		return cl
	}
	cl, plain := open(kgo.TransactionalID(p.target.PositionKey)), open()
	send := func(cl *kgo.Client, records []*kgo.Record) {
		copies := make([]*kgo.Record, len(records))
		for i, r := range records {
			c := kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
			copies[i] = &c
		}
		if err := cl.ProduceSync(p.t.Context(), copies...).FirstErr(); err != nil {
			p.t.Fatal(err)
		}
	}
	end := func(how kgo.TransactionEndTry) {
		if err := cl.EndTransaction(context.WithoutCancel(p.t.Context()), how); err != nil {
			p.t.Fatal(err)
		}
	}
	begin := func() {
		if err := cl.BeginTransaction(); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, one := range p.parts {
		if one.early != 0 {
			p.confirm(one.early)
			sampled()
		}
		records := one.records
		for _, at := range []map[string]any{one.position, one.second} {
			if at != nil && !one.silent {
				records = append(slices.Clip(records),
					&kgo.Record{Topic: p.target.PositionTopic, Key: []byte(p.target.PositionKey), Value: p.json(at)})
			}
		}
		if one.abort {
			begin()
			send(cl, records)
			end(kgo.TryAbort)
		}
		if len(records) > 0 {
			begin()
			send(cl, records)
			if one.hasty {
				p.confirm(one.end)
				sampled()
			}
			end(kgo.TryCommit)
		}
		if len(one.loose) > 0 {
			send(plain, one.loose)
		}
		if one.end != 0 {
			p.confirm(one.end)
		}
	}
	sampled()
}

func (p *player) confirm(at schema.LSN) {
	p.t.Helper()
	p.exec("SELECT pg_replication_slot_advance($1, greatest($2::text::pg_lsn, confirmed_flush_lsn)) FROM pg_replication_slots WHERE slot_name = $1",
		p.target.Slot, at.String())
}

// newPlay writes a small load beside an open ledger and plays it.
func newPlay(t *testing.T) *player {
	t.Helper()
	s := newStage(t)
	s.createTopics()
	s.exec("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", s.target.Slot)
	return &player{stage: s}
}

// header returns a record's header, or changes it.
func header(r *kgo.Record, name string, to ...string) string {
	for i, h := range r.Headers {
		if h.Key != "penstock."+name {
			continue
		}
		if len(to) > 0 {
			r.Headers = append([]kgo.RecordHeader{}, r.Headers...)
			r.Headers[i].Value = []byte(to[0])
		}
		return string(h.Value)
	}
	panic(fmt.Sprintf("no header %s", name))
}
