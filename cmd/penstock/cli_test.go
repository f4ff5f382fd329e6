package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/internal/fault"
)

// result is what a command line came to.
type result struct {
	code           int
	stdout, stderr string
}

// execute runs a command line in this process, in an empty folder.
func execute(t *testing.T, stdin string, env []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, env, strings.NewReader(stdin), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

const goodConfig = `source: {dsn: "postgres://a:hunter2@127.0.0.1:1/x", slot: s, publication: p, tables: [content, engagement_events]}
kafka: {brokers: ["127.0.0.1:1"]}
pipelines: {m: {preset: engagement}}
cassandra: {hosts: [127.0.0.1]}
redis: {address: "127.0.0.1:1"}
wait: 10ms
`

func TestBadCommandLines(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "good.yaml", goodConfig)
	write(t, "bad.yaml", strings.Replace(goodConfig, "brokers", "brokrs", 1)+"log: {level: loud}\n")
	cases := []struct {
		name, args string
		code       int
		stderr     string
	}{
		{"unknown verb", "demmo", 2, "✗ unknown command \"demmo\" for \"penstock\"\n    fix did you mean demo?\n"},
		{"unknown verb of a group", "slot lst", 2, "✗ unknown command \"lst\" for \"penstock slot\"\n    fix did you mean list?\n"},
		{"unlike any verb", "xyzzy", 2, "✗ unknown command \"xyzzy\" for \"penstock\"\n    fix penstock --help lists the commands\n"},
		{"unknown flag", "run --onyl capture", 2, "✗ unknown flag --onyl for \"penstock run\"\n    fix did you mean --only?\n"},
		{"unknown short flag", "run -z", 2, "✗ unknown flag -z for \"penstock run\"\n    fix penstock run --help lists the flags\n"},
		{"bad choice", "version -o xml", 2, "✗ bad value \"xml\" for flag --output\n    fix use table, json, jsonl\n"},
		{"bad choices", "run --only capture,api", 2, "✗ bad value \"capture,api\" for flag --only\n    fix use capture, sink\n"},
		{"bad duration", "slot list --timeout soon", 2, "✗ bad value \"soon\" for flag --timeout\n    why time: invalid duration \"soon\"\n    fix penstock slot list --help lists the flags\n"},
		{"flag without value", "run -c", 2, "✗ flag needs an argument: 'c' in -c\n    fix penstock run --help lists the flags\n"},
		{"missing argument", "slot drop", 2, "✗ \"penstock slot drop\" needs NAME\n    fix penstock slot drop NAME [flags]\n"},
		{"too many arguments", "slot drop a b", 2, "✗ \"penstock slot drop\" does not take \"b\"\n    fix penstock slot drop NAME [flags]\n"},
		{"argument where none is taken", "run now", 2, "✗ \"penstock run\" does not take \"now\"\n    fix penstock run [flags]\n"},
		{"bad LSN", "run -c good.yaml --accept gap_detected@7", 2, "✗ bad value \"gap_detected@7\" for flag --accept: lsn \"7\": want two hexadecimal numbers with a slash between, such as 16/B374D848\n" +
			"    fix give the word that penstock run named when it refused, such as gap_detected@16/B374D848\n"},
		{"bad state", "run -c good.yaml --accept slot_lost@0/7", 2, "✗ bad value \"slot_lost@0/7\" for flag --accept\n" +
			"    why gap_detected, diverged and shape_changed can be accepted; a lost slot has to be dropped and created\n" +
			"    fix give the word that penstock run named when it refused, such as gap_detected@16/B374D848\n"},
		{"accept without a capture", "run -c good.yaml --only sink --accept gap_detected@0/7", 2,
			"✗ --accept is a word to the capture, which --only leaves out\n    fix give it to the daemon that runs the capture\n"},
		{"takeover without a capture", "run -c good.yaml --only sink --takeover", 2,
			"✗ --takeover is a word to the capture, which --only leaves out\n    fix give it to the daemon that runs the capture\n"},
		{"bad --set", "run -c good.yaml --set wait", 2, "✗ --set \"wait\" is not key=value\n    fix --set kafka.partitions=6\n"},
		{"nothing to retry", "dlq retry", 2, "✗ \"penstock dlq retry\" needs ID, --all or --pipeline\n    fix penstock dlq retry [ID…] [flags]\n"},
		{"ids and all", "dlq retry abcd --all", 2, "✗ ids and --all or --pipeline exclude each other\n    fix penstock dlq retry [ID…] [flags]\n"},
		{"one value for two", "dlq retry abcd abce --value x", 2, "✗ --value is for one letter\n    fix penstock dlq retry ID --value FILE\n"},
		{"no value", "dlq retry abcd --value x", 2, "✗ the value cannot be read: open x: no such file or directory\n    at  x\n" +
			"    fix name a file with the record's value, as penstock dlq show ID -o json has it\n"},
		{"nothing to discard", "dlq discard --reason x", 2, "✗ \"penstock dlq discard\" needs ID\n    fix penstock dlq discard ID… [flags]\n"},
		{"no reason", "dlq discard abcd", 2, "✗ a letter is discarded for a reason\n    fix --reason \"why the change may be missing\"\n"},
		{"unknown reason", "dlq list --reason bad", 2, "✗ bad value \"bad\" for flag --reason\n    fix use bad-headers, null-key, wrong-key, unknown-table, bad-value, expression, too-large, refused-by-store, oversized, bad-message, waits\n"},
		{"replay into nothing", "replay --from kafka", 2, "✗ \"penstock replay\" needs --store and --from\n    fix penstock replay --store redis --from kafka\n"},
		{"replay into itself", "replay --store cassandra --from cassandra", 2, "✗ cassandra cannot be filled from itself\n    fix penstock replay --store cassandra --from kafka\n"},
		{"replay from elsewhere", "replay --store redis --from redis", 2, "✗ bad value \"redis\" for flag --from\n    fix use kafka, cassandra\n"},
		{"no configuration", "run", 2, "✗ configuration file cannot be read: open penstock.yaml: no such file or directory\n    at  penstock.yaml\n" +
			"    fix name the file with --config, or see penstock run --help for the smallest one\n"},
		{"two faults", "config validate -c bad.yaml", 2, "✗ unknown key \"brokrs\"\n    at  kafka.brokrs (bad.yaml:2:9)\n           2 | brokrs: …\n             | ^^^^^^\n    fix did you mean brokers?\n" +
			"✗ unknown value \"loud\"\n    at  log.level (bad.yaml:7:14)\n    fix write one of debug, info, warn, error\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := execute(t, "", nil, strings.Fields(c.args)...)
			if diff := cmp.Diff(result{c.code, "", c.stderr}, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorAsJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "bad.yaml", strings.Replace(goodConfig, "brokers", "brokrs", 1)+"log: {level: loud}\n")
	for _, flag := range []string{"-ojson", "-o=json", "--output=json", "-o json"} {
		got := execute(t, "", nil, append([]string{"config", "validate", "-c", "bad.yaml"}, strings.Fields(flag)...)...)
		want := failure{Command: "penstock config validate", Error: faultReport{
			Kind: "usage", What: `unknown key "brokrs"`, Where: "kafka.brokrs (bad.yaml:2:9)", Line: 2, Column: 9, Fix: "did you mean brokers?",
		}}
		want.Errors = []faultReport{want.Error, {
			Kind: "usage", What: `unknown value "loud"`, Where: "log.level (bad.yaml:7:14)", Line: 7, Column: 14, Fix: "write one of debug, info, warn, error",
		}}
		var f failure
		if err := json.Unmarshal([]byte(got.stdout), &f); err != nil {
			t.Fatalf("%s: %v\n%s", flag, err, got.stdout)
		}
		if diff := cmp.Diff(want, f, cmp.AllowUnexported(faultReport{})); diff != "" || got.code != 2 || got.stderr != "" {
			t.Errorf("%s: exit %d, stderr %q\n%s", flag, got.code, got.stderr, diff)
		}
	}
	got := execute(t, "", nil, "nonsense", "-o", "json")
	if !json.Valid([]byte(got.stdout)) || got.code != 2 {
		t.Errorf("unknown verb: exit %d, %s", got.code, got.stdout)
	}
}

func TestUnreachableServersExitWith3(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "penstock.yaml", goodConfig)
	for _, args := range []string{"run --only capture", "run --only sink --log-format json", "slot list", "slot list --dsn postgres://127.0.0.1:1/x", "dlq list --timeout 2s", "dlq retry --all --brokers 127.0.0.1:1 --timeout 2s"} {
		if got := execute(t, "", nil, strings.Fields(args)...); got.code != 3 || !strings.Contains(got.stderr, "✗ ") || strings.Contains(got.stderr, "hunter2") {
			t.Errorf("%s: exit %d\n%s", args, got.code, got.stderr)
		}
	}
}

func TestInterruptExitsWith130AndStoppedDaemonWith0(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "penstock.yaml", strings.Replace(goodConfig, "wait: 10ms", "wait: 1h", 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"slot", "list"}, nil, nil, &out, &errs); code != 130 || errs.String() != "interrupted\n" {
		t.Errorf("slot list: exit %d %s", code, errs.String())
	}
	if code := run(ctx, []string{"run"}, nil, nil, &out, &errs); code != 0 {
		t.Errorf("run: exit %d %s", code, errs.String())
	}
}

