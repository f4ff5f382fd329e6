package chaos

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	restartPause = 200 * time.Millisecond // between an end nobody asked for and the next start
	memoryEvery  = 200 * time.Millisecond
	endTimeout   = time.Minute // for a process to end once it is told to
)

// Exit is how a daemon's process ended.
type Exit struct {
	PID    int
	Signal syscall.Signal // that ended it; 0: it exited by itself
	Code   int            // -1 for a signal
	Asked  bool           // the rig wanted it, or FAILPOINT did
	Armed  string         // FAILPOINT of this process
}

func (e Exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("pid %d: %s", e.PID, e.Signal)
	}
	return fmt.Sprintf("pid %d: exit code %d", e.PID, e.Code)
}

// Daemon is a supervised penstock: whenever it ends it is started again, as a
// service with restart=always would be, unless it is held. Methods may be called
// from several goroutines.
type Daemon struct {
	Name    string
	binary  string
	config  string   // path of its configuration file
	args    []string // of the command, behind the configuration
	log     string   // path of all that it printed
	spawner *spawner

	mu       sync.Mutex
	proc     *process // the running or last one
	logged   int      // bytes of the log that are older than proc
	failpt   string   // FAILPOINT of the next start
	armed    string   // FAILPOINT of proc
	asked    bool     // the rig wants proc to end
	held     bool     // do not start
	running  bool
	exits    []Exit
	peak     int64         // bytes of memory, over all processes
	changed  chan struct{} // closed and replaced when running, held or exits change
	startErr error

	end  context.CancelFunc
	done chan struct{} // closed when nobody starts it any more
}

// start begins to supervise; Close ends it.
func (d *Daemon) start(ctx context.Context) {
	ctx, d.end = context.WithCancel(context.WithoutCancel(ctx))
	d.changed, d.done = make(chan struct{}), make(chan struct{})
	go func() { // joined by Close
		defer close(d.done)
		d.keep(ctx)
	}()
}

func (d *Daemon) keep(ctx context.Context) {
	for ctx.Err() == nil {
		if !d.await(ctx, func() bool { return !d.held }) {
			return
		}
		p, err := d.launch(ctx)
		if err != nil {
			d.mu.Lock()
			d.startErr = err
			d.mu.Unlock()
			return
		}
		d.watch(p)
		if !d.ended(p) {
			_ = pause(ctx, restartPause) // the loop sees the end of ctx
		}
	}
}

// launch starts a process unless ctx has ended, which Close makes sure of before it looks for one.
func (d *Daemon) launch(ctx context.Context) (*process, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	cmd := exec.CommandContext(ctx, d.binary, append([]string{"run", "-c", d.config}, d.args...)...)
	cmd.Env = append(os.Environ(), "FAILPOINT="+d.failpt)
	d.logged = len(d.Log())
	p, err := d.spawner.spawn(cmd, d.log)
	if err != nil {
		return nil, err
	}
	d.proc, d.armed, d.failpt, d.asked, d.running = p, d.failpt, "", false, true
	d.tell()
	return p, nil
}

// watch returns when the process has ended, and looks at its memory until then.
func (d *Daemon) watch(p *process) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.exited:
			return
		case <-tick.C:
			bytes := peakMemory(p.pid())
			d.mu.Lock()
			d.peak = max(d.peak, bytes)
			d.mu.Unlock()
		}
	}
}

// ended notes the end and reports whether it was wanted.
func (d *Daemon) ended(p *process) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	signal, code := p.status()
	asked := d.asked || d.armed != "" && signal == syscall.SIGKILL
	d.exits = append(d.exits, Exit{PID: p.pid(), Signal: signal, Code: code, Asked: asked, Armed: d.armed})
	d.running = false
	d.tell()
	return asked
}

// tell wakes whoever waits; d.mu is held.
func (d *Daemon) tell() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// await returns true once the condition, asked under the lock, holds.
func (d *Daemon) await(ctx context.Context, holds func() bool) bool {
	for {
		d.mu.Lock()
		ok, changed := holds(), d.changed
		d.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-d.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// Hold lets the next end be the last until Release.
func (d *Daemon) Hold() { d.set(func() { d.held = true }) }

// Release lets it be started again, at once when it does not run.
func (d *Daemon) Release() { d.set(func() { d.held = false }) }

// Arm names the failpoint at which the next process is to kill itself, and the
// how manyth time that it comes there.
func (d *Daemon) Arm(failpoint string, nth int) {
	d.set(func() { d.failpt = fmt.Sprintf("%s:%d", failpoint, nth) })
}

func (d *Daemon) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	d.tell()
}

// PID is the process id of the running or last process, 0 before the first.
func (d *Daemon) PID() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.proc == nil {
		return 0
	}
	return d.proc.pid()
}

// Running reports whether a process runs.
func (d *Daemon) Running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

// Peak is the most memory that one of its processes has had resident, in bytes.
func (d *Daemon) Peak() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peak
}

// Exits are the ends so far.
func (d *Daemon) Exits() []Exit {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Exit(nil), d.exits...)
}

// Kill ends the running process by SIGKILL and returns how it ended; it waits
// for a process to run when none does.
func (d *Daemon) Kill(ctx context.Context) (Exit, error) { return d.Signal(ctx, syscall.SIGKILL) }

