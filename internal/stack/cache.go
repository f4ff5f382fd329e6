package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"penstock/internal/fault"
)

// cache is the folder with what was downloaded and made from it. Entries appear complete, by a rename, and never change:
// a reader needs no lock, and a folder that may only be read serves as well once it is filled.
type cache struct{ dir string }

// openCache finds the folder: PENSTOCK_CACHE, else /var/cache/penstock for root (Postgres runs under another uid then and
// must be able to read it), else the user's cache folder. It is not created before something is put in.
func openCache() (cache, error) {
	if dir := os.Getenv("PENSTOCK_CACHE"); dir != "" {
		abs, err := filepath.Abs(dir)
		return cache{abs}, err
	}
	if os.Getuid() == 0 {
		return cache{"/var/cache/penstock"}, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return cache{}, &fault.Error{Kind: fault.Usage, Where: "cache folder", What: "the user has none", Fix: "set PENSTOCK_CACHE", Err: err}
	}
	return cache{filepath.Join(dir, "penstock")}, nil
}

// key names an entry by what it is made from.
func key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}

func (c cache) path(name string) string { return filepath.Join(c.dir, name) }

func (c cache) has(name string) bool {
	_, err := os.Stat(c.path(name))
	return err == nil
}

// entry returns the folder of that name, made by build in a staging folder when it is not there. Only one process builds;
// the others wait and are told so by waiting.
func (c cache) entry(ctx context.Context, name string, waiting func(), build func(staging string) error) (string, error) {
	path := c.path(name)
	if c.has(name) {
		return filepath.EvalSymlinks(path) // an archive of classes fits the true path only
	}
	if err := c.writable(); err != nil {
		return "", err
	}
	l, err := lock(ctx, c.lockFile(name), waiting)
	if err != nil {
		return "", err
	}
	defer l.unlock()
	if c.has(name) {
		return filepath.EvalSymlinks(path)
	}
	staging := c.path(".staging-" + name) // the lock makes it ours; what is in it was left by a build that died
	if err := os.RemoveAll(staging); err != nil {
		return "", fmt.Errorf("clear staging folder: %w", err)
	}
	if err := os.Mkdir(staging, 0o755); err != nil {
		return "", fmt.Errorf("make staging folder: %w", err)
	}
	if err := build(staging); err != nil {
		return "", errors.Join(err, os.RemoveAll(staging))
	}
	if err := os.Rename(staging, path); err != nil {
		return "", fmt.Errorf("complete cache entry: %w", err)
	}
	return filepath.EvalSymlinks(path)
}

func (c cache) writable() error {
	err := os.MkdirAll(c.dir, 0o755)
	if err == nil {
		err = unix.Access(c.dir, unix.W_OK)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Usage, Where: "cache folder " + c.dir, What: "cannot be written", Fix: "set PENSTOCK_CACHE to a folder of yours", Err: err}
	}
	return nil
}

func (c cache) lockFile(name string) string { return filepath.Join(c.dir, "locks", name+".lock") }

// copyTree copies a folder of plain files and symbolic links. owner, when not negative, becomes uid and gid of all of it.
func copyTree(from, to string, owner int) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := copyEntry(path, target, d); err != nil || owner < 0 {
			return err
		}
		return os.Lchown(target, owner, owner)
	})
}

func copyEntry(path, target string, d fs.DirEntry) error {
	switch {
	case d.IsDir():
		return os.MkdirAll(target, 0o700)
	case d.Type()&fs.ModeSymlink != 0:
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	}
	content, err := os.ReadFile(path) // 16 MiB at most: these are templates of empty servers
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o600)
}