func TestConfigRenderOfOneRole(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "penstock.yaml", "source: {dsn: x, slot: s, publication: p, tables: [content]}\nkafka: {brokers: [a:1]}\n")
	if got := execute(t, "", nil, "config", "render", "--only", "capture"); got.code != 0 || !strings.Contains(got.stdout, "slot: s") {
		t.Errorf("capture: %+v", got)
	}
	if got := execute(t, "", nil, "config", "render"); got.code != 2 || !strings.Contains(got.stderr, "--only capture") {
		t.Errorf("both: %+v", got)
	}
}

func TestConfigRenderHidesSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "penstock.yaml", goodConfig)
	for _, args := range []string{"config render", "config render -o json", "config render --set source.dsn=hunter2"} {
		got := execute(t, "", []string{"PENSTOCK_CASSANDRA_PASSWORD=hunter2"}, strings.Fields(args)...)
		if got.code != 0 || strings.Contains(got.stdout, "hunter2") || !strings.Contains(got.stdout, "******") {
			t.Errorf("%s: %+v", args, got)
		}
		if strings.Contains(args, "json") && !json.Valid([]byte(got.stdout)) {
			t.Errorf("not JSON: %s", got.stdout)
		}
	}
}

// TestHelp holds the help of every command against testdata/help.txt, which
// REWRITE=1 in the environment writes anew.
func TestHelp(t *testing.T) {
	var got strings.Builder
	for _, args := range []string{
		"", "backfill", "backfill cancel", "backfill list", "backfill pause", "backfill resume", "backfill start", "config", "config render", "config validate", "demo", "dev", "dev down", "dev status", "dev up", "dlq", "dlq discard", "dlq export",
		"dlq list", "dlq retry", "dlq show", "recover", "replay", "run",
		"slot", "slot create", "slot drop", "slot list", "status", "verify", "version",
	} {
		r := execute(t, "", nil, append(strings.Fields(args), "-h")...)
		if r.code != 0 || !strings.Contains(r.stdout, "Examples:") {
			t.Errorf("%q: exit %d, or no example", args, r.code)
		}
		got.WriteString("$ penstock " + args + " -h\n" + r.stdout + "\n")
	}
	golden(t, "help.txt", got.String())
}

