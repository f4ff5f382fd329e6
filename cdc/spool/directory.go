package spool

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"penstock/internal/fault"
)

// prefix begins the name of every spool's own directory.
const prefix = "penstock-spool-"

// Open makes a directory of its own under dir, which is made if it is not there,
// and removes those there that processes which are gone have left behind. The
// directory is locked, so that several spools may share dir.
func Open(dir string) (*Spool, error) {
	if err := sweep(dir); err != nil {
		return nil, openFault(dir, err)
	}
	path, lock, err := claim(dir)
	if err != nil {
		return nil, openFault(dir, err)
	}
	directory, err := os.OpenRoot(path)
	if err != nil {
		return nil, openFault(dir, errors.Join(err, lock.Close()))
	}
	return &Spool{
		directory: directory, lock: lock,
		waiting:   map[uint32]*transaction{},
		relations: relations{current: map[uint32]announcement{}},
		out: writer{
			buffer: bufio.NewWriterSize(nil, bufferBytes),
			table:  crc32.MakeTable(crc32.Castagnoli),
		},
		in: reader{buffer: bufio.NewReaderSize(nil, bufferBytes)},
	}, nil
}

// Close removes everything that the spool has on disk. Nothing is lost by it: the
// server sends again what was not delivered.
func (s *Spool) Close() error {
	var errs []error
	for _, file := range []*os.File{s.out.file, s.in.file} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	errs = append(errs, os.RemoveAll(s.directory.Name()), s.directory.Close(), s.lock.Close())
	return errors.Join(errs...)
}

// sweep removes the directories under dir that nobody holds.
func sweep(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		lock, err := acquire(path)
		if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // in use, gone, or another user's
		}
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(path), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// claim makes a directory and locks it. Between the two, somebody else's sweep may
// take it for a leftover; only who holds the lock removes a directory, so if it is
// there once the lock is held, it stays.
func claim(dir string) (path string, lock *os.File, err error) {
	for {
		if path, err = os.MkdirTemp(dir, prefix+"*"); err != nil {
			return "", nil, err
		}
		lock, err = acquire(path)
		if err == nil {
			if _, err = os.Stat(path); err == nil {
				return path, lock, nil
			}
			err = errors.Join(err, lock.Close())
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, err
		}
	}
}

// acquire locks a directory for as long as the returned file is open, which is not
// longer than the process lives.
func acquire(path string) (*os.File, error) {
	lock, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&fs.PathError{Op: "lock", Path: path, Err: err}, lock.Close())
	}
	return lock, nil
}

func openFault(dir string, err error) error {
	return &fault.Error{
		Kind: fault.Usage, Where: "spool directory " + dir, Err: err,
		What: "streamed transactions cannot be kept there",
		Fix:  "name a directory that the daemon may write to",
	}
}
