package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// procStat is what /proc/PID/stat says of a process.
type procStat struct {
	own    time.Duration // CPU time, user and system
	waited time.Duration // that of its children that have ended
}

// parseStat reads /proc/PID/stat. The second field is a name that may hold anything.
func parseStat(text string) (procStat, error) {
	const utime, stime, cutime, cstime = 11, 12, 13, 14 // behind the name
	_, rest, found := cutLast(text, ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) <= cstime {
		return procStat{}, fmt.Errorf("no /proc/PID/stat: %.100q", text)
	}
	user, err := ticks(fields[utime], fields[stime])
	if err != nil {
		return procStat{}, err
	}
	waited, err := ticks(fields[cutime], fields[cstime])
	return procStat{user, waited}, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// ticks sums CPU times.
func ticks(fields ...string) (sum time.Duration, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// parseBusy reads from /proc/stat how long the cores have worked for processes, and for other guests of the host.
func parseBusy(text string) (time.Duration, error) {
	const user, nice, system, steal = 1, 2, 3, 8
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) <= steal || fields[0] != "cpu" {
		return 0, fmt.Errorf("no /proc/stat: %.100q", line)
	}
	return ticks(fields[user], fields[nice], fields[system], fields[steal])
}

// parseField reads a number of /proc/PID/status or /proc/meminfo that stands in kB, in bytes.
func parseField(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		value, found := strings.CutPrefix(line, name+":")
		if !found {
			continue
		}
		kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		return kB << 10, err
	}
	return 0, fmt.Errorf("no %s in %.100q", name, text)
}

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(string(text))
}

// treeTime is the CPU time of a process and all below it, whether they live or not; of one that is gone, none.
func treeTime(pid int) time.Duration {
	stat, err := readStat(pid)
	if err != nil {
		return 0
	}
	sum := stat.own + stat.waited
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // each thread has the children that it started
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				sum += treeTime(child)
			}
		}
	}
	return sum
}

// busyTime is how long the cores of the machine have worked.
func busyTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text))
}

// peakMemory is the largest resident set of a process so far in bytes.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseField(string(text), "VmHWM")
}

// loadAverage is that of the last minute.
func loadAverage() (load float64, err error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(text), &load)
	return load, err
}