// golden compares text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDropAsksOnATerminalOnly: what is piped in was not read by whoever typed it.
func TestDropAsksOnATerminalOnly(t *testing.T) {
	var errs bytes.Buffer
	a := &app{stdin: strings.NewReader("engagement\n"), stderr: &errs}
	err := a.confirm("drop it", "engagement", "slot engagement holds 1 MB")
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Kind != fault.Refused || f.Fix != "give --yes" || f.Why != "slot engagement holds 1 MB" || errs.Len() > 0 {
		t.Errorf("got %v, asked %q", err, errs.String())
	}
}

func TestDropAsksForTheName(t *testing.T) {
	for typed, want := range map[string]string{"engagement\n": "", "engagement": "", "yes\n": "refused", "": "refused"} {
		var errs bytes.Buffer
		a := &app{stdin: strings.NewReader(typed), stderr: &errs, interactive: true}
		err := a.confirm("drop it", "engagement", "slot engagement holds 1 MB")
		if refused := err != nil; refused != (want == "refused") {
			t.Errorf("typed %q: %v", typed, err)
		}
		if err != nil && fault.KindOf(err) != fault.Refused || !strings.HasPrefix(errs.String(), "slot engagement holds 1 MB\n") {
			t.Errorf("typed %q: kind %d, asked %q", typed, fault.KindOf(err), errs.String())
		}
	}
}
