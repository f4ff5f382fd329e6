// Package penstock_test holds the laws of the whole tree as tests: who may
// import whom (deps_test.go) and what the code must look like (style_test.go).
package penstock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is our own import path; what lies under it is ours.
const module = "penstock"

// pkg is what `go list -json` tells of a package, in its words.
type pkg struct {
	ImportPath   string
	Name         string
	Imports      []string // of the code
	Deps         []string // of the code, also indirect
	TestImports  []string // of its tests inside the package
	XTestImports []string // of its tests outside the package
}

// scope is the imports that a law looks at.
type scope int

const (
	code      scope = iota // what the code names itself
	codeAll                // what the code brings with it, however indirectly
	everybody              // what code and tests name themselves
)

// law bans imports. A pattern is an import path; with /... it also means all
// below it, and ... alone means everything outside the standard library.
type law struct {
	binds  []string // the packages that must keep it
	unless []string // those of them that need not
	scope  scope
	bans   []string // the imports
	but    []string // those of them that are allowed all the same
	why    string
}

// The drivers are what speaks to a server. Tests speak to the real servers too,
// so these laws bind the code only.
var laws = []law{
	// The shape: an arrow only ever points down, and the halves meet on Kafka.
	{
		binds: []string{"penstock/schema"}, scope: codeAll, bans: []string{"..."},
		why: "both halves speak this language; it is the bottom and knows nobody",
	},
	{
		binds: []string{"penstock/schema/record"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema"},
		why: "the bytes on a topic are a pure function of the event",
	},
	{
		binds: []string{"penstock/cdc/pgoutput"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema"},
		why: "the decoder is pure: bytes in, messages out, no driver, no logger",
	},
	{
		binds: []string{"penstock/cdc/spool"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/cdc/pgoutput", "penstock/schema", "penstock/internal/fault"},
		why: "it keeps the server's bytes and gives them back: no driver, no logger, no Kafka",
	},
	{
		binds: []string{"penstock/internal/fault"}, scope: codeAll, bans: []string{"..."},
		why: "everybody reports by it, so it can need nobody",
	},
	{
		binds: []string{"penstock/cdc/..."}, scope: codeAll, bans: []string{"penstock/sink/..."},
		why: "capture and sink meet on Kafka's topics, nowhere else",
	},
	{
		binds: []string{"penstock/sink/..."}, scope: codeAll, bans: []string{"penstock/cdc/..."},
		why: "sink and capture meet on Kafka's topics, nowhere else",
	},
	{
		binds: []string{"penstock/cdc/..."}, scope: everybody, bans: []string{"penstock/sink/..."},
		why: "what needs both halves is a test of the whole, not of the capture",
	},
	{
		binds: []string{"penstock/sink/..."}, scope: everybody, bans: []string{"penstock/cdc/..."},
		why: "what needs both halves is a test of the whole, not of the sink",
	},
	{
		binds: []string{"penstock/sink"}, scope: codeAll, bans: []string{"penstock/sink/cassandra", "penstock/sink/redis"},
		why: "the sink knows its stores by the interface that it declares",
	},
	{
		binds: []string{"penstock/sink/cassandra"}, scope: everybody, bans: []string{"penstock/sink/redis"},
		why: "a store does not know that there is another one",
	},
	{
		binds: []string{"penstock/sink/redis"}, scope: everybody, bans: []string{"penstock/sink/cassandra"},
		why: "a store does not know that there is another one",
	},
	{
		binds: []string{"penstock/..."}, scope: everybody, bans: []string{"penstock/cmd/..."},
		why: "cmd wires the others together and is the top",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/internal/chaos/...", "penstock/cmd/chaos"}, scope: everybody,
		bans: []string{"penstock/internal/chaos/..."},
		why:  "the proof judges the product; nothing of the product may know it",
	},
	{
		binds: []string{"penstock/internal/chaos/ledger", "penstock/internal/chaos/workload"}, scope: codeAll,
		bans: []string{"penstock/cdc/...", "penstock/sink/...", "penstock/schema/record"},
		why:  "a judge that shares code with the capture shares its mistakes",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/..."}, scope: code, bans: []string{"penstock/internal/config"},
		why: "each package has a configuration of its own, which cmd fills from the file",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/..."},
		scope: code, bans: []string{"penstock/internal/stack/..."},
		why: "the daemon is given its servers; only the demo, the proof and the tests start some",
	},
	{
		binds: []string{"penstock/..."}, scope: code, bans: []string{"penstock/internal/stack/stacktest", "penstock/sink/storetest"},
		why: "they are for tests and bring package testing with them",
	},

	// The drivers: each lives where its server is spoken to.
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/cdc", "penstock/cdc/slot", "penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/..."},
		bans:   []string{"github.com/jackc/..."},
		why:    "only the capture's side, and the proof of it, speaks to Postgres",
	},
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/cdc", "penstock/sink", "penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/..."},
		bans:   []string{"github.com/twmb/franz-go/..."},
		why:    "each half speaks to Kafka in one package; the proof looks for itself",
	},
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/sink/cassandra", "penstock/cmd/...", "penstock/internal/stack/..."},
		bans:   []string{"github.com/apache/cassandra-gocql-driver/..."},
		why:    "the daemon speaks to Cassandra in one package; the demo in cmd removes what it made by itself",
	},
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/sink/redis", "penstock/cmd/...", "penstock/internal/stack/..."},
		bans:   []string{"github.com/redis/rueidis/..."},
		why:    "the daemon speaks to Redis in one package; the demo in cmd removes what it made by itself",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/internal/stack/..."}, scope: everybody,
		bans: []string{"github.com/testcontainers/...", "github.com/moby/...", "github.com/docker/..."},
		why:  "one package decides where the servers come from; a test asks stacktest",
	},

	// The tools.
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/..."}, scope: everybody,
		bans: []string{"github.com/spf13/..."},
		why:  "flags and help are the command's; below it everything is Go",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/internal/config"}, scope: code,
		bans: []string{"github.com/goccy/go-yaml/..."},
		why:  "the configuration file is the only YAML",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cdc", "penstock/sink/...", "penstock/cmd/..."}, scope: code,
		bans: []string{"go.uber.org/zap/..."},
		why:  "who only computes returns an error or a value, and logs nothing",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/sink/storetest", "penstock/internal/stack/stacktest"}, scope: code,
		bans: []string{"github.com/google/go-cmp/...", "go.uber.org/goleak/...", "github.com/twmb/franz-go/pkg/kfake/...", "testing"},
		why:  "they are for tests",
	},
}

