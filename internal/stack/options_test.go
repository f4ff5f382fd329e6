package stack

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolveOptions(t *testing.T) {
	for name, test := range map[string]struct {
		given         Options
		mode, version string // in the environment
		want          Options
		fails         bool
	}{
		"nothing said":         {want: Options{Mode: Auto, PostgresVersion: "18.6.0"}},
		"environment":          {mode: "native", version: "17.11.0", want: Options{Mode: Native, PostgresVersion: "17.11.0"}},
		"options win":          {given: Options{Mode: Docker, PostgresVersion: "18"}, mode: "native", version: "17", want: Options{Mode: Docker, PostgresVersion: "18.6.0"}},
		"major version alone":  {version: "17", want: Options{Mode: Auto, PostgresVersion: "17.11.0"}},
		"mode that is unknown": {mode: "podman", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PENSTOCK_STACK", test.mode)
			t.Setenv("PENSTOCK_POSTGRES_VERSION", test.version)
			got, err := test.given.resolve()
			if (err != nil) != test.fails {
				t.Fatalf("got error %v, want one: %v", err, test.fails)
			}
			if err == nil && (got.Mode != test.want.Mode || got.PostgresVersion != test.want.PostgresVersion) {
				t.Errorf("got %s %s, want %s %s", got.Mode, got.PostgresVersion, test.want.Mode, test.want.PostgresVersion)
			}
		})
	}
}

func TestParseLogin(t *testing.T) {
	for text, want := range map[string]access{
		"h:9042":                  {addresses: []string{"h:9042"}, username: "cassandra", password: "cassandra"},
		"user:pass@h:1,i:2":       {addresses: []string{"h:1", "i:2"}, username: "user", password: "pass"},
		"u%40x:p%3Aq%40r@[::1]:1": {addresses: []string{"[::1]:1"}, username: "u@x", password: "p:q@r"},
		"user@h:1":                {addresses: []string{"h:1"}, username: "user"},
	} {
		got, err := parseLogin(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(access{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
	for _, text := range []string{"h", ":1", "h:", "a:b@h", "%zz@h:1", "h:1,"} {
		if got, err := parseLogin(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestServersStringHidesPassword(t *testing.T) {
	s := Servers{
		Postgres:  Postgres{"postgres://u:secret@h:5/d", About{"18.6", FromEnvironment}},
		Kafka:     Kafka{[]string{"k:1", "l:2"}, About{"4.4.0", FromNative}},
		Cassandra: Cassandra{[]string{"c:3"}, "u", "secret", About{"5.0.9", FromContainer}},
		Redis:     Redis{"r:4", About{"7.0.15", FromNative}},
	}
	want := "Postgres 18.6 (environment, h:5), Kafka 4.4.0 (native, k:1,l:2), Cassandra 5.0.9 (container, c:3), Redis 7.0.15 (native, r:4)"
	if got := s.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestVersionsThatServersTell(t *testing.T) {
	if got := redisVersionOf("# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n"); got != "valkey-8.0.1" {
		t.Errorf("valkey: got %s", got)
	}
	if got := redisVersionOf("redis_version:7.0.15\r\n"); got != "7.0.15" {
		t.Errorf("redis: got %s", got)
	}
	if got := kafkaVersionOf("v4.4"); got != kafkaVersion {
		t.Errorf("our kafka: got %s", got)
	}
	if got := kafkaVersionOf("between v1.0 and v1.1"); got != "between 1.0 and 1.1" {
		t.Errorf("another kafka: got %s", got)
	}
}

// A failed server cancels the others; only the failure itself is told.
func TestJoinFailures(t *testing.T) {
	broken := errors.New("broken")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	got := joinFailures(ctx, []error{nil, context.Canceled, broken})
	if got == nil || got.Error() != "broken" {
		t.Errorf("got %v, want the failure alone", got)
	}
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if got := joinFailures(given, []error{context.Canceled}); !errors.Is(got, context.Canceled) {
		t.Errorf("caller gave up: got %v, want context.Canceled", got)
	}
}

func TestProgressIsALinePerEvent(t *testing.T) {
	var out bytes.Buffer
	hear := WriteProgress(&out)
	hear(Event{Server: "kafka", Text: "starting", Elapsed: 1200 * time.Millisecond})
	hear(Event{Text: "all answer", Passing: true})
	want := "kafka       1.2s  starting\nstack       0.0s  all answer\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestDownloadSumsUp(t *testing.T) {
	var got download
	for _, line := range []string{
		"[INFO] Downloading from central: x/a.jar",
		"[INFO] Downloaded from central: x/a.jar (2.0 MB at 2.2 MB/s)",
		"Downloaded from mirror: x/b.pom (500 B at 1 kB/s)",
		"[ERROR] no such thing",
	} {
		got.read(line)
	}
	if got.String() != "2 files, 2.0 MB" || len(got.errors) != 1 {
		t.Errorf("got %s, errors %q", &got, got.errors)
	}
}
