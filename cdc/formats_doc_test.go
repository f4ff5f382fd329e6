package cdc_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/debezium"
	"penstock/schema/shape"
)

const formatsDoc = "../docs/formats.md"

// example is a table of its own, what is done to it, and where docs/formats.md shows what
// became of it.
type example struct {
	block, label string
	table        cdc.Table
	sql          string // %s is the table; empty is an insert of the row
	field        string // only this field of the new row is shown; empty shows all
}

const (
	exampleDDL = `(id int PRIMARY KEY, amount numeric(10,2), due date, at timestamp, paid timestamptz, took interval, doc bytea, tags hstore, note text)`
	exampleRow = `INSERT INTO %s VALUES (7, 19.90, '2025-08-25', '2025-08-25 16:13:40.436907', '2025-08-25 16:13:40.436907+00',
		'1 day 02:03:04', '\x00ff', 'a=>1', 'a note')`
)

func examples() []example {
	var all []example
	for kind, name := range format.Names() {
		all = append(all, example{block: "formats", label: name, table: cdc.Table{Format: format.Format{Kind: format.Kind(kind)}}})
	}
	mode := func(setting, field string, o debezium.Options) {
		all = append(all, example{block: "modes", label: setting, field: field, table: cdc.Table{Format: format.Format{Options: o}}})
	}
	for m := debezium.DecimalPrecise; m <= debezium.DecimalString; m++ {
		mode("decimal.handling.mode: "+m.String(), "amount", debezium.Options{Decimal: m})
	}
	for m := debezium.TimeAdaptive; m <= debezium.TimeNanoseconds; m++ {
		mode("time.precision.mode: "+m.String(), "at", debezium.Options{Time: m})
	}
	for m := debezium.IntervalNumeric; m <= debezium.IntervalString; m++ {
		mode("interval.handling.mode: "+m.String(), "took", debezium.Options{Interval: m})
	}
	for m := debezium.BinaryBytes; m <= debezium.BinaryHex; m++ {
		mode("binary.handling.mode: "+m.String(), "doc", debezium.Options{Binary: m})
	}
	for m := debezium.HStoreJSON; m <= debezium.HStoreMap; m++ {
		mode("hstore.handling.mode: "+m.String(), "tags", debezium.Options{HStore: m})
	}
	row := cdc.Table{Format: format.Format{Kind: format.JSON}}
	with := func(label string, change func(*cdc.Table), field, sql string) {
		table := row
		change(&table)
		all = append(all, example{block: "shaping", label: label, table: table, field: field, sql: sql})
	}
	with("exclude: [due, at, paid, took, doc, tags]", func(t *cdc.Table) { t.Rules.Exclude = []string{"due", "at", "paid", "took", "doc", "tags"} }, "", "")
	with("include: [id, n*]", func(t *cdc.Table) { t.Rules.Include = []string{"id", "n*"} }, "", "")
	with("mask: { note: salt }", func(t *cdc.Table) { t.Rules.Mask = map[string]shape.Mask{"note": {Salt: []byte("salt")}} }, "note", "")
	with("truncate: { note: 3 }", func(t *cdc.Table) { t.Rules.Truncate = map[string]int{"note": 3} }, "note", "")
	with("key: [due, id]", func(t *cdc.Table) { t.Rules = shape.Rules{Key: []string{"due", "id"}, Include: []string{"id"}} }, "", "")
	const changes = exampleRow + "; UPDATE %[1]s SET id = 8; DELETE FROM %[1]s; TRUNCATE %[1]s"
	small := shape.Rules{Include: []string{"id"}}
	return append(all,
		example{block: "changes", label: "debezium", table: cdc.Table{Rules: small}, sql: changes},
		example{block: "changes", label: "json", table: cdc.Table{Rules: small, Format: row.Format}, sql: changes},
		example{block: "changes", label: "debezium, tombstones.on.delete: false, skipped.operations: [t]",
			table: cdc.Table{Rules: small, NoTombstones: true, Skip: []schema.Op{schema.OpTruncate}}, sql: changes},
		example{block: "schemas", label: "schemas: true", table: cdc.Table{Rules: small, Format: format.Format{Schemas: true}}},
		example{block: "events", label: "cloudevents: binary", table: cdc.Table{Rules: small, Format: format.Format{Events: format.BinaryEvents}}},
		example{block: "events", label: "cloudevents: structured", table: cdc.Table{Rules: small, Format: format.Format{Events: format.StructuredEvents}}},
		example{block: "transactions", label: "provide.transaction.metadata: true", table: cdc.Table{Rules: small, Transactions: true}},
		example{block: "oversized", label: "oversized: truncate-with-marker", table: cdc.Table{Format: row.Format, Oversized: cdc.OversizedTruncate},
			sql: "INSERT INTO %s (id, note) VALUES (7, repeat('x', 2000000))", field: "id"},
		example{block: "oversized", label: "oversized: dead-letter", table: cdc.Table{Format: row.Format, Oversized: cdc.OversizedDeadLetter},
			sql: "INSERT INTO %s (id, note) VALUES (7, repeat('x', 2000000))"},
		example{block: "unchanged", label: "debezium", table: cdc.Table{}, sql: exampleTOAST, field: "note"},
		example{block: "unchanged", label: "json", table: row, sql: exampleTOAST, field: "note"},
	)
}

