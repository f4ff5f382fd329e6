// Package penstock_test holds the laws of the whole tree as tests: who may
// import whom (deps_test.go) and what the code must look like (style_test.go).
package penstock_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// module is our own import path; what lies under it is ours.
const module = "penstock"

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
		binds: []string{"penstock/schema/record"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema", "penstock/schema/jsontext"},
		why: "the bytes on a topic are a pure function of the event",
	},
	{
		binds: []string{"penstock/schema/deadletter"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema"},
		why: "a letter keeps a record that nobody understood: it needs no codec and no driver",
	},
	{
		binds: []string{"penstock/schema/pgtext", "penstock/schema/jsontext"}, scope: codeAll, bans: []string{"..."},
		why: "a text has one meaning, whoever reads it: nothing of ours is needed for it",
	},
	{
		binds: []string{"penstock/schema/plain"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema", "penstock/schema/pgtext", "penstock/schema/jsontext"},
		why: "the bytes on a topic are a pure function of the row",
	},
	{
		binds: []string{"penstock/schema/connect"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema/jsontext"},
		why: "Connect's data model does not know what is mapped to it",
	},
	{
		binds: []string{"penstock/schema/debezium"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema", "penstock/schema/connect", "penstock/schema/pgtext", "penstock/schema/jsontext"},
		why: "a mapping is pure: a change in, values out, no bytes and no topic",
	},
	{
		binds: []string{"penstock/schema/protobuf"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema/connect", "penstock/schema/jsontext", "google.golang.org/protobuf/encoding/protowire", "google.golang.org/protobuf/internal/..."},
		why: "rows are written without reflection: of Protobuf's library only the wire format is needed",
	},
	{
		binds: []string{"penstock/schema/avro"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema/connect", "penstock/schema/jsontext", "github.com/twmb/avro", "github.com/twmb/avro/internal/..."},
		why: "rows are written without reflection: Avro's library only judges the schema",
	},
	{
		binds: []string{"penstock/schema/cloudevents"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema/connect", "penstock/schema/jsontext"},
		why: "an event is a pure function of its envelope",
	},
	{
		binds: []string{"penstock/schema/shape"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema"},
		why: "what leaves the database is decided before any format sees it",
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
		binds: []string{"penstock/sink/plan"}, scope: codeAll, bans: []string{"..."}, but: []string{"penstock/schema", "github.com/expr-lang/expr/..."},
		why: "a plan is pure: it is compiled when a configuration is read, and run on every row",
	},
	{
		binds: []string{"penstock/sink/totals"}, scope: codeAll, bans: []string{"..."}, why: "counting is pure: rows in, numbers out",
		but: []string{"penstock/schema", "penstock/sink/plan", "github.com/expr-lang/...", "github.com/axiomhq/...", "github.com/dgryski/...", "github.com/kamstrup/..."},
	},
	{
		binds: []string{"penstock/sink/engagement"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema", "penstock/sink/plan", "github.com/expr-lang/expr/..."},
		why: "it only names the slots of a plan's rows",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/sink/plan"}, scope: code, bans: []string{"github.com/expr-lang/..."},
		why: "one package knows the language of expressions",
	},
	{
		binds: []string{"penstock/sink"}, scope: codeAll, bans: []string{"penstock/sink/engagement"},
		why: "the preset is a plan like others to the sink",
	},
	{
		binds: []string{"penstock/sink"}, scope: codeAll, bans: []string{"penstock/sink/cassandra", "penstock/sink/redis"},
		why: "the sink knows its stores by the interface that it declares",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/..."}, scope: code, bans: []string{"penstock/sink/verify"},
		why: "the comparison judges the sink; nothing of it may know it",
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
		binds: []string{"penstock/..."}, unless: []string{"penstock/internal/chaos/...", "penstock/cmd/chaos", "penstock/internal/e2e"}, scope: everybody,
		bans: []string{"penstock/internal/chaos/..."},
		why:  "the proof judges the product; nothing of the product may know it",
	},
	{
		binds: []string{"penstock/internal/chaos/ledger", "penstock/internal/chaos/stores", "penstock/internal/chaos/copied", "penstock/internal/chaos/workload"}, scope: codeAll,
		bans: []string{"penstock/cdc/...", "penstock/sink/...", "penstock/schema/record"},
		why:  "a judge that shares code with the product shares its mistakes",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/..."}, scope: code, bans: []string{"penstock/internal/config"},
		why: "each package has a configuration of its own, which cmd fills from the file",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/parity", "penstock/cmd/bench", "penstock/internal/bench"}, scope: everybody, bans: []string{"penstock/internal/parity", "penstock/internal/bench"},
		why: "the comparison judges the product; nothing of the product may know it",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/..."}, scope: code, bans: []string{"penstock/internal/admin"},
		why: "who works counts; what is said of it, and to whom, is decided above",
	},
	{
		binds: []string{"penstock/internal/parity", "penstock/internal/bench"}, scope: codeAll,
		bans: []string{"penstock/cdc/...", "penstock/sink/...", "penstock/schema/..."}, but: []string{"penstock/schema"},
		why: "a comparison that shares code with the formats shares their mistakes",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/internal/parity", "penstock/cmd/parity"}, scope: code,
		bans: []string{"penstock/internal/parity/golden", "penstock/internal/typecases"},
		why:  "goldens and cases are for tests",
	},
	{
		binds: []string{"penstock/internal/parity/golden", "penstock/internal/typecases"}, scope: codeAll, bans: []string{"..."},
		but: []string{"penstock/schema"},
		why: "the tests of every format read them, so they can need nobody",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/...", "penstock/internal/parity", "penstock/internal/bench"},
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
		unless: []string{"penstock/cdc", "penstock/cdc/slot", "penstock/cdc/catalog", "penstock/cdc/backfill", "penstock/sink/verify", "penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/...", "penstock/internal/parity", "penstock/internal/bench"},
		bans:   []string{"github.com/jackc/..."},
		why:    "only the capture's side, and what compares the stores with the source, speaks to Postgres",
	},
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/cdc", "penstock/cdc/registry", "penstock/sink", "penstock/sink/verify", "penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/...", "penstock/internal/parity", "penstock/internal/bench"},
		bans:   []string{"github.com/twmb/franz-go/..."},
		why:    "each half speaks to Kafka in one package; the proof looks for itself",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/cdc/registry"}, scope: code,
		bans: []string{"github.com/twmb/franz-go/pkg/sr/..."},
		why:  "one package speaks to the schema registry",
	},
	{
		binds: []string{"penstock/cdc/registry"}, scope: code,
		bans: []string{"github.com/twmb/franz-go/..."}, but: []string{"github.com/twmb/franz-go/pkg/sr"},
		why: "it speaks to the schema registry, not to Kafka",
	},
	{
		binds: []string{"penstock/..."}, unless: []string{"penstock/schema/avro"}, scope: code,
		bans: []string{"github.com/twmb/avro/..."},
		why:  "one package knows what Avro is",
	},
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/sink/cassandra", "penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/stores"},
		bans:   []string{"github.com/apache/cassandra-gocql-driver/..."},
		why:    "the daemon speaks to Cassandra in one package; the demo in cmd removes what it made by itself, the proof looks for itself",
	},
	{
		binds: []string{"penstock/..."}, scope: code,
		unless: []string{"penstock/sink/redis", "penstock/cmd/...", "penstock/internal/stack/...", "penstock/internal/chaos/stores"},
		bans:   []string{"github.com/redis/rueidis/..."},
		why:    "the daemon speaks to Redis in one package; the demo in cmd removes what it made by itself, the proof looks for itself",
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
		binds: []string{"penstock/..."}, unless: []string{"penstock/internal/admin"}, scope: code,
		bans: []string{"github.com/prometheus/..."},
		why:  "one package knows what Prometheus is; the halves keep plain counts",
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
