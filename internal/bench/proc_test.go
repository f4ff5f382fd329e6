package bench

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const text = "4242 (a ) strange) name) S 1 4242 4242 0 -1 4194560 5000 60000 7 8 150 50 900 100 20 0 5 0 12345 1000000 2500\n"
	got, err := parseStat(text)
	if want := (procStat{2 * time.Second, 10 * time.Second}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, wrong := range []string{"", "1 (cut", "1 (cut) S 1 2 3", "1 (no number) S 1 1 1 0 -1 0 0 0 0 0 a b c d"} {
		if got, err := parseStat(wrong); err == nil {
			t.Errorf("%q: got %v, want an error", wrong, got)
		}
	}
}

func TestParseBusy(t *testing.T) {
	got, err := parseBusy("cpu  100 20 300 9999 8888 77 66 40 0 0\ncpu0 1 2 3\n")
	if want := 4600 * time.Millisecond; err != nil || got != want { // user, nice, system and steal
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, wrong := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu a b c d e f g h"} {
		if got, err := parseBusy(wrong); err == nil {
			t.Errorf("%q: got %v, want an error", wrong, got)
		}
	}
}

func TestParseField(t *testing.T) {
	const text = "Name:\tpenstock\nVmPeak:\t 1234 kB\nVmHWM:\t    80 kB\nVmRSS:\t    70 kB\n"
	if got, err := parseField(text, "VmHWM"); err != nil || got != 80<<10 {
		t.Errorf("got %d, %v, want %d", got, err, 80<<10)
	}
	for _, name := range []string{"VmSwap", "Name", "Vm"} {
		if got, err := parseField(text, name); err == nil {
			t.Errorf("%s: got %d, want an error", name, got)
		}
	}
}

func TestThisProcessIsSeen(t *testing.T) {
	pid := os.Getpid()
	before := treeTime(pid)
	for began := time.Now(); treeTime(pid) < before+2*tick; {
		if time.Since(began) > time.Minute {
			t.Fatal("a process that works takes no time")
		}
	}
	if peak, err := peakMemory(pid); err != nil || peak < 1<<20 {
		t.Errorf("peak memory: got %d, %v", peak, err)
	}
	if busy, err := busyTime(); err != nil || busy < before {
		t.Errorf("the machine has worked for %v, %v, less than this process", busy, err)
	}
	if load, err := loadAverage(); err != nil || load < 0 {
		t.Errorf("load: got %v, %v", load, err)
	}
	if got := treeTime(1 << 30); got != 0 {
		t.Errorf("a process that is not there has taken %v", got)
	}
}