// exampleTOAST updates a row whose note is kept elsewhere.
const exampleTOAST = "ALTER TABLE %s ALTER note SET STORAGE EXTERNAL; INSERT INTO %[1]s (id, note) VALUES (7, repeat('x', 3000)); UPDATE %[1]s SET amount = 1"

// recorder gathers the blocks of the document.
type recorder struct {
	*source
	blocks map[string]*strings.Builder
	hide   *strings.Replacer
	usual  bool           // the headers of every record are shown already
	schema map[int]string // that were registered, by id
}

// TestFormatsDoc holds the records of docs/formats.md against those that the capture
// writes now. With -rewrite it writes them down.
func TestFormatsDoc(t *testing.T) {
	r := recordExamples(t)
	text, err := os.ReadFile(formatsDoc)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)(<!-- recorded: ([a-z]+) -->\n```\n)(.*?)(```\n)")
	seen := map[string]bool{}
	got := block.ReplaceAllStringFunc(string(text), func(b string) string {
		m := block.FindStringSubmatch(b)
		recorded, known := r.blocks[m[2]]
		if !known {
			t.Errorf("nothing is recorded for block %s", m[2])
			return b
		}
		seen[m[2]] = true
		return m[1] + recorded.String() + m[4]
	})
	for name := range r.blocks {
		if !seen[name] {
			t.Errorf("the document does not show %s", name)
		}
	}
	if *rewrite {
		if err := os.WriteFile(formatsDoc, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), got); diff != "" {
		t.Errorf("what the document shows (-document +recorded):\n%s", diff)
	}
}

// recordExamples runs the capture over all examples.
func recordExamples(t *testing.T) *recorder {
	t.Helper()
	list := examples()
	var names []string
	ddl := "CREATE EXTENSION hstore;"
	for i := range list {
		names = append(names, fmt.Sprintf("payments%d", i))
		ddl += fmt.Sprintf("CREATE TABLE %s %s;", names[i], exampleDDL)
		if list[i].table.Rules.Key != nil {
			ddl += fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY FULL;", names[i])
		}
	}
	r := &recorder{source: newTables(t, stacktest.Database(t), ddl, names...), blocks: map[string]*strings.Builder{}, schema: map[int]string{}}
	address, known := r.startRegistry()
	for i, x := range list {
		name := r.cfg.Tables[i].Name
		r.cfg.Tables[i] = x.table
		r.cfg.Tables[i].Name, r.cfg.Tables[i].Topic, r.cfg.Tables[i].Format.Registry = name, r.cfg.Name+"."+name.String(), known
	}
	r.cfg.Version, r.cfg.MarkCommits, r.cfg.DeadLetterTopic = "1.0.0", true, r.cfg.Name+".dead-letters"
	r.cfg.Messages = cdc.Messages{Topic: r.cfg.Name + ".message", Outbox: []string{r.cfg.Name + ".orders*"}, DeadLetters: true}
	r.cfg.Beats = cdc.Beats{Topic: "__debezium-heartbeat." + r.cfg.Name, Every: 1}
	r.hide = strings.NewReplacer(address, "http://registry:8081", r.cfg.Name, "shop", r.one("SELECT current_database()"), "shop_db")
	c := r.startStreaming()
	for i, x := range list {
		sql := x.sql
		if sql == "" {
			sql = exampleRow
		}
		r.exec("BEGIN;" + fmt.Sprintf(sql, names[i]) + "; COMMIT")
	}
	r.exec(fmt.Sprintf(`SELECT pg_logical_emit_message(true, 'audit', 'somebody was here');
		SELECT pg_logical_emit_message(true, 'outbox:%s.orders:42', '{"order":42}'); SELECT pg_logical_emit_message(true, 'outbox:secrets:1', 'x')`, r.cfg.Name))
	for i, x := range list {
		r.show(x, r.read(r.cfg.Tables[i].Topic, wantedOf(x)))
	}
	r.beside()
	c.finish()
	return r
}

// wantedOf is how many records an example makes in its own topic at least.
func wantedOf(x example) int {
	switch {
	case x.block == "changes" && x.table.NoTombstones:
		return 4
	case x.block == "changes" && x.table.Format.Kind == format.JSON:
		return 5
	case x.block == "changes":
		return 7
	case x.block == "unchanged":
		return 2
	case x.table.Oversized == cdc.OversizedDeadLetter:
		return 0
	}
	return 1
}

