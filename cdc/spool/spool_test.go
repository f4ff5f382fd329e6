package spool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const table, other = 16384, 16385

func TestReplay(t *testing.T) {
	origin := append([]byte{'O', 0, 0, 0, 0, 0, 0, 0, 0}, "upstream\x00"...)
	cases := []struct {
		name string
		in   [][]byte
		want [][]byte
	}{
		{
			"what is not streamed passes",
			list(beginOf(1), relation(table, "a"), row(table, "x"), commitOf(1)),
			list(beginOf(1), relation(table, "a"), row(table, "x"), commitOf(1)),
		},
		{
			"a streamed transaction comes at its commit",
			list(first(1), of(1, relation(table, "a")), of(1, row(table, "x")), stop(), later(1), of(1, row(table, "y")), stop(), committed(1)),
			list(beginOf(1), relation(table, "a"), row(table, "x"), row(table, "y"), commitOf(1)),
		},
		{
			"what is not streamed overtakes it",
			list(first(1), of(1, row(table, "x")), stop(), beginOf(2), row(table, "y"), commitOf(2), committed(1)),
			list(beginOf(2), row(table, "y"), commitOf(2), beginOf(1), row(table, "x"), commitOf(1)),
		},
		{
			"a rollback to a savepoint takes its subtransaction only, and keeps the order",
			list(first(1), of(1, row(table, "1")), of(2, row(table, "2")), of(1, row(table, "3")), of(3, row(table, "4")), stop(), abort(1, 2),
				later(1), of(4, row(table, "5")), of(1, row(table, "6")), of(3, row(table, "7")), stop(), committed(1)),
			list(beginOf(1), row(table, "1"), row(table, "3"), row(table, "4"), row(table, "5"), row(table, "6"), row(table, "7"), commitOf(1)),
		},
		{
			"a subtransaction of which nothing came is rolled back",
			list(first(1), of(1, row(table, "x")), stop(), abort(1, 2), committed(1)),
			list(beginOf(1), row(table, "x"), commitOf(1)),
		},
		{
			"a rollback takes all",
			list(first(1), of(1, row(table, "1")), of(2, row(table, "2")), stop(), abort(1, 2), abort(1, 1), beginOf(3), commitOf(3)),
			list(beginOf(3), commitOf(3)),
		},
		{
			"a rolled back transaction's id may come again",
			list(first(1), of(1, row(table, "1")), stop(), abort(1, 1), first(1), of(1, row(table, "2")), stop(), committed(1)),
			list(beginOf(1), row(table, "2"), commitOf(1)),
		},
		{
			"blocks alternate, commits have an order",
			list(first(1), of(1, row(table, "1")), stop(), first(2), of(2, row(table, "2")), stop(), later(1), of(1, row(table, "3")), stop(),
				later(2), of(2, row(table, "4")), stop(), committed(2), later(1), of(1, row(table, "5")), stop(), committed(1)),
			list(beginOf(2), row(table, "2"), row(table, "4"), commitOf(2),
				beginOf(1), row(table, "1"), row(table, "3"), row(table, "5"), commitOf(1)),
		},
		{
			"a transaction of empty blocks, or all rolled back to savepoints, is empty",
			list(first(1), stop(), later(1), stop(), committed(1), first(2), of(3, row(table, "x")), stop(), abort(2, 3), committed(2)),
			list(beginOf(1), commitOf(1), beginOf(2), commitOf(2)),
		},
		{
			"an origin has no id and stays",
			list(first(1), origin, of(2, row(table, "x")), stop(), abort(1, 2), committed(1)),
			list(beginOf(1), origin, commitOf(1)),
		},
		{
			"a relation goes with its subtransaction",
			list(first(1), of(2, relation(table, "gone")), of(2, row(table, "1")), stop(), abort(1, 2),
				later(1), of(1, relation(table, "a")), of(1, row(table, "2")), stop(), committed(1)),
			list(beginOf(1), relation(table, "a"), row(table, "2"), commitOf(1)),
		},
		{
			"a relation that was announced anew meanwhile is so again",
			list(first(1), of(1, relation(table, "old")), of(1, relation(other, "same")), of(1, row(table, "1")), stop(),
				beginOf(2), relation(table, "new"), row(table, "2"), commitOf(2), committed(1), beginOf(3), row(table, "3"), commitOf(3)),
			list(beginOf(2), relation(table, "new"), row(table, "2"), commitOf(2),
				beginOf(1), relation(table, "old"), relation(other, "same"), row(table, "1"), relation(table, "new"), commitOf(1),
				beginOf(3), row(table, "3"), commitOf(3)),
		},
		{
			"also by another streamed transaction",
			list(first(1), of(1, relation(table, "old")), of(1, row(table, "1")), stop(),
				first(2), of(2, relation(table, "new")), of(2, row(table, "2")), stop(), committed(2), committed(1)),
			list(beginOf(2), relation(table, "new"), row(table, "2"), commitOf(2),
				beginOf(1), relation(table, "old"), row(table, "1"), relation(table, "new"), commitOf(1)),
		},
		{
			"but not when the transaction itself knows the newest",
			list(first(1), of(1, relation(table, "old")), of(1, row(table, "1")), stop(), beginOf(2), relation(table, "new"), commitOf(2),
				later(1), of(1, relation(table, "newest")), of(1, row(table, "3")), stop(), committed(1)),
			list(beginOf(2), relation(table, "new"), commitOf(2),
				beginOf(1), relation(table, "old"), row(table, "1"), relation(table, "newest"), row(table, "3"), commitOf(1)),
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, dir := newSpool(t)
			got := mustPass(t, s, c.in...)
			if diff := cmp.Diff(sayAll(c.want), sayAll(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.EqualFunc(c.want, got, bytes.Equal) {
				t.Errorf("bytes differ:\nwant %x\ngot  %x", c.want, got)
			}
			if files := files(t, dir); len(files) > 0 {
				t.Errorf("files are left: %q", files)
			}
		})
	}
}

// files returns what the spools under dir keep.
func files(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestStreamThatCannotBe(t *testing.T) {
	cases := []struct {
		name string
		in   [][]byte
		want string
	}{
		{"empty message", list([]byte{}), "a message is empty"},
		{"block in a block", list(first(1), first(2)), "transaction 1: its block holds a stream start message"},
		{"commit in a block", list(first(1), committed(1)), "transaction 1: its block holds a stream commit message"},
		{"rollback in a block", list(first(1), abort(1, 1)), "transaction 1: its block holds a stream abort message"},
		{"unstreamed begin in a block", list(first(1), beginOf(2)), "transaction 1: pgoutput begin message, byte 0: kind 'B' cannot be"},
		{"unknown kind in a block", list(first(1), []byte("z1234")), "transaction 1: pgoutput unknown message, byte 0: kind 'z' cannot be"},
		{"change without an id", list(first(1), []byte{'I', 0}), "transaction 1: pgoutput insert message, byte 1: transaction id"},
		{"end without a block", list(first(1), stop(), stop()), "a block ends that has not begun"},
		{"block that goes on from nowhere", list(later(1)), "transaction 1 goes on, but its first block never came"},
		{"second first block", list(first(1), stop(), first(1)), "transaction 1: it begins a second time"},
		{"commit from nowhere", list(committed(1)), "transaction 1 commits at 0/100000, but never came"},
		{"second commit", list(first(1), stop(), committed(1), committed(1)), "transaction 1 commits at 0/100000, but never came"},
		{"commit of a subtransaction", list(first(1), of(2, row(table, "x")), stop(), committed(2)), "transaction 2 commits at 0/200000, but"},
		{"rollback from nowhere", list(abort(1, 1)), "transaction 1 is rolled back, but never came"},
		{"rollback of what is rolled back", list(first(1), stop(), abort(1, 1), abort(1, 2)), "transaction 1 is rolled back, but never came"},
		{
			"change after its rollback", list(first(1), stop(), abort(1, 2), later(1), of(2, row(table, "x"))),
			"transaction 1: a change of subtransaction 2 comes after its rollback",
		},
		{"half a block's start", list(first(1)[:3]), "pgoutput stream start message, byte 1"},
		{"half a commit", list(first(1), stop(), committed(1)[:9]), "pgoutput stream commit message, byte 6"},
		{"rollback of version 4", list(first(1), stop(), append(abort(1, 1), make([]byte, 16)...)), "16 bytes after the message's end"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, _ := newSpool(t)
			got, err := pass(s, c.in...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q and error %v, want one with %q", sayAll(got), err, c.want)
			}
		})
	}
}

// TestTakeBeforeTheEnd would lose the rest of the transaction.
func TestTakeBeforeTheEnd(t *testing.T) {
	s, _ := newSpool(t)
	mustPass(t, s, first(1), of(1, row(table, "x")), stop())
	if err := s.Take(committed(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if err := s.Take(beginOf(2)); err == nil || !strings.Contains(err.Error(), "read to its end") {
		t.Errorf("got error %v", err)
	}
}

func TestUnstreamedMessagesAreNotCopied(t *testing.T) {
	s, _ := newSpool(t)
	data := row(table, "x")
	if err := s.Take(data); err != nil {
		t.Fatal(err)
	}
	got, err := s.Next()
	if err != nil || &got[0] != &data[0] {
		t.Errorf("got a copy, error %v", err)
	}
	if got, err := s.Next(); got != nil || err != nil {
		t.Errorf("got more: %x, error %v", got, err)
	}
}

// TestRollbackFreesTheDisk at once, not when the stream ends.
func TestRollbackFreesTheDisk(t *testing.T) {
	s, dir := newSpool(t)
	mustPass(t, s, first(1), of(1, row(table, strings.Repeat("x", 1<<20))), stop(), first(2), of(2, row(table, "y")), stop())
	if got := files(t, dir); len(got) != 2 {
		t.Fatalf("files %q, want 2", got)
	}
	mustPass(t, s, abort(1, 1))
	left := files(t, dir)
	if len(left) != 1 || filepath.Base(left[0]) != "2" {
		t.Errorf("files %q, want that of transaction 2", left)
	}
	info, err := os.Stat(left[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v: rows are nobody else's business", info.Mode(), err)
	}
}
