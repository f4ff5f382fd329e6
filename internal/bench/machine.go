package bench

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is where and with what was measured.
type Machine struct {
	Date     time.Time `json:"date"`
	Cores    int       `json:"cores"`
	CPU      string    `json:"cpu"`
	Memory   int64     `json:"memory_bytes"`
	Kernel   string    `json:"kernel"`
	Versions []Version `json:"versions"`
}

// Version is that of one program.
type Version struct {
	Program string `json:"program"`
	Version string `json:"version"`
}

// Machine looks at the machine, the servers and the programs of a plan.
func (r *Rig) Machine(ctx context.Context, plan Plan) (Machine, error) {
	m := Machine{Date: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), CPU: cpuModel()}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	if m.Memory, err = parseField(string(memory), "MemTotal"); err != nil {
		return m, err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, err
	}
	m.Kernel = string(bytes.TrimRight(name.Release[:], "\x00"))
	m.Versions = []Version{{"Postgres", r.postgres.Version()}, {"Kafka", r.kafka.Version()}}
	readers, err := plan.readers()
	if err != nil {
		return m, err
	}
	for _, who := range readers {
		version, err := who.version(ctx)
		if err != nil {
			return m, fmt.Errorf("version of %s: %w", who.name(), err)
		}
		m.Versions = append(m.Versions, Version{who.label(), version})
	}
	return m, nil
}

// cpuModel is what the kernel calls the processor; empty on processors without a name.
func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// String is a list in Markdown.
func (m Machine) String() string {
	var versions []string
	for _, v := range m.Versions {
		versions = append(versions, v.Program+" "+v.Version)
	}
	return fmt.Sprintf("%s, %d cores (%s), %d GiB, Linux %s; %s\n",
		m.Date.Format(time.DateTime), m.Cores, m.CPU, (m.Memory+1<<29)>>30, m.Kernel, strings.Join(versions, ", "))
}

func (l *limit) version(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, l.bin, "--version").Output()
	_, version, _ := strings.Cut(strings.TrimSpace(string(out)), "(PostgreSQL) ")
	version, _, _ = strings.Cut(version, " ")
	return version, err
}

// version is the revision that the program was built from, with a plus if the tree had changes.
func (p *penstock) version(context.Context) (string, error) {
	info, err := buildinfo.ReadFile(p.build.Path)
	if err != nil {
		return "", err
	}
	settings := map[string]string{"vcs.revision": "of an unknown revision"}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	version := settings["vcs.revision"]
	if len(version) == len("da39a3ee5e6b4b0d3255bfef95601890afd80709") {
		version = version[:7]
	}
	if settings["vcs.modified"] == "true" {
		version += "+"
	}
	return version + " (" + info.GoVersion + ")", nil
}
