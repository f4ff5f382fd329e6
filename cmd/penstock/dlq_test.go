package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/schema/deadletter"
)

// letterTopic is a fake Kafka with the given letters, among which lies a record
// that is none. It returns the flags that name it, and a reader of the input topic.
func letterTopic(t *testing.T, letters ...deadletter.Letter) (flags string, input func() *kgo.Record) {
	t.Helper()
	flags, input, _ = letterCluster(t, letters...)
	return flags, input
}

func letterCluster(t *testing.T, letters ...deadletter.Letter) (flags string, input func() *kgo.Record, cluster *kfake.Cluster) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "in"), kfake.SeedTopics(1, "dead"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	records := []*kgo.Record{{Topic: "dead", Key: []byte("foreign"), Value: []byte("x")}}
	for _, l := range letters {
		m := l.Message()
		r := &kgo.Record{Topic: "dead", Key: m.Key, Value: m.Value}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader(h))
		}
		records = append(records, r)
	}
	if len(letters) > 0 {
		if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return " --brokers " + strings.Join(cluster.ListenAddrs(), ",") + " --topic dead --timeout 20s", func() *kgo.Record {
		for { // kfake ends a fetch at markers, too
			fetches := client.PollRecords(t.Context(), 1)
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			if fetches.NumRecords() == 1 {
				return fetches.Records()[0]
			}
		}
	}, cluster
}

var written = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

func badLetter() deadletter.Letter {
	return deadletter.Letter{
		Pipeline: "engagement_metrics", Topic: "in", Partition: 3, Offset: 1284, Timestamp: 1_764_237_600_000, LSN: 0x16_B374D848, Seq: 7, Version: 1_764_237_600_000_001,
		Reason: deadletter.BadValue, Error: "after image: column event_ts: parsing time \"infinity\"\nas \"2006\"", Time: written,
		Record: deadletter.Record{
			Key: []byte("11111111-1111-1111-1111-111111111111"), Value: []byte(`{"after":{"id":1,"event_ts":"infinity"}}`),
			Headers: []deadletter.Header{{Key: "penstock.lsn", Value: []byte("16/B374D848")}, {Key: "trace", Value: []byte("\xff\x00")}},
		},
	}
}

func waitingLetter() deadletter.Letter {
	l := badLetter()
	l.Offset, l.Seq, l.Version, l.Reason, l.Behind, l.Error = 1290, 9, l.Version+2, deadletter.Waits, l.ID(), "it waits"
	return l
}

func foreignLetter() deadletter.Letter {
	return deadletter.Letter{
		Pipeline: "engagement_metrics", Topic: "in", Partition: 0, Offset: 7, Timestamp: -1, Reason: deadletter.BadHeaders, Error: "header penstock.lsn is missing",
		Time: written.Add(time.Hour), Record: deadletter.Record{Value: []byte("\xff\x01")},
	}
}

func captureLetter() deadletter.Letter {
	return deadletter.Letter{
		Capture: "shop", Topic: "shop.public.docs", Offset: -1, Timestamp: -1, LSN: 0x300, Reason: deadletter.Oversized, Error: "too large", Time: written,
		Record: deadletter.Record{Key: []byte(`{"id":1}`), Value: []byte("{}"), LeftOut: 5 << 20},
	}
}