// beside shows the topics beside the tables'.
func (r *recorder) beside() {
	for _, x := range []struct {
		block, topic string
		want         int
		all          bool
	}{
		{"messages", r.cfg.Messages.Topic, 1, true}, {"messages", r.cfg.Name + ".orders", 1, true},
		{"heartbeats", r.cfg.Beats.Topic, 1, false}, {"letters", r.cfg.DeadLetterTopic, 2, true},
	} {
		records := r.read(x.topic, x.want)
		if !x.all {
			records = records[:1]
		}
		for _, rec := range records {
			r.line(x.block, "topic %s", rec.Topic)
			r.record(x.block, rec, x.block == "letters", "")
		}
	}
	var marks []*kgo.Record
	for _, m := range r.read(r.cfg.TransactionTopic, 2) {
		if strings.Contains(string(m.Value), `"END"`) && strings.Contains(string(m.Value), r.markedTable()) {
			marks = append(marks, m)
		}
		if strings.Contains(string(m.Value), `"BEGIN"`) && len(marks) < 2 {
			marks = []*kgo.Record{m}
		}
	}
	for _, m := range marks[:min(2, len(marks))] {
		r.line("transactions", "topic %s", m.Topic)
		r.record("transactions", m, false, "")
	}
}

// markedTable is the one whose transaction is shown.
func (r *recorder) markedTable() string {
	i := slices.IndexFunc(r.cfg.Tables, func(t cdc.Table) bool { return t.Transactions })
	return r.cfg.Tables[i].Name.String() + `"`
}

func (r *recorder) line(block, text string, args ...any) {
	b, ok := r.blocks[block]
	if !ok {
		b = &strings.Builder{}
		r.blocks[block] = b
	}
	b.WriteString(r.steady(fmt.Sprintf(text, args...)) + "\n")
}

func (r *recorder) show(x example, records []*kgo.Record) {
	if x.block == "unchanged" {
		records = records[1:]
	}
	if x.field != "" && len(records) == 1 && x.block != "unchanged" && x.block != "oversized" {
		r.line(x.block, "%-50s %s", x.label, fieldOf(r.t, records[0].Value, x.field))
		return
	}
	r.line(x.block, "%s", x.label)
	for _, rec := range records {
		r.record(x.block, rec, !slices.Contains([]string{"formats", "schemas", "shaping"}, x.block), x.field)
	}
}

// fieldOf is one field of a row.
func fieldOf(t *testing.T, value []byte, field string) string {
	t.Helper()
	var row map[string]json.RawMessage
	if err := json.Unmarshal(value, &row); err != nil {
		t.Fatal(err)
	}
	if after, wrapped := row["after"]; wrapped {
		return fieldOf(t, after, field)
	}
	if _, there := row[field]; !there {
		return "without " + field
	}
	return fmt.Sprintf("%q:%s", field, row[field])
}

func (r *recorder) record(block string, rec *kgo.Record, headers bool, field string) {
	key, value := "none", "none"
	if block == "letters" {
		key = "…"
	} else if rec.Key != nil {
		key = r.octets(rec.Key)
	}
	if field != "" {
		value = fieldOf(r.t, rec.Value, field)
	} else if rec.Value != nil {
		value = r.octets(rec.Value)
	}
	if begin, payload, ok := strings.Cut(value, `,"payload":`); ok {
		value = fmt.Sprintf(`%.120s…},"payload":%s`, begin, payload)
	}
	if block != "formats" {
		value = regexp.MustCompile(`"source":\{[^{}]*\}`).ReplaceAllString(value, `"source":{…}`)
	}
	r.line(block, "  key    %s\n  value  %s", key, value)
	common := []string{"penstock.lsn", "penstock.seq", "penstock.xid", "penstock.version"}
	for _, h := range rec.Headers {
		if headers && !(r.usual && slices.Contains(common, h.Key)) {
			r.line(block, "  header %s: %s", h.Key, h.Value)
		}
	}
	r.usual = r.usual || headers
}

// octets is text as it is, and what has a schema in the registry in hexadecimal, with
// what its schema makes of it.
func (r *recorder) octets(data []byte) string {
	const header = 5
	if len(data) < header || data[0] != 0 {
		return string(data)
	}
	id := int(data[header-1])
	s, err := avro.Parse(r.schema[id])
	if err != nil { // Protobuf: the envelope is the same
		return hex.EncodeToString(data[:min(len(data), 16)]) + map[bool]string{true: "…"}[len(data) > 16]
	}
	var v any
	if _, err := s.Decode(data[header:], &v); err != nil {
		r.t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("%s…, read with its schema: %s", hex.EncodeToString(data[:header]), text)
}