// vague are names that say nothing of what a package does, and so gather everything.
var vague = []string{"util", "utils", "common", "types", "models", "model", "helpers", "helper", "misc", "base", "shared", "lib"}

func TestImportLaw(t *testing.T) {
	for _, p := range list(t) {
		for _, l := range laws {
			for _, crime := range l.broken(p) {
				t.Error(crime)
			}
		}
	}
}

func TestPackageNamesAndDepth(t *testing.T) {
	for _, p := range list(t) {
		for _, crime := range misplaced(p) {
			t.Error(crime)
		}
	}
}

// A law about a package that was renamed would never be broken again.
func TestLawsSpeakOfPackagesThatExist(t *testing.T) {
	packages := list(t)
	for _, l := range laws {
		for _, pattern := range slices.Concat(l.binds, l.unless, l.bans, l.but) {
			ours := func(p pkg) bool { return matches(pattern, p.ImportPath) }
			if strings.HasPrefix(pattern, module+"/") && !slices.ContainsFunc(packages, ours) {
				t.Errorf("no package is %s, of which a law says: %s", pattern, l.why)
			}
		}
	}
}

// broken tells how p breaks the law.
func (l law) broken(p pkg) []string {
	if !matchesAny(l.binds, p.ImportPath) || matchesAny(l.unless, p.ImportPath) {
		return nil
	}
	imports := p.Imports
	switch l.scope {
	case code:
	case codeAll:
		imports = p.Deps
	case everybody:
		imports = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
	}
	imports = slices.Compact(slices.Sorted(slices.Values(imports)))
	var crimes []string
	for _, path := range imports {
		// A package may be imported by its own tests, whatever the law says of it.
		if path != p.ImportPath && matchesAny(l.bans, path) && !matchesAny(l.but, path) {
			crimes = append(crimes, fmt.Sprintf("%s imports %s: %s", p.ImportPath, path, l.why))
		}
	}
	return crimes
}

// misplaced tells what is wrong with the place and the name of p. The folder
// internal is a wall, not a level.
func misplaced(p pkg) []string {
	var crimes []string
	levels := strings.Split(strings.Replace(p.ImportPath, "/internal/", "/", 1), "/")[1:]
	if len(levels) > 2 {
		crimes = append(crimes, p.ImportPath+" lies more than two levels deep: say in its parent's name what it is")
	}
	name := strings.TrimSuffix(p.Name, "_test")
	for _, word := range append(levels, name) {
		if slices.Contains(vague, word) {
			crimes = append(crimes, fmt.Sprintf("%s: the name %s does not say what it does", p.ImportPath, word))
			break
		}
	}
	return crimes
}

func matchesAny(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, path) })
}

func matches(pattern, path string) bool {
	if pattern == "..." {
		return !standard(path)
	}
	root, below := strings.CutSuffix(pattern, "/...")
	return path == root || below && strings.HasPrefix(path, root+"/")
}

// standard is true for the standard library, whose first element has no dot,
// and for the packages that it carries in vendor.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first != module && !strings.Contains(first, ".")
}

// list returns every package of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Imports,Deps,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []pkg
	for stream := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := stream.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("decode the output of go list: %v", err)
		}
		packages = append(packages, p)
	}
}

