package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock/cdc/spool"
	"penstock/internal/fault"
)

// started is a spool in which transaction 1 lies on disk, and its file.
func started(t *testing.T) (s *spool.Spool, file string) {
	t.Helper()
	s, dir := newSpool(t)
	// The block of another transaction makes the first one's leave the memory.
	mustPass(t, s, first(1), of(1, row(table, "first")), of(2, row(table, "second")), stop(),
		first(3), of(3, row(table, "other")), stop())
	return s, filepath.Join(filepath.Dir(files(t, dir)[0]), "1")
}

// wantFault wants an error for the operator that says all of parts.
func wantFault(t *testing.T, err error, kind fault.Kind, parts ...string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != kind || f.Fix == "" {
		t.Fatalf("got %v, want a fault of kind %d with its fix", err, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want %q in it", err, part)
		}
	}
}

// TestFileThatIsALink is not followed: who may write there must not choose what the
// daemon writes to.
func TestFileThatIsALink(t *testing.T) {
	s, file := started(t)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", file); err != nil {
		t.Fatal(err)
	}
	_, err := pass(s, later(1), of(1, row(table, "third")), stop())
	wantFault(t, err, fault.Runtime, file, "path escapes")
}

// TestDamagedFile flips a bit of each byte of a file in turn.
func TestDamagedFile(t *testing.T) {
	_, file := started(t)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		s, file := started(t)
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := pass(s, committed(1))
		wantFault(t, err, fault.Runtime, file, "damaged", "transaction 1", "sends the transaction again")
	}
}

func TestFileOfAnotherLength(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(file string, size int64) error
		want   string
	}{
		{"shorter", func(file string, size int64) error { return os.Truncate(file, size-1) }, "bytes, but"},
		{"longer", func(file string, size int64) error { return os.Truncate(file, size+1) }, "bytes, but"},
		{"empty", func(file string, _ int64) error { return os.Truncate(file, 0) }, "the file has 0 bytes, but"},
		{"gone", func(file string, _ int64) error { return os.Remove(file) }, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, file := started(t)
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.change(file, info.Size()); err != nil {
				t.Fatal(err)
			}
			_, err = pass(s, committed(1))
			wantFault(t, err, fault.Runtime, file, c.want)
		})
	}
}

func TestSpoolsOfOneDirectory(t *testing.T) {
	dir := t.TempDir()
	left := filepath.Join(dir, "penstock-spool-left")
	ours := filepath.Join(dir, "penstock-notes")
	for _, d := range []string{left, ours} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "7"), []byte("rows"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func() *spool.Spool {
		s, err := spool.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one := open()
	if got := files(t, dir); len(got) != 1 || filepath.Dir(got[0]) != ours {
		t.Errorf("files %q, want the leftovers gone and what is not a spool's untouched", got)
	}
	mustPass(t, one, first(1), of(1, row(table, "one")), stop())
	two := open()
	mustPass(t, two, first(1), of(1, row(table, "two")), stop())
	if got := mustPass(t, one, committed(1)); len(got) != 3 || say(got[1]) != "insert 16384 one" {
		t.Errorf("got %q after another spool was opened", sayAll(got))
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if got := mustPass(t, two, committed(1)); len(got) != 3 || say(got[1]) != "insert 16384 two" {
		t.Errorf("got %q after another spool was closed", sayAll(got))
	}
	mustPass(t, two, first(2), of(2, row(table, "unfinished")), stop())
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d entries are left, error %v; want %s only", len(entries), err, ours)
	}
}

func TestDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := spool.Open(file)
	wantFault(t, err, fault.Usage, "spool directory "+file, "not a directory")
}

// TestCloseInTheMiddle of a block and of a replay.
func TestCloseInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	mustPass(t, s, first(1), of(1, row(table, "1")), stop(), first(2), of(2, row(table, "2")), stop())
	if err := s.Take(committed(1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if m, err := s.Next(); m == nil || err != nil {
			t.Fatalf("got %x, error %v", m, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d entries are left, error %v", len(entries), err)
	}
}
