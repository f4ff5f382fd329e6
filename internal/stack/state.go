package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"penstock/internal/fault"
)

// ErrNotRunning says that no kept stack runs. A keeper that died without a word does not count as running.
var ErrNotRunning error = &fault.Error{Kind: fault.Unreachable, What: "no stack is running", Fix: "penstock dev up"}

// State is a kept stack; its JSON form is that of `penstock dev status -o json`.
type State struct {
	Servers
	PID     int       `json:"pid"` // of the keeper
	Started time.Time `json:"started"`
	Log     string    `json:"log"` // file with what the keeper says
}

// runtimeDir is the folder with the files of kept stacks. For the keeper NAME it holds NAME.json (the state, there while the
// servers answer), NAME.alive (locked as long as the keeper lives), NAME.up (locked while somebody starts it) and NAME.log.
type runtimeDir struct{ dir string }

// openRuntime takes a folder in the cache, or a temporary one of this user where the cache is another's.
func openRuntime() (runtimeDir, error) {
	c, err := openCache()
	if err != nil {
		return runtimeDir{}, err
	}
	dir := c.path("run")
	if os.MkdirAll(dir, 0o755) == nil && unix.Access(dir, unix.W_OK) == nil {
		return runtimeDir{dir}, nil
	}
	dir = filepath.Join(os.TempDir(), "penstock-run-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return runtimeDir{}, fmt.Errorf("make the runtime folder: %w", err)
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		return runtimeDir{}, &fault.Error{
			Kind: fault.Usage, Where: "runtime folder " + dir, What: "is not ours", Err: err,
			Fix: "set PENSTOCK_CACHE to a folder of yours",
		}
	}
	return runtimeDir{dir}, nil
}

func (r runtimeDir) file(name, suffix string) string { return filepath.Join(r.dir, name+suffix) }

// read returns the state of a living keeper whose servers answer, else ErrNotRunning.
func (r runtimeDir) read(name string) (State, error) {
	text, err := os.ReadFile(r.file(name, ".json"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !locked(r.file(name, ".alive")) {
		return State{}, ErrNotRunning
	}
	if err != nil {
		return State{}, fmt.Errorf("read state: %w", err)
	}
	var state State
	if err := json.Unmarshal(text, &state); err != nil {
		return State{}, fmt.Errorf("read state %s: %w", r.file(name, ".json"), err)
	}
	return state, nil
}

// write puts the state in place as a whole.
func (r runtimeDir) write(name string, state State) error {
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	path := r.file(name, ".json")
	if err := os.WriteFile(path+".new", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// reap removes the files of keepers for processes that have ended, whose names hold the pid.
func (r runtimeDir) reap() {
	files, _ := filepath.Glob(r.file(processPrefix+"*", ".*")) // the pattern is well formed
	for _, file := range files {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(file), processPrefix+"%d.", &pid); err != nil {
			continue
		}
		if unix.Kill(pid, 0) == unix.ESRCH && !locked(r.file(processPrefix+strconv.Itoa(pid), ".alive")) {
			_ = os.Remove(file) // the next reaping tries again
		}
	}
}

// processPrefix and a pid name a keeper that ends with that process.
const processPrefix = "process-"