// TestUnknownPipelinesAreRefused: a misspelt one has no letters, which is no news of the right one.
func TestUnknownPipelinesAreRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	flags, _ := letterTopic(t, badLetter(), captureLetter())
	for _, c := range []struct{ args, want string }{
		{"dlq list --pipeline engagement_metric", `"engagement_metric"` + "\n    why neither the configuration nor a dead letter names it\n" +
			"    fix did you mean engagement_metrics? There are engagement_metrics, shop\n"},
		{"dlq export --pipeline zebra", `"zebra"` + "\n    why neither the configuration nor a dead letter names it\n    fix there are engagement_metrics, shop\n"},
		{"dlq retry --pipeline zebra", `"zebra"` + "\n    why neither the configuration nor a dead letter names it\n    fix there are engagement_metrics, shop\n"},
	} {
		r := execute(t, "", nil, strings.Fields(c.args+flags)...)
		if want := "✗ unknown pipeline " + c.want; r.code != 2 || !strings.HasSuffix(r.stderr, want) || r.stdout != "" {
			t.Errorf("%s: exit %d, %q, %q, want %q", c.args, r.code, r.stdout, r.stderr, want)
		}
	}
	write(t, "penstock.yaml", goodConfig)
	for _, known := range []string{"m", "s", "shop"} { // of the file, and of a letter
		if r := execute(t, "", nil, strings.Fields("dlq list --state all --pipeline "+known+flags)...); r.code != 0 {
			t.Errorf("%s: exit %d, %s", known, r.code, r.stderr)
		}
	}
	none, _ := letterTopic(t)
	if r := execute(t, "", nil, strings.Fields("dlq list --pipeline n"+none)...); r.code != 2 || !strings.Contains(r.stderr, "There are m, s") {
		t.Errorf("without a letter: exit %d, %s", r.code, r.stderr)
	}
}

