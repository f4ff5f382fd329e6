package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"penstock/internal/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// binary is the program under test, built once; armed is the same with failpoints.
var (
	binary = sync.OnceValues(func() (string, error) { return buildBinary() })
	armed  = sync.OnceValues(func() (string, error) { return buildBinary("-tags", "failpoint") })
)

func buildBinary(flags ...string) (string, error) {
	dir, err := os.MkdirTemp("", "penstock-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "penstock")
	build := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{"../../cmd/penstock"})...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return path, nil
}

// daemon is a running `penstock run`.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *syncBuffer
	done chan error
}

// start runs the daemon on the world's configuration. It ends with the test.
func (w *world) start(args ...string) *daemon {
	w.t.Helper()
	path, err := binary()
	return w.startBinary(path, err, nil, args...)
}

// startArmed runs a daemon that kills itself at a failpoint, such as "lettered:1".
func (w *world) startArmed(failpoint string, args ...string) *daemon {
	w.t.Helper()
	path, err := armed()
	return w.startBinary(path, err, []string{"FAILPOINT=" + failpoint}, args...)
}

func (w *world) startBinary(path string, err error, env []string, args ...string) *daemon {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("build the daemon: %v", err)
	}
	w.running = &daemon{t: w.t, log: &syncBuffer{}, done: make(chan error, 1)}
	d := w.running
	d.cmd = exec.Command(path, append([]string{"run", "-c", w.config}, args...)...)
	d.cmd.Stderr, d.cmd.Stdout, d.cmd.Env = d.log, d.log, append(os.Environ(), env...)
	if err := d.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	w.t.Cleanup(func() {
		d.kill()
		if w.t.Failed() {
			w.t.Logf("daemon %d:\n%s", d.cmd.Process.Pid, d.log)
		}
	})
	return d
}

// kill ends the daemon as a power cut would. It may be called again.
func (d *daemon) kill() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGKILL); err == nil {
		d.exit()
	}
}

// exit awaits the daemon's end and returns its exit code, -1 for a signal.
func (d *daemon) exit() int {
	d.t.Helper()
	select {
	case err := <-d.done:
		d.done <- err
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(deadline):
		d.t.Fatalf("the daemon did not end:\n%s", d.log)
		return 0
	}
}

// stop asks it to end gracefully.
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatalf("SIGTERM: %v\n%s", err, d.log)
	}
	if code := d.exit(); code != 0 {
		d.t.Fatalf("graceful stop: exit code %d\n%s", code, d.log)
	}
}

// syncBuffer is a buffer that one process writes and a test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
