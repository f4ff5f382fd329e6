package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"penstock/internal/fault"
)

// TestFullDisk puts /dev/full, which has no space for anything, in place of a file
// that is open. It fails where the buffer is written, be it for the next record or
// at the commit.
func TestFullDisk(t *testing.T) {
	change := func(size int) []byte {
		data := binary.BigEndian.AppendUint32([]byte{'M'}, 7)
		return append(data, bytes.Repeat([]byte{'x'}, size)...)
	}
	commit := binary.BigEndian.AppendUint32([]byte{'c'}, 7)
	commit = append(commit, make([]byte, 1+8+8+8)...)
	for name, next := range map[string][][]byte{
		"at a record":   {change(bufferBytes)},
		"at the commit": {change(1), {'E'}, commit},
	} {
		t.Run(name, func(t *testing.T) {
			err := onFullDisk(t, [][]byte{{'S', 0, 0, 0, 7, 1}, change(1)}, next)
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(f.What, "no space is left") || !strings.Contains(f.Fix, "free space") {
				t.Errorf("got %v, want the fault that asks for space", err)
			}
		})
	}
}

// onFullDisk takes messages, the later ones when there is no space any more, and
// returns the first error.
func onFullDisk(t *testing.T, before, after [][]byte) error {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, data := range before {
		if err := s.Take(data); err != nil {
			t.Fatal(err)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.out.file.Close(); err != nil {
		t.Fatal(err)
	}
	s.out.file = full
	s.out.buffer.Reset(full)
	for _, data := range after {
		if err := s.Take(data); err != nil {
			return err
		}
	}
	return nil
}
