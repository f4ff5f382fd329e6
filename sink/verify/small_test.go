package verify

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/record"
	"penstock/sink/plan"
)

// small is a pipeline of few columns.
func small(t testing.TB) *plan.Plan {
	t.Helper()
	p, problems := plan.Compile(&plan.Declaration{
		Name: "small",
		Stream: plan.Side{Table: schema.TableName{Schema: "s", Name: "stream"}, Join: "j", Columns: []plan.Column{
			{Name: "id", Type: plan.Int, NotNull: true}, {Name: "j", Type: plan.Int}, {Name: "v", Type: plan.Text}, {Name: "at", Type: plan.Time, NotNull: true},
		}},
		Key:    []string{"id"},
		Lookup: plan.Side{Table: schema.TableName{Schema: "s", Name: "lookup"}, Join: "id", Columns: []plan.Column{{Name: "id", Type: plan.Int, NotNull: true}, {Name: "name", Type: plan.Text}}},
		Columns: []plan.Output{
			{Name: "id", Expr: "stream.id"}, {Name: "at", Expr: "stream.at"}, {Name: "v", Expr: "stream.v"}, {Name: "name", Expr: "lookup.name"},
		},
		Filter:    `stream.v != "hidden"`,
		Cassandra: plan.Target{Table: "result", Partition: []string{"id"}, Clustering: []plan.Order{{Column: "at"}}},
		Redis:     plan.Hash{Key: "small:{id}"},
	})
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	return p
}

// row is a stream row of small.
type row struct {
	id, j int64
	v     string
}

// The text of the time that all rows have, as a record has it and as Postgres prints it.
const (
	recordTime   = "2026-03-01T23:59:59.123456Z"
	postgresTime = "2026-03-01 23:59:59.123456+00"
)

func (r row) json() string {
	return fmt.Sprintf(`{"id":%d,"j":%d,"v":%q,"at":%q}`, r.id, r.j, r.v, recordTime)
}

func (r row) texts() [][]byte {
	return [][]byte{[]byte(strconv.FormatInt(r.id, 10)), []byte(strconv.FormatInt(r.j, 10)), []byte(r.v), []byte(postgresTime)}
}

// recordOf is a record of the input topic; an empty image is none.
func recordOf(op schema.Op, table string, version int64, before, after string) *kgo.Record {
	null := func(image string) string {
		if image == "" {
			return "null"
		}
		return image
	}
	return &kgo.Record{
		Value: fmt.Appendf(nil, `{"before":%s,"after":%s,"op":%q,"source":{"schema":"s","table":%q,"ts_us":1}}`, null(before), null(after), string(rune(op)), table),
		Headers: []kgo.RecordHeader{
			{Key: record.HeaderLSN, Value: []byte("0/1")}, {Key: record.HeaderSeq, Value: []byte("0")}, {Key: record.HeaderXID, Value: []byte("1")},
			{Key: record.HeaderVersion, Value: []byte(strconv.FormatInt(version, 10))},
		},
	}
}

// sourceOf is a row as Postgres has it.
func sourceOf(t testing.TB, p *plan.Plan, r row, name string) *sourceRow {
	t.Helper()
	source := &postgres{plan: p}
	streamColumns, lookupColumns := p.SourceColumns()
	source.stream.columns, source.lookup.columns, source.lookup.join = streamColumns, lookupColumns, "id"
	joined := [][]byte{nil, nil}
	if name != "" {
		joined = [][]byte{[]byte(strconv.FormatInt(r.j, 10)), []byte(name)}
	}
	out := source.streamRow(append(r.texts(), joined...))
	if out.err != nil {
		t.Fatal(out.err)
	}
	return out
}
