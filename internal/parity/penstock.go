package parity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"

	"penstock/internal/parity/golden"
	"penstock/schema"
)

// Build compiles the daemon of the module that the working directory belongs to, and returns its path, and
// what removes it again.
func Build(ctx context.Context) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "penstock-built-")
	if err != nil {
		return "", nil, fmt.Errorf("build penstock: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) } // a directory that is left over does no harm
	path = filepath.Join(dir, "penstock")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "penstock/cmd/penstock").CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build penstock: %w:\n%s", err, out)
	}
	return path, remove, nil
}

// runPenstock lets the daemon at the path binary read a copy of the slot to the
// marker at its end, and returns what it wrote, topic after topic. Its topics are
// removed.
func (r *Rig) runPenstock(ctx context.Context, p Pass, binary string) (records []golden.Record, err error) {
	closing := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("pass %s not done within %s", p.Name, passTimeout))
	defer cancel()
	slot, err := r.copySlot(ctx, p)
	if err != nil {
		return nil, err
	}
	dir, err := r.writeConfig(ctx, p, slot)
	if err != nil {
		return nil, err
	}
	d := startDaemon(ctx, binary, dir, "")
	err = r.awaitMarker(ctx, p.Name, d.alive)
	err = errors.Join(err, d.end(), r.dropSlot(closing, slot))
	records, readErr := r.read(closing, p)
	return records, errors.Join(err, readErr, r.removeTopics(closing, p))
}

// writeConfig writes the daemon's configuration for the pass into a folder of its own, and returns that.
func (r *Rig) writeConfig(ctx context.Context, p Pass, slot string) (dir string, err error) {
	dir = filepath.Join(r.dir, p.Name)
	text, err := r.penstockConfig(ctx, p, slot)
	if err != nil {
		return dir, err
	}
	return dir, errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(filepath.Join(dir, "penstock.yaml"), []byte(text), 0o600))
}

// daemon is one that runs beside.
type daemon struct {
	dir   string
	pid   atomic.Int64 // 0 until it runs
	stop  context.CancelFunc
	ended chan error
}

func startDaemon(ctx context.Context, binary, dir, accept string) *daemon {
	running, stop := context.WithCancel(ctx)
	d := &daemon{dir: dir, stop: stop, ended: make(chan error, 1)} // one: its end is told once
	go func() { d.ended <- d.run(running, binary, accept) }()
	return d
}

// alive is an error once the daemon has ended.
func (d *daemon) alive() error {
	select {
	case err := <-d.ended:
		d.ended <- err
		return fmt.Errorf("penstock ended: %w", errors.Join(err, errors.New(logTail(d.dir))))
	default:
		return nil
	}
}

// end stops the daemon and returns how it ended.
func (d *daemon) end() error {
	d.stop()
	return d.wait()
}

// wait returns how the daemon ended, once it has. It may be called again.
func (d *daemon) wait() error {
	err := <-d.ended
	d.ended <- err
	return err
}

// run runs a process to its end, which the end of ctx asks for and the end of this process brings.
// accept is the operator's word, empty for none.
func (d *daemon) run(ctx context.Context, binary, accept string) error {
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// The kernel sends the death signal when the thread that started the child ends: this one waits for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	args := []string{"run", "-c", filepath.Join(d.dir, "penstock.yaml"), "--only", "capture"}
	if accept != "" {
		args = append(args, "--accept", accept)
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = passTimeout
	err = cmd.Start()
	if err == nil {
		d.pid.Store(int64(cmd.Process.Pid))
		err = cmd.Wait()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("penstock: %w", err)
	}
	return nil
}

// logTail is what the daemon said at last.
func logTail(dir string) string {
	const lines = 5
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// penstockConfig is the daemon's configuration file for the pass. source.name is Debezium's topic.prefix.
func (r *Rig) penstockConfig(ctx context.Context, p Pass, slot string) (string, error) {
	tables, err := r.published(ctx, p.Content)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "source:\n  dsn: %q\n  name: %s\n  slot: %s\n  publication: %s\n  tables:\n", r.postgres.DSN(), p.Name, slot, p.Content)
	for _, table := range tables {
		fmt.Fprintf(&text, "    - '\"%s\".\"%s\"'\n", table.Schema, strings.NewReplacer("'", "''", `"`, `""`).Replace(table.Name))
	}
	fmt.Fprintf(&text, "kafka:\n  brokers: [%q]\n  partitions: 1\n", r.kafka.Address())
	commits, counted := "of-penstock."+p.Name+".commits", p.Content == Transactions
	if counted {
		commits = p.Name + "." + transactionTable
	}
	fmt.Fprintf(&text, "  position_topic: of-penstock.%s.position\n  transaction_topic: %s\n", p.Name, commits)
	if p.messages() || counted {
		fmt.Fprintf(&text, "  message_topic: %s.%s\n", p.Name, messageTable)
	}
	if p.beats() {
		fmt.Fprintf(&text, "  heartbeat: %sms\n", p.Settings[heartbeatEvery])
	}
	text.WriteString(recordsConfig(p))
	return text.String(), nil
}

// recordsConfig is the part of the configuration that says how records look; empty for the defaults.
func recordsConfig(p Pass) string {
	var text strings.Builder
	if p.Schemas {
		text.WriteString("  schemas: true\n")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		switch value := p.Settings[name]; name {
		case includeUnknown: // Penstock drops no column, and so has no such key
		case heartbeatEvery: // it is of the section kafka
		case "skipped.operations":
			fmt.Fprintf(&text, "  %s: [%s]\n", name, value)
		default:
			fmt.Fprintf(&text, "  %s: %s\n", name, value)
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "records:\n" + text.String()
}

// published are the tables of a content, as it is now.
func (r *Rig) published(ctx context.Context, content Content) ([]schema.TableName, error) {
	rows, err := r.db.Query(ctx, "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1, 2", string(content))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[schema.TableName])
}
