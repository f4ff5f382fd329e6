package cdc

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"penstock/cdc/catalog"
	"penstock/cdc/copytext"
	"penstock/cdc/format"
	"penstock/cdc/pgoutput"
	"penstock/cdc/registry"
	"penstock/internal/stack/stacktest"
	"penstock/internal/typecases"
	"penstock/schema"
	"penstock/schema/debezium"
)

// TestCopyIsTheStream: every value of every type, read by COPY, is the value that
// the slot sends of it, octet for octet, and in every format and mode the record.
func TestCopyIsTheStream(t *testing.T) {
	cfg := Config{DSN: stacktest.Database(t)}
	db, err := cfg.connectSQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	cases := typesOn(t, db)
	if len(cases.Columns()) < 240 {
		t.Fatalf("%d columns, want at least 240", len(cases.Columns()))
	}
	rel, streamed := stream(t, db, cases)
	if err := catalog.New(cfg.connectSQL).Describe(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	copied := copyOut(t, db, len(rel.Columns))
	if len(streamed) != cases.Rows()+1 || len(copied) != len(streamed) {
		t.Fatalf("%d rows by the stream, %d by COPY, want %d", len(streamed), len(copied), cases.Rows()+1)
	}
	for i := range streamed {
		for c := range rel.Columns {
			if diff := cmp.Diff(streamed[i][c], copied[i][c]); diff != "" {
				t.Errorf("row %d, column %s (-stream +copy):\n%s", i, rel.Columns[c].Name, diff)
			}
		}
	}
	all := everyFormat(t)
	for name, f := range all {
		t.Run(name, func(t *testing.T) { sameRecords(t, f, rel, streamed, copied) })
	}
	if len(all) != 2+4*(1+2+5+1+3+1) {
		t.Errorf("%d formats and modes, want all", len(all))
	}
	t.Logf("%d columns, %d rows, %d formats and modes", len(rel.Columns), len(streamed), len(all))
}

// typesOn is the list of types as far as this server has them.
func typesOn(t *testing.T, db *pgx.Conn) *typecases.Table {
	t.Helper()
	all, err := typecases.Load()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(t.Context(), "SELECT name FROM pg_available_extensions")
	if err != nil {
		t.Fatal(err)
	}
	extensions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	major, err := strconv.Atoi(db.PgConn().ParameterStatus("server_version")[:2])
	if err != nil {
		t.Fatal(err)
	}
	cases, absent := all.On(major, extensions)
	t.Logf("this server lacks the types of %v", absent)
	return cases
}

// stream makes the table with all its rows and returns what the output plugin says
// of them, under the settings of the capture.
func stream(t *testing.T, db *pgx.Conn, cases *typecases.Table) (*schema.Relation, []schema.Tuple) {
	t.Helper()
	name := fmt.Sprintf("copy_%d", db.PgConn().PID())
	statements := append(cases.CreateSQL("types"), "CREATE PUBLICATION p FOR TABLE types",
		fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput', true)", name))
	for i := range cases.Rows() + 1 {
		statements = append(statements, cases.InsertSQL("types", i))
	}
	for _, sql := range statements {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	rows, err := db.Query(t.Context(), "SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'p')", name)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		t.Fatal(err)
	}
	var decoder pgoutput.Decoder
	var rel *schema.Relation
	var tuples []schema.Tuple
	for _, data := range messages {
		switch m, err := decoder.Parse(data); m := m.(type) {
		case *pgoutput.Relation:
			rel = m.Relation
		case *pgoutput.Insert:
			tuples = append(tuples, slices.Clone(m.New)) // its values alias data
		default:
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return rel, tuples
}

func copyOut(t *testing.T, db *pgx.Conn, columns int) []schema.Tuple {
	t.Helper()
	var out bytes.Buffer
	if _, err := db.PgConn().CopyTo(t.Context(), &out, "COPY types TO STDOUT"); err != nil {
		t.Fatal(err)
	}
	var tuples []schema.Tuple
	for line := range bytes.Lines(out.Bytes()) {
		tuple, err := new(copytext.Reader).Row(line, columns)
		if err != nil {
			t.Fatal(err)
		}
		tuples = append(tuples, tuple)
	}
	return tuples
}

// everyFormat has each format, and of those with modes each mode.
func everyFormat(t *testing.T) map[string]format.Format {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id":1}`) }))
	t.Cleanup(server.Close)
	schemas, err := registry.Open(registry.Config{URLs: []string{server.URL}, SubjectNaming: registry.Naming("topic"), AutoRegister: true})
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]debezium.Options{"defaults": {}}
	for m := debezium.DecimalPrecise + 1; known(m); m++ {
		modes["decimal "+m.String()] = debezium.Options{Decimal: m}
	}
	for m := debezium.TimeAdaptive + 1; known(m); m++ {
		modes["time "+m.String()] = debezium.Options{Time: m}
	}
	for m := debezium.IntervalNumeric + 1; known(m); m++ {
		modes["interval "+m.String()] = debezium.Options{Interval: m}
	}
	for m := debezium.BinaryBytes + 1; known(m); m++ {
		modes["binary "+m.String()] = debezium.Options{Binary: m}
	}
	for m := debezium.HStoreJSON + 1; known(m); m++ {
		modes["hstore "+m.String()] = debezium.Options{HStore: m}
	}
	all := map[string]format.Format{"text": {Kind: format.Text}, "json": {Kind: format.JSON}}
	for name, options := range modes {
		all["debezium, "+name] = format.Format{Kind: format.Debezium, Options: options}
		all["debezium with schemas, "+name] = format.Format{Kind: format.Debezium, Options: options, Schemas: true}
		all["avro, "+name] = format.Format{Kind: format.Avro, Options: options, Registry: schemas}
		all["protobuf, "+name] = format.Format{Kind: format.Protobuf, Options: options, Registry: schemas}
	}
	return all
}

// known reports whether a mode has a name.
func known(mode fmt.Stringer) bool { return !strings.HasPrefix(mode.String(), "mode ") }

func sameRecords(t *testing.T, f format.Format, rel *schema.Relation, streamed, copied []schema.Tuple) {
	columns := make([]int, len(rel.Columns))
	for i := range columns {
		columns[i] = i
	}
	e, err := f.Compile(t.Context(), format.Table{Relation: rel, Columns: columns, Key: rel.Key, Topic: "s.public.types"})
	if err != nil {
		t.Fatal(err)
	}
	record := func(tuple schema.Tuple) string {
		event := schema.Event{Op: schema.OpRead, Relation: rel, New: tuple}
		key, err := e.AppendKey(nil, tuple)
		if err != nil {
			t.Fatal(err)
		}
		value, err := e.AppendValue(key, &event, debezium.Image{Op: schema.OpRead, After: tuple}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(value) == len(key) {
			t.Fatal("the record has no value")
		}
		return string(value)
	}
	for i := range streamed {
		if a, b := record(streamed[i]), record(copied[i]); a != b {
			t.Errorf("row %d:\nstream %s\ncopy   %s", i, a, b)
		}
	}
}