// TestTopicOfDeadLetters is that of --topic, else of the configuration, also where --brokers
// names another Kafka, else the default.
func TestTopicOfDeadLetters(t *testing.T) {
	t.Chdir(t.TempDir())
	letter := badLetter()
	flags, _ := letterTopic(t, letter)
	brokers, _, _ := strings.Cut(flags, " --topic dead")
	run := func(env []string, args string) result {
		t.Helper()
		return execute(t, "", env, strings.Fields("dlq list -o json --timeout 5s "+args+brokers)...)
	}
	lists := func(name string, r result) {
		t.Helper()
		if r.code != 0 || !strings.Contains(r.stdout, letter.ID()) {
			t.Errorf("%s: exit %d, %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
	if r := run(nil, ""); strings.Contains(r.stdout, letter.ID()) {
		t.Errorf("the default topic has the letter: %s", r.stdout)
	}
	lists("the environment", run([]string{"PENSTOCK_KAFKA_DEAD_LETTER_TOPIC=dead"}, ""))
	lists("--set", run(nil, "--set kafka.dead_letter_topic=dead"))
	write(t, "penstock.yaml", strings.Replace(goodConfig, "kafka: {", "kafka: {dead_letter_topic: dead, ", 1))
	lists("the file", run(nil, ""))
	write(t, "other.yaml", "kafka: {dead_letter_topic: dead}\n")
	write(t, "penstock.yaml", "kafka: [\n")
	lists("a named file", run(nil, "-c other.yaml"))
	lists("--topic beside a broken file", run(nil, "--topic dead"))
	if r := run(nil, ""); r.code != 2 || !strings.Contains(r.stdout, "name the topic with --topic") {
		t.Errorf("a broken file: exit %d, %s", r.code, r.stdout)
	}
	if r := run(nil, "-c none.yaml --topic dead"); r.code != 2 || !strings.Contains(r.stdout, "none.yaml") {
		t.Errorf("a file that is not there: exit %d, %s", r.code, r.stdout)
	}
	if r := execute(t, "", nil, strings.Fields("dlq list --topic dead --brokers kafka")...); r.code != 2 || !strings.Contains(r.stderr, "kafka.brokers[0] (flag --brokers)") {
		t.Errorf("a bad address: exit %d, %s", r.code, r.stderr)
	}
}

func TestDeadLettersAreListed(t *testing.T) {
	flags, _ := letterTopic(t, badLetter(), waitingLetter(), foreignLetter(), captureLetter())
	for _, c := range []struct {
		args string
		want string // ids
	}{
		{"", "foreign bad capture"},
		{"--waiting", "foreign bad waiting capture"},
		{"--pipeline engagement_metrics", "foreign bad"},
		{"--pipeline shop", "capture"},
		{"--reason bad-value,waits", "bad waiting"},
		{"--since 2026-11-27T10:30:00Z", "foreign"},
		{"--until 2026-11-27T10:30:00Z --reason oversized", "capture"},
		{"--since 0s", ""},
		{"--state retried", ""},
		{"--state retried --pipeline engagement_metrics", ""},
	} {
		bad, waiting, foreign, capture := badLetter(), waitingLetter(), foreignLetter(), captureLetter()
		names := map[string]string{bad.ID(): "bad", waiting.ID(): "waiting", foreign.ID(): "foreign", capture.ID(): "capture"}
		r := execute(t, "", nil, strings.Fields("dlq list -o json "+c.args+flags)...)
		var list []letterView
		if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || r.code != 0 {
			t.Fatalf("%s: exit %d, %v\n%s%s", c.args, r.code, err, r.stdout, r.stderr)
		}
		var got []string
		for _, l := range list {
			got = append(got, names[l.ID])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q: got %q, want %q", c.args, got, c.want)
		}
	}
	r := execute(t, "", nil, strings.Fields("dlq list --reason bad-value --pipeline engagement_metrics"+flags)...)
	want := `ID                WRITTEN              OF                  TOPIC  PARTITION  OFFSET  LSN          REASON     STATE  WAITING  ERROR
ID-OF-THE-LETTER  2026-11-27 10:00:00  engagement_metrics  in     3          1284    16/B374D848  bad-value  open   1        after image: column event_ts: parsing time "infinity" as "2…
`
	l := badLetter()
	if diff := cmp.Diff(strings.Replace(want, "ID-OF-THE-LETTER", l.ID(), 1), r.stdout); diff != "" || r.stderr != "1 records of the topic are no dead letters\n" {
		t.Errorf("%s\nstderr %q", diff, r.stderr)
	}
	if r := execute(t, "", nil, strings.Fields("dlq list --since soon"+flags)...); r.code != 2 || !strings.Contains(r.stderr, `bad value "soon" for flag --since`) {
		t.Errorf("a bad time: %+v", r)
	}
}

func TestADeadLetterIsShownAndExported(t *testing.T) {
	bad, foreign, waiting := badLetter(), foreignLetter(), waitingLetter()
	flags, _ := letterTopic(t, bad, foreign, waiting)
	want := `id         ` + bad.ID() + `
state      open
reason     bad-value
error      after image: column event_ts: parsing time "infinity" as "2006"
waiting    1 later records of the same key
written    2026-11-27T10:00:00Z
pipeline   engagement_metrics
place      in partition 3 offset 1284
source     lsn 16/B374D848, change 7, version 1764237600000001
key        11111111-1111-1111-1111-111111111111
header     penstock.lsn: 16/B374D848
header     trace: "\xff\x00"
value      40 bytes
  {
    "after": {
      "id": 1,
      "event_ts": "infinity"
    }
  }
`
	if r := execute(t, "", nil, strings.Fields("dlq show "+bad.ID()[:6]+flags)...); r.stdout != want {
		t.Error(cmp.Diff(want, r.stdout))
	}
	if r := execute(t, "", nil, strings.Fields("dlq show "+foreign.ID()+flags)...); !strings.Contains(r.stdout, "key        null\nvalue      2 bytes\n  00000000  ff 01  ") {
		t.Error(r.stdout)
	}
	for _, c := range []struct{ id, says string }{
		{"0000000000000000", `no dead letter has the id "0000000000000000"`}, {bad.ID()[:3], "no dead letter has the id"}, {"", "no dead letter has the id"},
		{bad.ID() + "/state", "no dead letter has the id"},
	} {
		r := execute(t, "", nil, append([]string{"dlq", "show", c.id}, strings.Fields(flags)...)...)
		if r.code != 2 || !strings.Contains(r.stderr, c.says) {
			t.Errorf("show %q: %+v", c.id, r)
		}
	}
	r := execute(t, "", nil, strings.Fields("dlq export --format jsonl --waiting"+flags)...)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"key":null,"value":{"base64":"/wE="}`) || !strings.Contains(lines[0], `{"key":"trace","value":{"base64":"/wA="}}`) {
		t.Errorf("exported %q", lines)
	}
}

func TestDeadLettersAreDecided(t *testing.T) {
	t.Chdir(t.TempDir())
	bad, foreign, waiting, capture := badLetter(), foreignLetter(), waitingLetter(), captureLetter()
	flags, input := letterTopic(t, bad, foreign, waiting, capture)
	run := func(args string) result { return execute(t, "", nil, strings.Fields(args+flags)...) }
	refused := func(args, says string) {
		t.Helper()
		if r := run(args); r.code != 5 || !strings.Contains(r.stderr, says) || r.stdout != "" {
			t.Errorf("%s: %+v", args, r)
		}
	}
	refused("dlq retry "+waiting.ID(), "waits for "+bad.ID())
	refused("dlq retry "+capture.ID(), "is a capture's")
	if r := run("dlq retry " + bad.ID() + " ffffffffffffffff"); r.code != 2 {
		t.Errorf("one of two ids is unknown: %+v", r)
	}
	write(t, "corrected.json", "{}")
	if r := run("dlq retry " + bad.ID() + " --value corrected.json"); r.code != 0 ||
		!strings.HasPrefix(r.stdout, "dead letter "+bad.ID()+" retried: its key is released at topic in partition 3 offset 0") {
		t.Fatalf("%+v", r)
	}
	if r := input(); r.Partition != 3 || string(r.Key) != string(bad.Record.Key) || r.Value != nil || headerOf(r, deadletter.HeaderRelease) != bad.ID() {
		t.Errorf("sent %+v", r)
	}
	refused("dlq retry "+bad.ID(), "was retried at ")
	refused("dlq discard "+bad.ID()+" --reason x", "was retried at ")
	if r := run("dlq discard " + capture.ID() + " --reason seen"); r.code != 0 || r.stdout != "dead letter "+capture.ID()+" discarded\n" {
		t.Errorf("%+v", r)
	}
	if r := run("dlq retry --all -o json"); r.code != 0 || !strings.Contains(r.stdout, `"id": "`+foreign.ID()+`"`) || strings.Contains(r.stdout, waiting.ID()) {
		t.Errorf("%+v", r)
	}
	if r := input(); r.Partition != 0 || r.Key != nil || string(r.Value) != "\xff\x01" || headerOf(r, deadletter.HeaderRetry) != foreign.ID() {
		t.Errorf("sent %+v", r)
	}
	if r := run("dlq retry --all"); r.code != 0 || r.stdout != "no dead letters to decide\n" {
		t.Errorf("%+v", r)
	}
	if r := run("dlq show " + bad.ID()); !strings.Contains(r.stdout, "state      retried\n") || !strings.HasSuffix(r.stdout, "corrected  2 bytes\n  {}\n") {
		t.Errorf("%+v", r)
	}
	if r := run("dlq show " + capture.ID()); !strings.Contains(r.stdout, ": seen\n") || !strings.Contains(r.stdout, "value      5242880 bytes, which did not fit; of it is known:\n") {
		t.Errorf("%+v", r)
	}
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func TestNoDeadLetters(t *testing.T) {
	flags, _ := letterTopic(t)
	for args, want := range map[string]string{
		"dlq list": "no dead letters\n", "dlq list -o json": "[]\n", "dlq export": "", "dlq retry --all": "no dead letters to decide\n",
		"dlq list --topic absent": "no dead letters\n",
	} {
		line := flags
		if strings.Contains(args, "absent") {
			line = strings.Replace(flags, "--topic dead", "", 1)
		}
		if r := execute(t, "", nil, strings.Fields(args+line)...); r.code != 0 || r.stdout != want {
			t.Errorf("%s: %+v", args, r)
		}
	}
	if r := execute(t, "", nil, strings.Fields("dlq show abcdef"+flags)...); r.code != 2 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat("penstock.yaml"); err == nil {
		t.Error("the flags were not enough")
	}
}

// TestNoLetterCommandsTheTerminal: its texts are whatever somebody wrote.
func TestNoLetterCommandsTheTerminal(t *testing.T) {
	const csi, wanted = "\u009b31m", `\u009b31m`
	plain, text := badLetter(), badLetter()
	plain.Topic, plain.Pipeline, plain.Error, plain.Reason = "in"+csi, "p"+csi, "e"+csi, "r"+csi
	plain.Record = deadletter.Record{
		Key: []byte("k" + csi), Value: []byte(`{"a":"` + csi + "\x7f" + `"}`), Headers: []deadletter.Header{{Key: "h" + csi, Value: []byte("v" + csi)}},
	}
	text.Offset, text.Record.Value = 5, []byte("no JSON"+csi)
	octets := text
	octets.Offset, octets.Record.Value = 6, []byte(`{"a":"`+"\x9b"+`"}`)
	flags, _ := letterTopic(t, plain, text, octets)
	for _, args := range []string{"list", "show " + plain.ID(), "show " + text.ID(), "show " + octets.ID(), "discard --reason x " + plain.ID()} {
		r := execute(t, "", nil, strings.Fields("dlq "+args+flags)...)
		if r.code != 0 || strings.ContainsFunc(r.stdout, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }) || strings.Contains(r.stdout, "\x9b") {
			t.Errorf("%s: exit %d, %q", args, r.code, r.stdout)
		}
		if strings.HasSuffix(args, plain.ID()) && strings.HasPrefix(args, "show") && !strings.Contains(r.stdout, `"a": "`+wanted+`\u007f"`) {
			t.Errorf("the value is not told: %q", r.stdout)
		}
	}
}

// TestWhatWaitsIsShownBehindTheLetterOfNow, not behind one that is decided.
func TestWhatWaitsIsShownBehindTheLetterOfNow(t *testing.T) {
	first, second, waiting := badLetter(), badLetter(), waitingLetter()
	second.Offset = 1288
	flags, _ := letterTopic(t, first, second, waiting)
	run := func(args string) result { return execute(t, "", nil, strings.Fields(args+flags)...) }
	for _, head := range []string{first.ID(), second.ID()} {
		if r := run("dlq show " + waiting.ID()); !strings.Contains(r.stdout, "behind     "+head+"\n") {
			t.Errorf("want it behind %s, got %s%s", head, r.stdout, r.stderr)
		}
		if r := run("dlq list --waiting -o json"); !strings.Contains(r.stdout, `"behind": "`+head+`"`) {
			t.Errorf("want it behind %s, got %s%s", head, r.stdout, r.stderr)
		}
		if r := run("dlq discard " + head + " --reason x"); r.code != 0 {
			t.Fatalf("%+v", r)
		}
	}
	if r := run("dlq show " + waiting.ID()); strings.Contains(r.stdout, "behind ") {
		t.Errorf("its release was sent, got %s", r.stdout)
	}
}

// TestADecisionThatTakesTooLong is not told as a Kafka that is away.
func TestADecisionThatTakesTooLong(t *testing.T) {
	bad := badLetter()
	flags, _, cluster := letterCluster(t, bad)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		cluster.SleepControl(func() { <-never })
		return nil, nil, false //nolint:nilnil // it is answered once the test is over
	})
	r := execute(t, "", nil, strings.Fields("dlq discard --reason x "+bad.ID()+strings.Replace(flags, "20s", "2s", 1))...)
	if r.code != 3 || !strings.Contains(r.stderr, "was not done within 2s, as --timeout has it") || strings.Contains(r.stderr, "can be reached") {
		t.Errorf("%+v", r)
	}
}
