package stacktest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"penstock/internal/stack"
)

// announce says which servers run: on our stderr, and once per run on that of `go test`, which shows nothing of a program
// whose tests pass.
func announce(servers stack.Servers) {
	line := fmt.Sprintf("real servers: %s\n", servers)
	fmt.Fprint(os.Stderr, line)
	run := testRun()
	if run == os.Getpid() || !firstOf(run) {
		return
	}
	if out, err := stderrOf(run); err == nil {
		fmt.Fprint(out, line)
		out.Close()
	}
}

// firstOf is true for one test program of the run.
func firstOf(run int) bool {
	marker := filepath.Join(os.TempDir(), "penstock-told-"+strconv.Itoa(os.Getuid()))
	if slices.Contains(readPID(marker), run) {
		return false
	}
	return os.WriteFile(marker, strconv.AppendInt(nil, int64(run), 10), 0o600) == nil
}

func readPID(path string) []int {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return nil
	}
	return []int{pid}
}

// stderrOf duplicates the stderr of another process of ours; the kernel may forbid that.
func stderrOf(pid int) (*os.File, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, unix.Stderr, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "stderr"), nil
}
