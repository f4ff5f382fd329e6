package parity

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
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
	if out, err := exec.CommandContext(ctx, "go", "build", "-buildvcs=auto", "-o", path, "penstock/cmd/penstock").CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("build penstock: %w:\n%s", err, out)
	}
	return path, remove, nil
}

// Daemon is one that runs beside. Its methods may be called from several goroutines.
type Daemon struct {
	dir   string
	pid   atomic.Int64 // 0 until it runs
	stop  context.CancelFunc
	ended chan error
}

// StartDaemon starts the daemon at the path binary with the configuration penstock.yaml in the folder dir, where its log
// is kept too. args follow `run`. It ends with End, with ctx, and with this process.
func StartDaemon(ctx context.Context, binary, dir string, args ...string) *Daemon {
	running, stop := context.WithCancel(ctx)
	d := &Daemon{dir: dir, stop: stop, ended: make(chan error, 1)} // one: its end is told once
	go func() { d.ended <- d.run(running, binary, args) }()
	return d
}

// PID is the process id, 0 until the daemon runs.
func (d *Daemon) PID() int { return int(d.pid.Load()) }

// Alive is an error once the daemon has ended.
func (d *Daemon) Alive() error {
	select {
	case err := <-d.ended:
		d.ended <- err
		return fmt.Errorf("penstock ended: %w", errors.Join(err, errors.New(logTail(d.dir))))
	default:
		return nil
	}
}

// End stops the daemon and returns how it ended.
func (d *Daemon) End() error {
	d.stop()
	return d.wait()
}

// wait returns how the daemon ended, once it has. It may be called again.
func (d *Daemon) wait() error {
	err := <-d.ended
	d.ended <- err
	return err
}

// run runs a process to its end, which the end of ctx asks for and the end of this process brings.
func (d *Daemon) run(ctx context.Context, binary string, args []string) error {
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// The kernel sends the death signal when the thread that started the child ends: this one waits for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, binary, append([]string{"run", "-c", filepath.Join(d.dir, "penstock.yaml")}, args...)...)
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
