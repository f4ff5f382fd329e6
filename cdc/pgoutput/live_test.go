package pgoutput_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"penstock/internal/stack/stacktest"
)

var rewrite = flag.Bool("rewrite", false, "record testdata/pgoutput from a real server")

func TestMain(m *testing.M) { stacktest.Main(m) }

// TestServerSendsWhatIsRecorded runs every scenario's SQL on a real server and
// wants the messages of the golden, but for LSNs, times and generated OIDs.
func TestServerSendsWhatIsRecorded(t *testing.T) {
	for _, s := range load(t) {
		t.Run(s.name(), func(t *testing.T) {
			messages := record(t, s)
			if *rewrite {
				s.messages, s.rendered = messages, renderAll(t, messages, false)
				if err := os.WriteFile(s.path, s.format(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := settle(renderAll(t, s.messages, true))
			got := settle(renderAll(t, messages, true))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the server sends something else (-golden +server):\n%s", diff)
			}
		})
	}
}

// record runs a scenario in a database of its own and returns what a slot made
// between setup and changes sends.
func record(t *testing.T, s *scenario) [][]byte {
	t.Helper()
	conn := connect(t, stacktest.Database(t))
	run(t, conn, s.setup)
	slot := fmt.Sprintf("golden_%s_%d", s.name(), os.Getpid())
	run(t, conn, []string{fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s', 'pgoutput')", slot)})
	s.change(t, conn)

	options := append([]string{"publication_names", "golden", "messages", "true"}, s.options...)
	if !slices.Contains(s.options, "proto_version") {
		options = append(options, "proto_version", "1")
	}
	rows, err := conn.Query(t.Context(), "SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL, VARIADIC $2)", slot, options)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// change runs the changes, in the first session unless a part says otherwise.
func (s *scenario) change(t *testing.T, first *pgx.Conn) {
	t.Helper()
	var second *pgx.Conn
	for _, part := range s.changes {
		conn := first
		if strings.HasPrefix(part, secondSession) {
			if second == nil {
				second = connect(t, first.Config().ConnString())
			}
			conn = second
		}
		run(t, conn, []string{part})
	}
}

// connect opens a session whose output does not depend on the server's settings.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["client_min_messages"] = "warning"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// run sends each part as one simple query, which is one transaction unless the
// part itself says otherwise.
func run(t *testing.T, conn *pgx.Conn, parts []string) {
	t.Helper()
	for _, sql := range parts {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// settle leaves out what a server may send more or less often: a relation again
// without a change, and transactions (sent before version 15) and later blocks
// without a change, as changes of the catalogue leave them behind.
func settle(lines []string) []string {
	var settled []string
	announced := map[string]bool{}
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "relation ") || strings.HasPrefix(line, "type "):
			if announced[line] {
				continue
			}
			announced[line] = true
		case strings.HasPrefix(line, "commit ") && strings.HasPrefix(settled[len(settled)-1], "begin "):
			settled = settled[:len(settled)-1]
			continue
		case line == "stream stop" && strings.HasSuffix(settled[len(settled)-1], "first=false"):
			settled = settled[:len(settled)-1]
			continue
		}
		settled = append(settled, line)
	}
	return settled
}
