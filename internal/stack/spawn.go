package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawner starts children from one OS thread of its own. The kernel sends a child its death signal when the *thread* that
// started it ends, not the process: on a thread of the scheduler's a server could die in the middle of its work, on this
// one it dies with the stack or with the process, also after kill -9.
type spawner struct {
	jobs chan func()
	done chan struct{}
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func()), done: make(chan struct{})}
	go s.run() // joined by close
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	runtime.LockOSThread() // never unlocked, so that the thread ends with this goroutine and takes every child along
	// A Java server of root would lock its whole heap into memory (about 160 MB for Cassandra) if it could. An ordinary
	// user's cannot, and has no right to drop this either: hence no look at the error.
	_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_IPC_LOCK, 0, 0, 0)
	for job := range s.jobs {
		job()
	}
}

// start is cmd.Start on the spawner's thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error, 1) // one: the answer never waits
	s.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread; no start may be under way or follow.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}

// process is one child. Its fields are written before it is shared, err before exited is closed.
type process struct {
	cmd    *exec.Cmd
	log    string // its stdout and stderr
	exited chan struct{}
	err    error
}

// spawn starts cmd with its output added to the file log and the end of this process as its own end.
func (s *spawner) spawn(cmd *exec.Cmd, log string, atDeath syscall.Signal) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // Ctrl-C at a terminal is for us, we tell the children
	cmd.SysProcAttr.Pdeathsig = atDeath
	if err := s.start(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, log: log, exited: make(chan struct{})}
	go func() { // joined by whoever waits for exited: every stop and every start does
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// end sends the signal, waits, and kills what is still there after the timeout.
func (p *process) end(signal syscall.Signal, timeout time.Duration) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal pid %d: %w", p.cmd.Process.Pid, err)
	}
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	select {
	case <-p.exited:
		return nil
	case <-deadline.C:
		p.kill()
		return fmt.Errorf("pid %d did not end within %s of %s and was killed", p.cmd.Process.Pid, timeout, signal)
	}
}

// signal sends it to the process and its own children.
func (p *process) signal(signal syscall.Signal) error {
	pid := p.cmd.Process.Pid
	for _, target := range append([]int{pid}, childrenOf(pid)...) {
		if err := syscall.Kill(target, signal); err != nil && (target == pid || !errors.Is(err, syscall.ESRCH)) {
			return fmt.Errorf("signal pid %d: %w", target, err)
		}
	}
	return nil
}

// kill ends the process and its own children (Postgres' backends) the hard way and waits for its end.
func (p *process) kill() {
	children := childrenOf(p.cmd.Process.Pid)
	_ = p.cmd.Process.Kill() // ErrProcessDone is as good
	for _, pid := range children {
		_ = syscall.Kill(pid, syscall.SIGKILL) // gone already is as good
	}
	<-p.exited
}

func (p *process) alive() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

func childrenOf(pid int) []int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil // ended, or a kernel without the file
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		var child int
		if _, err := fmt.Sscan(field, &child); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// tail returns the last lines of a file, for error messages; an unreadable file has none.
func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