// Terminate asks the running process to end gracefully and returns how it did.
func (d *Daemon) Terminate(ctx context.Context) (Exit, error) { return d.Signal(ctx, syscall.SIGTERM) }

// Signal sends a signal that ends the running process and awaits the end.
func (d *Daemon) Signal(ctx context.Context, signal syscall.Signal) (Exit, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, endTimeout, found(Stop, fmt.Errorf("%s did not end within %s of %s", d.Name, endTimeout, signal)))
	defer cancel()
	if !d.await(ctx, func() bool { return d.running }) {
		return Exit{}, d.failure(ctx)
	}
	d.mu.Lock()
	before := len(d.exits)
	d.asked = true
	err := d.proc.cmd.Process.Signal(signal)
	d.mu.Unlock()
	if err != nil {
		return Exit{}, fmt.Errorf("%s: %w", d.Name, err)
	}
	return d.exitAfter(ctx, before)
}

// ExitAfter awaits the end of the process that follows the first n ends.
func (d *Daemon) ExitAfter(ctx context.Context, n int, within time.Duration) (Exit, error) {
	cause := fmt.Errorf("%s did not end within %s: %w", d.Name, within, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, within, cause)
	defer cancel()
	return d.exitAfter(ctx, n)
}

// Crash kills the running process and lets the next one kill itself when it
// comes to the failpoint for the nth time. Then the daemon is held. An error that
// is a DeadlineExceeded says that it did not come there.
func (d *Daemon) Crash(ctx context.Context, failpoint string, nth int, within time.Duration) (Exit, error) {
	d.Hold()
	if err := d.endNow(ctx); err != nil {
		return Exit{}, err
	}
	d.Arm(failpoint, nth)
	n := len(d.Exits())
	d.Release()
	if err := d.awaitLife(ctx, n); err != nil {
		return Exit{}, err
	}
	d.Hold()
	return d.ExitAfter(ctx, n, within)
}

// awaitLife returns when the process that follows the first n ends runs, or has ended too.
func (d *Daemon) awaitLife(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, endTimeout, fmt.Errorf("%s did not start within %s", d.Name, endTimeout))
	defer cancel()
	if !d.await(ctx, func() bool { return len(d.exits) > n || len(d.exits) == n && d.running }) {
		return d.failure(ctx)
	}
	return nil
}

// awaitArmed returns when a process that is to crash at the failpoint runs.
func (d *Daemon) awaitArmed(ctx context.Context, failpoint string) error {
	if !d.await(ctx, func() bool { return d.running && strings.HasPrefix(d.armed, failpoint+":") }) {
		return d.failure(ctx)
	}
	return nil
}

// pardon makes the end after the first n one that was wanted.
func (d *Daemon) pardon(n int) { d.set(func() { d.exits[n].Asked = true }) }

// endNow kills the process if one runs.
func (d *Daemon) endNow(ctx context.Context) error {
	if !d.Running() {
		return nil
	}
	_, err := d.Kill(ctx)
	return err
}

func (d *Daemon) exitAfter(ctx context.Context, before int) (Exit, error) {
	if !d.await(ctx, func() bool { return len(d.exits) > before }) {
		return Exit{}, d.failure(ctx)
	}
	return d.Exits()[before], nil
}

func (d *Daemon) failure(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.startErr != nil {
		return fmt.Errorf("%s: %w", d.Name, d.startErr)
	}
	return fmt.Errorf("%s: %w", d.Name, context.Cause(ctx))
}

// Pause holds the running process by SIGSTOP, and Resume lets it go on.
func (d *Daemon) Pause() error { return d.send(syscall.SIGSTOP) }

// Resume undoes Pause.
func (d *Daemon) Resume() error { return d.send(syscall.SIGCONT) }

func (d *Daemon) send(signal syscall.Signal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.running {
		return fmt.Errorf("%s does not run", d.Name)
	}
	return d.proc.cmd.Process.Signal(signal)
}

// Log is what its processes have printed so far.
func (d *Daemon) Log() string {
	text, err := os.ReadFile(d.log)
	if err != nil {
		return ""
	}
	return string(text)
}

// Streams reports whether the newest process says that it streams: a walsender may
// be that of one before.
func (d *Daemon) Streams() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	log := d.Log()
	return strings.Contains(log[min(d.logged, len(log)):], `"message":"streaming"`)
}

// LogTail is the last lines of the log.
func (d *Daemon) LogTail(lines int) string {
	all := strings.Split(strings.TrimRight(d.Log(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Close kills what runs and returns when nothing does.
func (d *Daemon) Close() {
	d.end()
	d.mu.Lock()
	d.asked = true
	if d.running {
		_ = d.proc.cmd.Process.Kill() // gone already is as good
	}
	d.mu.Unlock()
	<-d.done
}

// pause waits, or returns the reason why ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// eventually asks every 50 ms until nothing is missing any more.
func eventually(ctx context.Context, within time.Duration, what string, missing func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for last := "nothing was found out"; ; {
		left, err := missing(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			last = err.Error()
		case err == nil && left == "":
			return nil
		case err == nil:
			last = left
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("waited %s for %s: %s", within, what, last)
		}
	}
}
