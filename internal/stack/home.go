package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"penstock/internal/fault"
)

const (
	tempPrefix = "penstock-stack-" // temporary homes are os.TempDir()/penstock-stack-*
	ownerFile  = "owner"           // locked by the owner as long as it lives; holds its pid for people
)

// home is what the servers of one stack share: the folder, the thread that starts children, the cache and the ears.
type home struct {
	opts      Options
	dir       string
	temporary bool
	owner     *fileLock
	spawner   *spawner
	cache     cache
	report    *reporter
	java      func() (java, error) // found once
}

// openHome makes the folder ours. Temporary folders whose owner is dead are removed on the way.
func openHome(opts Options) (*home, error) {
	c, err := openCache()
	if err != nil {
		return nil, err
	}
	h := &home{opts: opts, cache: c, report: newReporter(opts.Progress), java: sync.OnceValues(findJava)}
	if err := h.openDir(); err != nil {
		return nil, err
	}
	h.spawner = newSpawner()
	return h, nil
}

func (h *home) openDir() error {
	if h.opts.Dir == "" {
		reapHomes(os.TempDir())
		dir, err := os.MkdirTemp("", tempPrefix)
		if err != nil {
			return fmt.Errorf("make temporary folder: %w", err)
		}
		h.dir, h.temporary = dir, true
	} else {
		dir, err := filepath.Abs(h.opts.Dir)
		if err != nil {
			return fmt.Errorf("name data folder: %w", err)
		}
		h.dir = dir
	}
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if err := h.own(); err != nil {
		return err
	}
	if h.temporary { // Postgres runs under another uid when we are root and must get through
		return os.Chmod(h.dir, 0o711)
	}
	return nil
}

func (h *home) own() error {
	owner, err := tryLock(filepath.Join(h.dir, ownerFile))
	if errors.Is(err, errLocked) {
		return &fault.Error{Kind: fault.Refused, Where: "data folder " + h.dir, What: "is in use by another stack", Fix: "stop that one or name another folder"}
	}
	if err != nil {
		return fmt.Errorf("own data folder: %w", err)
	}
	h.owner = owner
	return os.WriteFile(filepath.Join(h.dir, ownerFile), strconv.AppendInt(nil, int64(os.Getpid()), 10), 0o644)
}

// close ends the thread of the children, which must have ended, and removes temporary data.
func (h *home) close() error {
	if h.spawner != nil {
		h.spawner.close()
		h.spawner = nil
	}
	var err error
	if h.temporary {
		err = os.RemoveAll(h.dir)
	}
	h.owner.unlock()
	return err
}

// reapHomes removes temporary homes of ours whose owner died without doing so. What cannot be removed is left for the next time.
func reapHomes(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, tempPrefix+"*")) // the pattern is well formed
	for _, dir := range dirs {
		if abandoned(dir) {
			os.RemoveAll(dir)
		}
	}
}

// abandoned is true for a folder of this user whose owner's lock is free. A folder without an owner file may be about to get one.
func abandoned(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
		return false
	}
	owner := filepath.Join(dir, ownerFile)
	file, err := os.Stat(owner)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Since(info.ModTime()) > time.Minute
	}
	return err == nil && time.Since(file.ModTime()) > time.Second && !locked(owner) // a new one may not be locked yet
}
