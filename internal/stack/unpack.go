package stack

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/xi2/xz"
)

// unpackPostgres puts the txz archive inside the only jar of staging/jars into staging and removes the jar.
func unpackPostgres(staging string) error {
	return unpackJar(staging, func(file *zip.File) error {
		if !strings.HasSuffix(file.Name, ".txz") {
			return nil
		}
		r, err := file.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		plain, err := xz.NewReader(r, 0)
		if err != nil {
			return err
		}
		return untar(plain, staging)
	})
}

// unpackJar visits the files of the jar in staging/jars and removes staging/jars.
func unpackJar(staging string, visit func(*zip.File) error) (err error) {
	dir := filepath.Join(staging, "jars")
	jars, err := filepath.Glob(filepath.Join(dir, "*.jar"))
	if err != nil || len(jars) != 1 {
		return fmt.Errorf("expected one jar, got %d", len(jars))
	}
	jar, err := zip.OpenReader(jars[0])
	if err != nil {
		return fmt.Errorf("open %s: %w", jars[0], err)
	}
	defer func() { err = errors.Join(err, jar.Close(), os.RemoveAll(dir)) }()
	for _, file := range jar.File {
		if err := visit(file); err != nil {
			return fmt.Errorf("unpack %s of %s: %w", file.Name, jars[0], err)
		}
	}
	return nil
}

func untar(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // keeps every path inside
	if err != nil {
		return err
	}
	defer root.Close()
	for entries := tar.NewReader(r); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := untarEntry(root, entry, entries); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
	}
}

func untarEntry(root *os.Root, entry *tar.Header, content io.Reader) error {
	name := filepath.Clean(entry.Name)
	switch entry.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(entry.Linkname, name)
	case tar.TypeLink:
		return root.Link(filepath.Clean(entry.Linkname), name)
	case tar.TypeReg:
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644|fs.FileMode(entry.Mode)&0o111)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	default:
		return nil // nothing else is in these archives that a server needs
	}
}

// publish makes a folder of the cache ours and readable by all users.
func publish(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		mode := fs.FileMode(0o644)
		if d.IsDir() {
			mode = 0o755
		}
		return errors.Join(os.Chmod(path, mode), os.Lchown(path, os.Getuid(), os.Getgid()))
	})
}

// run runs a preparing program to its end, as a child that dies with us, and returns what it printed.
func (h *home) run(ctx context.Context, cmd *exec.Cmd) (output string, err error) {
	dir, err := os.MkdirTemp(h.dir, "run-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := h.spawner.spawn(cmd, filepath.Join(dir, "log"), syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.kill()
		return "", ctx.Err()
	}
	return tail(p.log, logLines), p.err
}
