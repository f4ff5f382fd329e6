package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack/stacktest"
	"penstock/testdata"
)

// TestExitCodes starts the daemon where it must not run. It has to say so by its
// exit code, say what mends it, and leave what was delivered as it is.
func TestExitCodes(t *testing.T) {
	w := newWorld(t)
	d := w.start()
	w.awaitStreaming()
	w.exec(testdata.Seed)
	w.awaitTruth()
	d.stop()

	w.exec("UPDATE engagement_events SET device = 'tv'") // for the daemon that comes after all of them
	w.deliverNothing("a daemon that cannot run", func() { t.Run("alone", w.testExits) })
	d = w.start()
	w.awaitStreaming()
	w.awaitTruth()

	w.deliverNothing("a second daemon", func() {
		w.testExit(t, exit{code: 5, args: []string{"wait=2s", "--no-standby"}, says: []string{"the slot is in use", "penstock slot list"}})
	})
	w.exec("UPDATE engagement_events SET device = 'radio'") // it has not fenced the first
	w.awaitTruth()
	d.stop()

	w.exec("UPDATE engagement_events SET device = 'gone'")
	w.exec("SELECT pg_replication_slot_advance('" + w.slot() + "', pg_current_wal_lsn())")
	w.deliverNothing("a daemon with a gap before it", func() {
		w.testExit(t, exit{code: 6, says: []string{"gap_detected: ", "in neither Kafka nor the slot", "--accept gap_detected@"}})
	})
	w.exec("SELECT pg_drop_replication_slot('" + w.slot() + "')")
	w.deliverNothing("a daemon whose slot is gone", func() {
		w.testExit(t, exit{code: 6, says: []string{"slot_lost: ", "the changes from ", "penstock slot create " + w.slot()}})
	})
}

// exit is how a daemon ends that must not run.
type exit struct {
	name string
	more string   // at the end of the configuration file
	args []string // of --set, and other flags
	code int
	says []string // what is wrong, where, and what mends it
}

// testExits has the cases that leave the slot alone, all at once: most of them wait.
func (w *world) testExits(t *testing.T) {
	strict := strictPostgres(t)
	nowhere, patience := "127.0.0.1:1", "wait=2s"
	for _, c := range []exit{
		{
			name: "unknown key", more: "kafak: {}\n", code: 2,
			says: []string{`unknown key "kafak"`, fmt.Sprintf(".yaml:%d:1)", 1+strings.Count(w.yaml(), "\n")), "did you mean kafka?"},
		},
		{
			name: "wrong password", args: []string{"source.dsn=" + strings.Replace(strict, "postgres@", "stranger:wrong@", 1)}, code: 2,
			says: []string{"source.dsn", "28P01", "correct user and password"},
		},
		{
			name: "no such database", args: []string{"source.dsn=" + strings.Replace(w.dsn, w.db.Config().Database, "nowhere", 1)}, code: 2,
			says: []string{"source.dsn", "nowhere", "create it"},
		},
		{
			name: "wal_level is replica", args: []string{"source.dsn=" + strict}, code: 2,
			says: []string{"wal_level", "ALTER SYSTEM SET wal_level = logical"},
		},
		{
			name: "slot without its publication", args: []string{"source.publication=nowhere"}, code: 2,
			says: []string{"publication nowhere", "does not exist", `CREATE PUBLICATION "nowhere"`},
		},
		{
			name: "no Postgres", args: []string{"source.dsn=postgres://" + nowhere + "/x", patience}, code: 3,
			says: []string{"source.dsn", "gave up after 2s", "fix check that the server runs"},
		},
		{
			name: "no Kafka for the capture", args: []string{"kafka.brokers=" + nowhere, patience, "--only=capture"}, code: 3,
			says: []string{nowhere, "gave up after 2s", "kafka.brokers"},
		},
		{
			name: "no Kafka for the sink", args: []string{"kafka.brokers=" + nowhere, patience, "--only=sink"}, code: 3,
			says: []string{nowhere, "gave up after 2s", "fix check that the brokers in kafka.brokers run"},
		},
		{
			name: "no Cassandra", args: []string{"cassandra.hosts=" + nowhere, patience, "--only=sink"}, code: 3,
			says: []string{"cassandra at " + nowhere, "gave up after 2s", "cassandra.hosts"},
		},
		{
			name: "no Redis", args: []string{"redis.address=" + nowhere, patience, "--only=sink"}, code: 3,
			says: []string{"redis at " + nowhere, "gave up after 2s", "redis.address"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w.testExit(t, c)
		})
	}
}

// testExit runs the daemon to its end. What it says is read from where it reports
// to people, below the log.
func (w *world) testExit(t *testing.T, want exit) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatalf("build the daemon: %v", err)
	}
	config := filepath.Join(t.TempDir(), "penstock.yaml")
	if err := os.WriteFile(config, []byte(w.yaml()+want.more), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "-c", config}
	for _, arg := range want.args {
		if !strings.HasPrefix(arg, "--") {
			args = append(args, "--set")
		}
		args = append(args, arg)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	output, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != want.code {
		t.Errorf("the daemon ended with %v, want exit code %d:\n%s", err, want.code, output)
	}
	_, report, _ := strings.Cut(string(output), "✗ ")
	for _, text := range want.says {
		if !strings.Contains(report, text) {
			t.Errorf("no %q in:\n%s", text, output)
		}
	}
}

// deliverNothing fails the test when there is more, or less, in the topic after do.
func (w *world) deliverNothing(who string, do func()) {
	w.t.Helper()
	before := w.delivered()
	do()
	if n := w.delivered(); n != before {
		w.t.Errorf("%d records in the topic after %s, want the %d from before", n, who, before)
	}
}

// strictPostgres is a server that cannot be captured from, and asks one role for
// its password.
func strictPostgres(t *testing.T) (dsn string) {
	t.Helper()
	in := stacktest.Postgres(t, map[string]string{"wal_level": "replica"})
	db, err := pgx.Connect(t.Context(), in.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	var path string
	if err := db.QueryRow(t.Context(), "SHOW hba_file").Scan(&path); err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("host all stranger 127.0.0.1/32 scram-sha-256\n"), rules...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "SELECT pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	return in.DSN()
}

// TestAServerThatComesUpIsWaitedFor has Postgres away twice: before the daemon
// starts, and while it streams.
func TestAServerThatComesUpIsWaitedFor(t *testing.T) {
	in := stacktest.Postgres(t, nil)
	w := newWorldAt(t, in.DSN())
	away := func(end func()) {
		if err := w.db.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		end()
	}
	back := func() {
		if err := in.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.openPostgres()
		w.awaitStreaming()
	}
	away(func() {
		if err := in.Stop(); err != nil {
			t.Fatal(err)
		}
	})
	d := w.start()
	w.eventually("the daemon to say that it waits", func() string {
		for line := range strings.Lines(d.log.String()) {
			if strings.Contains(line, "wait") && strings.Contains(line, "source.dsn") {
				return ""
			}
		}
		return "not said"
	})
	back()
	w.exec(testdata.Seed)
	w.awaitTruth()

	away(in.Kill)
	back()
	w.exec("UPDATE engagement_events SET device = 'tv'")
	w.awaitTruth()
	d.stop()
}
