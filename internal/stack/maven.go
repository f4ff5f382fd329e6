package stack

import (
	"bufio"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed pom/*.xml
var poms embed.FS

// artifact is what one pom resolves to: the jars of a server, or a jar with its program in it.
type artifact struct {
	pom        string   // file in pom/ without .xml
	version    string   // of the server, for people
	properties []string // name=value, over those in the pom
}

// name is the cache entry: another pom, or other properties, make another one.
func (a artifact) name() string {
	return a.pom + "-" + a.version + "-" + key(append(a.properties, a.text())...)
}

func (a artifact) text() string {
	text, err := poms.ReadFile("pom/" + a.pom + ".xml")
	if err != nil {
		panic("no embedded pom for " + a.pom) // the names are constants of this package
	}
	return string(text)
}

// resolve returns the cache folder with the artifact, filled by unpack from the jars that Maven put into staging/jars.
func (h *home) resolve(ctx context.Context, a artifact, unpack func(staging string) error) (string, error) {
	waiting := func() { h.report.say(a.pom, "waiting for another process that downloads %s", a.version) }
	return h.cache.entry(ctx, a.name(), waiting, func(staging string) error {
		l, err := lock(ctx, h.cache.lockFile("maven"), nil) // Maven's local repository is not made for several at once
		if err != nil {
			return err
		}
		defer l.unlock()
		if err := h.maven(ctx, a, staging); err != nil {
			return err
		}
		return unpack(staging)
	})
}

// maven copies the artifact's jars into staging/jars and reports what is downloaded on the way.
func (h *home) maven(ctx context.Context, a artifact, staging string) error {
	pom := filepath.Join(staging, "pom.xml")
	if err := os.WriteFile(pom, []byte(a.text()), 0o644); err != nil {
		return err
	}
	args := []string{"-B", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime",
		"-DoutputDirectory=" + filepath.Join(staging, "jars")}
	for _, property := range a.properties {
		args = append(args, "-D"+property)
	}
	if repository := h.localRepository(); repository != "" {
		args = append(args, "-Dmaven.repo.local="+repository)
	}
	cmd := exec.CommandContext(ctx, "mvn", args...)
	if java, err := h.java(); err == nil {
		cmd.Env = append(os.Environ(), "JAVA_HOME="+java.home())
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := h.runMaven(a, cmd, output); err != nil {
		return fmt.Errorf("download %s %s with mvn: %w", a.pom, a.version, err)
	}
	return nil
}

// runMaven runs mvn to its end and turns its output into progress.
func (h *home) runMaven(a artifact, cmd *exec.Cmd, output io.Reader) error {
	h.report.say(a.pom, "resolving %s with mvn into %s", a.version, h.cache.dir)
	if err := cmd.Start(); err != nil {
		return err
	}
	began, told := time.Now(), time.Now()
	var got download
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		got.read(lines.Text())
		if time.Since(told) > progressEvery {
			told = time.Now()
			h.report.passing(a.pom, "resolving %s: %s, %.0f s", a.version, &got, time.Since(began).Seconds())
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w:\n%s", err, strings.Join(got.errors, "\n"))
	}
	if got.files == 0 {
		h.report.say(a.pom, "took %s from Maven's local repository", a.version)
	} else {
		h.report.say(a.pom, "downloaded %s: %s in %.1f s", a.version, &got, time.Since(began).Seconds())
	}
	return nil
}

// progressEvery spaces the reports of a download.
const progressEvery = time.Second

// download sums up what mvn says of its transfers.
type download struct {
	files  int
	bytes  float64
	errors []string // its lines that tell what went wrong
}

// read takes one line of mvn's batch output, such as "Downloaded from x: y.jar (2.0 MB at 2.2 MB/s)".
func (d *download) read(line string) {
	const maxErrors = 5
	if strings.Contains(line, "[ERROR]") && len(d.errors) < maxErrors {
		d.errors = append(d.errors, line)
	}
	size := regexp.MustCompile(`Downloaded from .* \(([0-9.]+) (B|kB|MB|GB) at`).FindStringSubmatch(line)
	if size == nil {
		return
	}
	n, err := strconv.ParseFloat(size[1], 64)
	if err != nil {
		return // progress only
	}
	d.files++
	d.bytes += n * map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[size[2]]
}

func (d *download) String() string {
	if d.files == 0 {
		return "nothing fetched yet"
	}
	return fmt.Sprintf("%d files, %.1f MB", d.files, d.bytes/1e6)
}

// localRepository is empty where Maven's own choice, a folder in the home of the user, works.
func (h *home) localRepository() string {
	u, err := user.LookupId(strconv.Itoa(os.Getuid())) // Java asks the user data base too, not $HOME
	if err == nil && unix.Access(u.HomeDir, unix.W_OK) == nil {
		return ""
	}
	return h.cache.path("m2")
}
