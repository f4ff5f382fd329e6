package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// errLocked says that another process, or another open file of this one, holds the lock.
var errLocked = errors.New("lock is held")

// fileLock is an advisory lock that the kernel drops when its process ends, however it ends. Children do not inherit it.
type fileLock struct{ file *os.File }

// tryLock takes the lock on path, creating it, or returns errLocked at once.
func tryLock(path string) (*fileLock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &fileLock{file}, nil
}

// lock waits for the lock; waiting is called once when it is not free at once.
func lock(ctx context.Context, path string, waiting func()) (*fileLock, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for first := true; ; first = false {
		l, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		if first && waiting != nil {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}

// locked tells whether another process holds the lock, without creating the file.
func locked(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	l, err := tryLock(path)
	if err == nil {
		l.unlock()
	}
	return errors.Is(err, errLocked)
}

func (l *fileLock) unlock() { l.file.Close() } // closing drops the lock; there is nothing to lose in the file
