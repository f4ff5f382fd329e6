package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"penstock/internal/fault"
)

const (
	// KeeperCommand is the hidden subcommand with which a program that calls Up is started again; it must call RunKeeper.
	KeeperCommand = "stack-keeper"

	keeperEnv = "PENSTOCK_KEEPER" // holds the order in JSON
	devName   = "dev"
	pollEvery = 50 * time.Millisecond
)

// order is what a keeper is to keep.
type order struct {
	Name    string  // of its files in the runtime folder
	Process int     // it ends with this process; 0: it stays until told to stop
	Options Options `json:"options"`
}

// Up returns the kept stack, started when none runs: a detached keeper process runs it until Down. Progress hears what the
// keeper says. Callers at the same time get the same stack.
func Up(ctx context.Context, opts Options) (State, error) {
	return keep(ctx, order{Name: devName, Options: opts})
}

// UpFor is Up with a stack of its own that all callers for the same process share and that ends when that process does,
// however it ends.
func UpFor(ctx context.Context, pid int, opts Options) (State, error) {
	return keep(ctx, order{Name: processPrefix + strconv.Itoa(pid), Process: pid, Options: opts})
}

// Status returns the stack that Up keeps, or ErrNotRunning.
func Status() (State, error) {
	run, err := openRuntime()
	if err != nil {
		return State{}, err
	}
	return run.read(devName)
}

// Down stops the stack that Up keeps and returns when its servers have ended, or ErrNotRunning.
func Down(ctx context.Context) error {
	run, err := openRuntime()
	if err != nil {
		return err
	}
	state, err := run.read(devName)
	if err != nil {
		return err
	}
	if err := syscall.Kill(state.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop keeper pid %d: %w", state.PID, err)
	}
	alive, err := lock(ctx, run.file(devName, ".alive"), nil)
	if err != nil {
		return fmt.Errorf("wait for the end of keeper pid %d: %w", state.PID, err)
	}
	alive.unlock()
	return nil
}

// keep returns the state of the keeper with that name, started when there is none.
func keep(ctx context.Context, o order) (State, error) {
	run, err := openRuntime()
	if err != nil {
		return State{}, err
	}
	run.reap()
	starting, err := lock(ctx, run.file(o.Name, ".up"), nil)
	if err != nil {
		return State{}, err
	}
	defer starting.unlock()
	state, err := run.read(o.Name)
	if !errors.Is(err, ErrNotRunning) {
		return state, err
	}
	if err := os.RemoveAll(run.file(o.Name, ".json")); err != nil { // left by a keeper that was killed
		return State{}, fmt.Errorf("remove old state: %w", err)
	}
	pid, err := startKeeper(run, o)
	if err != nil {
		return State{}, fmt.Errorf("start keeper: %w", err)
	}
	return awaitKeeper(ctx, run, o, pid)
}

// startKeeper runs this program again as a keeper in a session of its own. Its output goes to a file, so that nobody who
// waits for the end of our pipes waits for it.
func startKeeper(run runtimeDir, o order) (pid int, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	log, err := os.Create(run.file(o.Name, ".log"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := exec.Command(program, KeeperCommand)
	cmd.Env = append(os.Environ(), keeperEnv+"="+string(text))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	pid = cmd.Process.Pid // Release forgets it
	return pid, cmd.Process.Release()
}

// awaitKeeper passes on what the keeper says until its stack runs or it has ended.
func awaitKeeper(ctx context.Context, run runtimeDir, o order, pid int) (State, error) {
	log, err := os.Open(run.file(o.Name, ".log"))
	if err != nil {
		return State{}, err
	}
	defer log.Close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	said := listener{hear: newReporter(o.Options.Progress), from: log}
	for {
		// The order matters: what the keeper said is read after its end was seen, so that nothing of it is missed.
		ended, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		said.listen()
		if ended == pid || errors.Is(err, unix.ECHILD) {
			return State{}, fmt.Errorf("the stack did not start; %s ends with:\n%s", log.Name(), tail(log.Name(), 2*logLines))
		}
		state, err := run.read(o.Name)
		if !errors.Is(err, ErrNotRunning) {
			return state, err
		}
		select {
		case <-ctx.Done():
			return State{}, errors.Join(context.Cause(ctx), syscall.Kill(pid, syscall.SIGTERM))
		case <-tick.C:
		}
	}
}

// listener turns the keeper's growing log into events.
type listener struct {
	hear *reporter
	from io.Reader
	rest string // the begin of an unfinished line
}

func (l *listener) listen() {
	text, _ := io.ReadAll(l.from) // an unreadable log is silent; the keeper's end is seen otherwise
	lines := strings.SplitAfter(l.rest+string(text), "\n")
	for _, line := range lines[:len(lines)-1] {
		var e Event
		if json.Unmarshal([]byte(line), &e) == nil {
			l.hear.send(e)
		}
	}
	l.rest = lines[len(lines)-1]
}

// IsKeeper tells whether this process was started to call RunKeeper.
func IsKeeper() bool { return os.Getenv(keeperEnv) != "" }

// RunKeeper runs the stack that the caller of Up asked for, until SIGTERM, SIGINT, the end of ctx or of the process that
// the stack was started for. It is for a process that Up has started, see KeeperCommand and IsKeeper.
func RunKeeper(ctx context.Context) error {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv(keeperEnv)), &o); err != nil {
		return &fault.Error{Kind: fault.Usage, Where: keeperEnv, What: "is not for hand use", Fix: "penstock dev up", Err: err}
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if o.Process == 0 {
		return o.keepUntil(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cancel(awaitEnd(ctx, o.Process))
	}()
	err := o.keepUntil(ctx)
	cancel(nil)
	<-watched
	return err
}

// keepUntil runs the stack until ctx ends.
func (o order) keepUntil(ctx context.Context) (err error) {
	run, err := openRuntime()
	if err != nil {
		return err
	}
	alive, err := tryLock(run.file(o.Name, ".alive"))
	if err != nil {
		return fmt.Errorf("own %s: %w", run.file(o.Name, ".alive"), err)
	}
	defer alive.unlock()
	events := json.NewEncoder(os.Stdout)
	o.Options.Progress = func(e Event) { _ = events.Encode(e) } // a full disk will be noticed elsewhere
	st, err := Start(ctx, o.Options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(run.file(o.Name, ".json")), st.Close()) }()
	state := State{Servers: st.Servers(), PID: os.Getpid(), Started: time.Now().UTC(), Log: run.file(o.Name, ".log")}
	if err := run.write(o.Name, state); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	<-ctx.Done()
	return nil
}

// errEnded says that the process that a stack was started for has ended.
var errEnded = errors.New("process has ended")

// awaitEnd returns when the process has ended, or with ctx.
func awaitEnd(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("watch pid %d: %w", pid, errors.Join(errEnded, err))
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(pollEvery.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("watch pid %d: %w", pid, err)
		}
		if n == 1 {
			return errEnded
		}
	}
	return ctx.Err()
}
