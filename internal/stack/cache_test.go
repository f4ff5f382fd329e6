package stack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCacheEntryIsBuiltOnce(t *testing.T) {
	c := cache{t.TempDir()}
	var builds atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := c.entry(t.Context(), "entry", nil, func(staging string) error {
				builds.Add(1)
				return os.WriteFile(filepath.Join(staging, "file"), []byte("whole"), 0o644)
			})
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "whole" {
				t.Errorf("entry: got %q, %v", text, err)
			}
		})
	}
	wg.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("builds: got %d, want 1", n)
	}
}

func TestFailedBuildLeavesNoEntry(t *testing.T) {
	c := cache{t.TempDir()}
	broken := errors.New("broken")
	fail := func(staging string) error {
		return errors.Join(os.WriteFile(filepath.Join(staging, "half"), nil, 0o644), broken)
	}
	if _, err := c.entry(t.Context(), "entry", nil, fail); !errors.Is(err, broken) {
		t.Fatalf("got %v, want the build's error", err)
	}
	dir, err := c.entry(t.Context(), "entry", nil, func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("entry after a failed build: got %v, %v, want it empty", left, err)
	}
}

// A build that died (its lock gone, its staging folder there) is started anew.
func TestDeadBuildIsRepeated(t *testing.T) {
	c := cache{t.TempDir()}
	if err := os.MkdirAll(c.path(".staging-entry/half"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := c.entry(t.Context(), "entry", nil, func(string) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "half")); err == nil {
		t.Error("what the dead build left is in the entry")
	}
}

func TestLockWaitsAndGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	held, err := tryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lock(ctx, path, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("held lock: got %v, want the end of the context", err)
	}
	if !locked(path) {
		t.Error("held lock counts as free")
	}
	next, err := lock(t.Context(), path, held.unlock)
	if err != nil {
		t.Fatalf("lock freed while waiting: %v", err)
	}
	next.unlock()
}

func TestKeyTellsPomsAndPropertiesApart(t *testing.T) {
	a := artifact{pom: "postgres", version: "18.6.0", properties: []string{"server.version=18.6.0"}}
	b := artifact{pom: "postgres", version: "18.6.0", properties: []string{"server.version=17.11.0"}}
	if a.name() == b.name() {
		t.Errorf("one entry %s for two sets of properties", a.name())
	}
	first := a.name()
	if first != a.name() || !strings.HasPrefix(first, "postgres-18.6.0-") {
		t.Errorf("entry name: got %s, then %s", first, a.name())
	}
}

func TestFreePortsAreDifferentAndFree(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] || !portFree(port) || port < firstPort || port >= lastPort {
			t.Errorf("port %d of %v", port, ports)
		}
		seen[port] = true
	}
}

// Only what a dead owner left is removed.
func TestReapHomes(t *testing.T) {
	parent := t.TempDir()
	old := time.Now().Add(-time.Hour)
	make := func(name string, owner bool) string {
		dir := filepath.Join(parent, name)
		err := os.Mkdir(dir, 0o755)
		if owner {
			path := filepath.Join(dir, ownerFile)
			err = errors.Join(err, os.WriteFile(path, []byte("1"), 0o644), os.Chtimes(path, old, old))
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	dead, alive := make(tempPrefix+"dead", true), make(tempPrefix+"alive", true)
	young, foreign := make(tempPrefix+"young", false), make("other-folder", true)
	held, err := tryLock(filepath.Join(alive, ownerFile))
	if err != nil {
		t.Fatal(err)
	}
	defer held.unlock()
	reapHomes(parent)
	for dir, want := range map[string]bool{dead: false, alive: true, young: true, foreign: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: there %v, want %v", filepath.Base(dir), err == nil, want)
		}
	}
}