// The laws themselves can be broken: each case breaks one or keeps them all.
func TestLawsAreBrokenBy(t *testing.T) {
	const pgx, gocql, kgo = "github.com/jackc/pgx/v5", "github.com/apache/cassandra-gocql-driver/v2", "github.com/twmb/franz-go/pkg/kgo"
	imports := func(path string, names ...string) pkg { return pkg{ImportPath: path, Imports: names, Deps: names} }
	tests := func(path string, names ...string) pkg { return pkg{ImportPath: path, XTestImports: names} }
	for _, c := range []struct {
		name string
		pkg  pkg
		want int
	}{
		{"a schema with a driver, twice: it is pure, and drivers live elsewhere", imports("penstock/schema", pgx), 2},
		{"a schema with the standard library", imports("penstock/schema", "encoding/binary", "vendor/golang.org/x/net/idna"), 0},
		{"a codec with the schema", imports("penstock/schema/record", "penstock/schema"), 0},
		{"a codec with the capture", imports("penstock/schema/record", "penstock/cdc"), 1},
		{"a decoder with a logger, twice", imports("penstock/cdc/pgoutput", "go.uber.org/zap"), 2},
		{"a decoder with the schema", imports("penstock/cdc/pgoutput", "penstock/schema"), 0},
		{"a capture with the sink, directly and therefore also indirectly", imports("penstock/cdc", "penstock/sink"), 2},
		{"a capture with the sink, indirectly only", pkg{ImportPath: "penstock/cdc/slot", Deps: []string{"penstock/sink/redis"}}, 1},
		{"a capture's test with the sink", tests("penstock/cdc", "penstock/sink"), 1},
		{"a sink with the decoder", imports("penstock/sink/redis", "penstock/cdc/pgoutput"), 2},
		{"a sink with its store", imports("penstock/sink", "penstock/sink/redis"), 1},
		{"a store with the sink", imports("penstock/sink/redis", "penstock/sink"), 0},
		{"a store with the other store", imports("penstock/sink/redis", "penstock/sink/cassandra"), 1},
		{"a test with the command", tests("penstock/internal/stack", "penstock/cmd/penstock"), 1},
		{"the command's own test outside the package", tests("penstock/cmd/penstock", "penstock/cmd/penstock"), 0},
		{"a judge with the codec of the judged", imports("penstock/internal/chaos/ledger", "penstock/schema/record"), 1},
		{"a judge with both servers", imports("penstock/internal/chaos/ledger", pgx, kgo, "penstock/schema"), 0},
		{"a capture with the configuration file", imports("penstock/cdc", "penstock/internal/config"), 1},
		{"a daemon that starts servers", imports("penstock/sink", "penstock/internal/stack"), 1},
		{"a test that starts servers", tests("penstock/sink", "penstock/internal/stack/stacktest"), 0},
		{"a demo that starts servers", imports("penstock/cmd/penstock", "penstock/internal/stack"), 0},
		{"a demo with the servers of the tests", imports("penstock/cmd/penstock", "penstock/internal/stack/stacktest"), 1},
		{"a sink with Postgres", imports("penstock/sink", pgx), 1},
		{"a sink's test with Postgres", tests("penstock/sink", pgx), 0},
		{"a slot with Kafka", imports("penstock/cdc/slot", kgo), 1},
		{"a store with Kafka", imports("penstock/sink/cassandra", kgo), 1},
		{"a store with its driver", imports("penstock/sink/cassandra", gocql), 0},
		{"the other store with that driver", imports("penstock/sink/redis", gocql), 1},
		{"a demo that looks into a store by itself", imports("penstock/cmd/penstock", gocql), 0},
		{"a capture with a store's driver", imports("penstock/cdc", gocql), 1},
		{"a test with containers of its own", tests("penstock/cdc", "github.com/testcontainers/testcontainers-go/wait"), 1},
		{"flags below the command", tests("penstock/cdc", "github.com/spf13/cobra"), 1},
		{"a second YAML", imports("penstock/cmd/penstock", "github.com/goccy/go-yaml"), 1},
		{"a test's library in the code", imports("penstock/sink", "github.com/google/go-cmp/cmp", "testing"), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var crimes []string
			for _, l := range laws {
				crimes = append(crimes, l.broken(c.pkg)...)
			}
			if len(crimes) != c.want {
				t.Errorf("got %d broken laws, want %d: %q", len(crimes), c.want, crimes)
			}
		})
	}
}

func TestMisplacedPackages(t *testing.T) {
	for _, c := range []struct {
		pkg  pkg
		want int
	}{
		{pkg{ImportPath: "penstock", Name: "penstock_test"}, 0},
		{pkg{ImportPath: "penstock/cdc/slot", Name: "slot"}, 0},
		{pkg{ImportPath: "penstock/internal/stack/stacktest", Name: "stacktest"}, 0},
		{pkg{ImportPath: "penstock/cdc/slot/status", Name: "status"}, 1},
		{pkg{ImportPath: "penstock/internal/util", Name: "util"}, 1},
		{pkg{ImportPath: "penstock/cdc/columns", Name: "types"}, 1},
	} {
		if crimes := misplaced(c.pkg); len(crimes) != c.want {
			t.Errorf("%s: got %q, want %d", c.pkg.ImportPath, crimes, c.want)
		}
	}
}
