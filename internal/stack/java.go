package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"penstock/internal/fault"
)

const (
	minJava = 17 // Kafka 4 and Cassandra 5
	maxJava = 23 // Cassandra 5 sets a security manager, which later ones refuse

	installJava  = "apt-get install -y openjdk-17-jre-headless"
	installMaven = "apt-get install -y openjdk-17-jre-headless maven"
)

// java is one Java runtime.
type java struct {
	bin     string // the program, links resolved
	major   int
	version string // all that it says of itself; archives of classes fit this one only
}

func (j java) home() string { return filepath.Dir(filepath.Dir(j.bin)) }

// findJava takes the first fitting one of JAVA_HOME, the PATH, and what the system has installed beside them.
func findJava() (java, error) {
	var found []string
	for _, bin := range javaCandidates() {
		j, err := inspectJava(bin)
		if err != nil {
			found = append(found, err.Error())
			continue
		}
		if j.major >= minJava && j.major <= maxJava {
			return j, nil
		}
		found = append(found, fmt.Sprintf("%s is Java %d", bin, j.major))
	}
	if len(found) == 0 {
		found = append(found, "none in JAVA_HOME or on the PATH")
	}
	return java{}, fmt.Errorf("no Java %d to %d (%s)", minJava, maxJava, strings.Join(found, "; "))
}

func javaCandidates() []string {
	var bins []string
	if dir := os.Getenv("JAVA_HOME"); dir != "" {
		bins = append(bins, filepath.Join(dir, "bin", "java"))
	}
	if bin, err := exec.LookPath("java"); err == nil {
		bins = append(bins, bin)
	}
	if len(bins) == 0 {
		return nil // an installed one that is not on the PATH is not meant to be used
	}
	installed, _ := filepath.Glob("/usr/lib/jvm/*/bin/java") // the pattern is well formed
	return append(bins, installed...)
}

func inspectJava(bin string) (java, error) {
	program, err := filepath.EvalSymlinks(bin)
	if err != nil {
		return java{}, err
	}
	text, err := exec.Command(program, "-version").CombinedOutput()
	if err != nil {
		return java{}, fmt.Errorf("%s -version: %w", bin, err)
	}
	major, err := javaMajor(string(text))
	if err != nil {
		return java{}, fmt.Errorf("%s -version: %w", bin, err)
	}
	return java{program, major, string(text)}, nil
}

// javaMajor reads `openjdk version "17.0.15" 2025-04-15`, and "1.8.0_402" as 8.
func javaMajor(text string) (int, error) {
	match := regexp.MustCompile(`version "(?:1\.)?(\d+)`).FindStringSubmatch(text)
	if match == nil {
		return 0, fmt.Errorf("no version in %q", text)
	}
	return strconv.Atoi(match[1])
}

// checkPrerequisites returns one error that names all that must be installed to start the kinds natively.
func (h *home) checkPrerequisites(_ context.Context, native []kind) error {
	var needJava, needMaven bool
	var names []string
	for _, k := range native {
		download := !k.cached(h)
		if download || k.needsJava {
			names = append(names, k.name)
		}
		needMaven = needMaven || download
		needJava = needJava || download || k.needsJava
	}
	var missing []error
	fix := installJava
	if needJava {
		if _, err := h.java(); err != nil {
			missing = append(missing, err)
		}
	}
	if needMaven {
		if _, err := exec.LookPath("mvn"); err != nil {
			missing = append(missing, errors.New("no mvn on the PATH"))
			fix = installMaven
		}
	}
	if missing == nil {
		return nil
	}
	var texts []string
	for _, err := range missing {
		texts = append(texts, err.Error())
	}
	return &fault.Error{
		Kind: fault.Unreachable, What: fmt.Sprintf("cannot start %s natively: %s", strings.Join(names, ", "), strings.Join(texts, ", ")), Fix: fix,
	}
}

// program resolves the jars of a server, finds a Java that runs them, and opens the
// archive of their classes.
func (h *home) program(ctx context.Context, a artifact, unpack func(staging string) error) (dist string, j java, archive *classArchive, err error) {
	if dist, err = h.resolve(ctx, a, unpack); err != nil {
		return "", j, nil, err
	}
	if j, err = h.java(); err != nil {
		return "", j, nil, err
	}
	return dist, j, openArchive(dist, j), nil
}

// asItIs leaves what Maven has copied where it lies.
func asItIs(string) error { return nil }
