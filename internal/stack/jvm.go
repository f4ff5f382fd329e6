package stack

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed conf
var configs embed.FS

// copyConfig writes one of the embedded logging configurations into dir.
func copyConfig(name, dir string) error {
	text, err := configs.ReadFile("conf/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), text, 0o644)
}

// jvmFlags are those of every Java server: little memory, and only the quick compiler unless throughput is asked for.
// The heaps are in MiB.
func (h *home) jvmFlags(heap, throughputHeap int) []string {
	flags := []string{"-XX:+UseSerialGC", "-Xms64m", "-XX:+PerfDisableSharedMem", "-Djava.net.preferIPv4Stack=true"}
	if h.opts.Throughput {
		return append(flags, fmt.Sprintf("-Xmx%dm", throughputHeap))
	}
	return append(flags, fmt.Sprintf("-Xmx%dm", heap), "-XX:TieredStopAtLevel=1")
}

// command runs a main class with all jars of dist/jars. The class path is sorted: an archive of classes fits one order only.
func (j java) command(dir, dist string, flags []string, main string, args ...string) *exec.Cmd {
	jars, _ := filepath.Glob(filepath.Join(dist, "jars", "*.jar")) // sorted; the pattern is well formed
	all := append(append([]string{}, flags...), "-cp", strings.Join(jars, ":"), main)
	cmd := exec.Command(j.bin, append(all, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "TZ=UTC"}
	return cmd
}

func (j java) String() string { return fmt.Sprintf("Java %d", j.major) }
