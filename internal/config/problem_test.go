package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/internal/config"
	"penstock/internal/fault"
)

func TestSecondDocumentIsAProblem(t *testing.T) {
	const want = "penstock.yaml:3:6: a second YAML document (fix: keep one document in the file)\n"
	if got := report("source: {}\n---\nkafka: {}\n"); got != want {
		t.Errorf("got %s", got)
	}
}

// TestProblems runs testdata/problems.txt: blocks of a title line "=== title",
// optional lines "env: A=b C=d" and "set: key=value", the file, a line "---" and what is reported.
// With REWRITE=1 in the environment the file is written anew.
func TestProblems(t *testing.T) { blocks(t, "problems.txt", report) }

// blocks runs the blocks of a file in testdata: run makes of each what is to
// stand after its dashes.
func blocks(t *testing.T, name string, run func(file string) string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	preamble, blocks, _ := strings.Cut(string(data), "=== ")
	out := preamble
	for block := range strings.SplitSeq(blocks, "\n=== ") {
		title, rest, _ := strings.Cut(block, "\n")
		file, want, _ := strings.Cut(rest+"\n", "---\n")
		got := run(file)
		out += "=== " + title + "\n" + file + "---\n" + got + "\n"
		t.Run(title, func(t *testing.T) {
			if strings.Contains(got, "NO FIX") {
				t.Errorf("a problem without a fix:\n%s", got)
			}
			if want = strings.TrimRight(want, "\n") + "\n"; os.Getenv("REWRITE") == "" && got != want {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(strings.TrimRight(out, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// parseBlock parses a block's file, with its environment and --set flags.
func parseBlock(file string) (*config.Config, error) {
	var env []string
	var overrides []config.Override
	for {
		line, rest, _ := strings.Cut(file, "\n")
		if list, ok := strings.CutPrefix(line, "env: "); ok {
			env = strings.Fields(list)
		} else if set, ok := strings.CutPrefix(line, "set: "); ok {
			key, value, _ := strings.Cut(set, "=")
			overrides = append(overrides, config.Override{Key: key, Value: value, Origin: "flag --set"})
		} else {
			break
		}
		file = rest
	}
	return config.Parse("penstock.yaml", []byte(file), env, overrides)
}

// report parses a file and renders what is wrong with it.
func report(file string) string {
	_, err := parseBlock(file)
	if err == nil {
		return "ok\n"
	}
	var b strings.Builder
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range flatten(list) {
		b.WriteString(err.Error() + "\n")
		if p := (*config.Problem)(nil); errors.As(err, &p) {
			b.WriteString(p.Excerpt)
			if p.Excerpt != "" {
				b.WriteString("\n")
			}
		}
		if fault.KindOf(err) != fault.Usage {
			b.WriteString("not a usage fault\n")
		}
		if f := (*fault.Error)(nil); !errors.As(err, &f) || f.Fix == "" {
			b.WriteString("NO FIX\n")
		}
	}
	return b.String()
}

func flatten(list []error) []error {
	var flat []error
	for _, err := range list {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			flat = append(flat, flatten(joined.Unwrap())...)
		} else {
			flat = append(flat, err)
		}
	}
	return flat
}

func TestSecretsAreNotInProblems(t *testing.T) {
	for _, file := range []string{
		"source: {dsn: hunter2, dns: hunter2}\n",
		"cassandra: { password: hunter2, usernme: x }\n",
		"cassandra:\n  passwrd: hunter2\n  password: [hunter2]\n",
		"cassandra:\n  password: {hunter2: hunter2}\n",
		"cassandra: { password: hunter2, hosts: [ }\n",
		"cassandra:\n  password: hunter2${\n",
		"records: {tables: {a: {mask: {email: [hunter2]}, maks: {email: hunter2}}}}\n",
		"records: {tables: {a: {mask: hunter2}, b: {mask: [hunter2]}, c: {mask: {email: 'hunter2${'}}}}\n",
		"cassandra:\n  password: ${hunter 2}\n  passwordd: |\n    hunter2\n",
	} {
		if got := report(file); strings.Contains(got, "hunter2") && !strings.Contains(file, "{hunter2") {
			t.Errorf("%s\nreports\n%s", file, got)
		}
	}
}

// FuzzParse must not panic, and reports usage faults only.
func FuzzParse(f *testing.F) {
	f.Add(smallest)
	f.Add("a: [1,\n")
	f.Add("pipelines: {o: {stream: {table: a, column: b, key: [b], columns: {b: bigint}}, lookup: {table: c, column: d, columns: {d: bigint}}, columns: {x: 'stream.b + 1'}, " +
		"filter: 'lookup.d in [1]', cassandra: {table: k.t, partition_key: [x], clustering: [x desc]}, redis: {key: 'p:{x}'}}}\n")
	f.Add("x: &x *x\n")
	f.Add("? [a]\n: b\n")
	f.Add("records: {time.precision.mode: x, tables: {a.b: &t {key: [c, c], mask: {c: d}, truncate: {c: -1}}, '\"a\".b': *t}}\n")
	f.Add("source: !!map &a {dsn: *a}\n<<: {a: b}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := config.Parse("f", []byte(text), []string{"A=b"}, nil); err != nil && fault.KindOf(err) != fault.Usage {
			t.Errorf("kind %d: %v", fault.KindOf(err), err)
		}
	})
}
