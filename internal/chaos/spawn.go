package chaos

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// spawner starts the daemons from one OS thread of its own: the kernel sends a
// child its death signal when the thread that started it ends, and on this one
// that is the end of the rig, also by kill -9.
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
	runtime.LockOSThread() // never unlocked, so that the thread ends with this goroutine
	for job := range s.jobs {
		job()
	}
}

// close ends the thread, and with it every child; no start may be under way or follow.
func (s *spawner) close() {
	close(s.jobs)
	<-s.done
}

// process is one child. err is written before exited is closed.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error
}

// spawn starts cmd with its output added to the file log. It dies with the rig.
func (s *spawner) spawn(cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error, 1) // one: the answer never waits
	s.jobs <- func() { result <- cmd.Start() }
	if err := <-result; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() { // joined by whoever waits for exited
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// status is the signal that ended the process, or its exit code. Only after exited.
func (p *process) status() (syscall.Signal, int) {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return status.Signal(), -1
	}
	return 0, p.cmd.ProcessState.ExitCode()
}

// peakMemory is the largest resident set of the process so far in bytes, or 0
// when it is gone.
func peakMemory(pid int) int64 { return procStatus(pid, "VmHWM") << 10 }

// stopped reports whether the process is held by SIGSTOP.
func stopped(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name before it may hold anything
	return strings.HasPrefix(rest, "T")
}

// procStatus reads a number of /proc/PID/status, in its unit there.
func procStatus(pid int, key string) int64 {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != key {
			continue
		}
		n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return 0
}
