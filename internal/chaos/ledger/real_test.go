package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/workload"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

const deadline = 90 * time.Second

// stage is a database with the workload's tables, and names for everything else.
type stage struct {
	t      *testing.T
	db     *pgx.Conn
	target ledger.Target
}

func newStage(t *testing.T) *stage {
	t.Helper()
	prefix := strings.TrimSuffix(stacktest.Prefix(t), "_")
	s := &stage{t: t, target: ledger.Target{
		DSN: stacktest.Database(t), Slot: prefix, Brokers: stacktest.Servers(t).Kafka.Brokers, Topics: map[schema.TableName]string{},
		PositionTopic: prefix + "_.position", PositionKey: prefix, TransactionTopic: prefix + "_.transactions",
	}}
	for _, table := range workload.Tables() {
		s.target.Topics[table] = prefix + "_." + table.Name
	}
	if err := workload.Setup(t.Context(), s.target.DSN); err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), s.target.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(context.Background()) })
	s.db = db
	return s
}

func (s *stage) open() *ledger.Ledger {
	s.t.Helper()
	l, err := ledger.Open(s.t.Context(), s.target)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return l
}

// eventually awaits a condition, which returns what is still missing.
func (s *stage) eventually(what string, missing func() string) {
	s.t.Helper()
	tick, expired := time.NewTicker(50*time.Millisecond), time.After(deadline)
	defer tick.Stop()
	for {
		left := missing()
		if left == "" {
			return
		}
		select {
		case <-tick.C:
		case <-expired:
			s.t.Fatalf("waited %s for %s: %s", deadline, what, left)
		}
	}
}

func (s *stage) drained(l *ledger.Ledger) {
	s.t.Helper()
	s.eventually("the slot to be drained", func() string {
		ok, reason, err := l.Drained(s.t.Context())
		if err != nil {
			return err.Error()
		}
		if !ok {
			return reason
		}
		return ""
	})
}

// judge finishes, and prints how long that took and in how much memory.
func (s *stage) judge(l *ledger.Ledger, log *workload.Log) *ledger.Verdict {
	s.t.Helper()
	began := time.Now()
	v, err := l.Finish(s.t.Context(), log)
	if err != nil {
		s.t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.t.Logf("%s (checked in %s, %d MB from the system)", v, time.Since(began).Round(time.Millisecond), m.Sys>>20)
	return v
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "penstock-ledger-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "penstock")
	if out, err := exec.Command("go", "build", "-o", path, "../../../cmd/penstock").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// capture runs the built daemon and returns when it streams.
func (s *stage) capture() (stop func()) {
	s.t.Helper()
	path, err := build()
	if err != nil {
		s.t.Fatal(err)
	}
	var tables, topics []string
	for name, topic := range s.target.Topics {
		tables = append(tables, name.String())
		topics = append(topics, fmt.Sprintf("%s: %s", name, topic))
	}
	config := filepath.Join(s.t.TempDir(), "penstock.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
source: { name: %s, dsn: %q, slot: %s, publication: p, tables: [%s] }
records: { format: text }
kafka:
  brokers: [%s]
  partitions: 4
  topics: { %s }
  position_topic: %s
  transaction_topic: %s
  transaction: { split_records: 2000 }
log: { format: json }
`, s.target.PositionKey, s.target.DSN, s.target.Slot, strings.Join(tables, ", "), strings.Join(s.target.Brokers, ", "),
		strings.Join(topics, ", "), s.target.PositionTopic, s.target.TransactionTopic)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(path, "run", "-c", config, "--only", "capture")
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceFunc(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			s.t.Error(err)
		}
		if err := <-ended; err != nil || s.t.Failed() {
			s.t.Errorf("the daemon: %v\n%.5000s", err, output.Bytes())
		}
	})
	s.t.Cleanup(stop)
	s.eventually("the daemon to stream", func() string {
		var streams bool
		const query = `SELECT EXISTS (SELECT FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
			WHERE s.slot_name = $1 AND r.state = 'streaming')`
		if err := s.db.QueryRow(s.t.Context(), query, s.target.Slot).Scan(&streams); err != nil {
			return err.Error()
		}
		if !streams {
			return "nobody streams"
		}
		return ""
	})
	return stop
}

// TestTheCaptureIsExactlyOnce holds the built daemon against the whole mix.
func TestTheCaptureIsExactlyOnce(t *testing.T) {
	s := newStage(t)
	stop := s.capture()
	l := s.open()
	load := workload.Start(t.Context(), workload.Options{DSN: s.target.DSN, Seed: 1, Events: 20_000})
	if err := load.Large(t.Context(), 5_000); err != nil {
		t.Fatal(err)
	}
	log, err := load.Wait()
	if err != nil {
		t.Fatal(err)
	}
	s.drained(l)
	stop()
	v := s.judge(l, log)
	if !v.OK() || v.Events < 20_000 || v.Samples == 0 || v.Positions == 0 || v.Splits == 0 {
		t.Errorf("want no problem, and something seen of everything:\n%s", strings.Join(v.Problems, "\n"))
	}
}
