package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// statusCluster is a fake Kafka with a position and a pipeline of three partitions: drained, behind, and untouched.
func statusCluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "penstock.position"), kfake.SeedTopics(3, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	change := &kgo.Record{
		Topic: "in", Partition: 1, Key: []byte("k"),
		Value: []byte(`{"before":null,"after":{},"op":"c","source":{"schema":"public","table":"content","ts_us":1764237600000000}}`),
	}
	position := []byte(`{"system_id":"7","timeline":1,"database":"d","slot":"s","end_lsn":"16/B374D848","version":1764237600000001}`)
	drained := &kgo.Record{Topic: "in", Value: change.Value}
	if err := client.ProduceSync(t.Context(), drained, change, &kgo.Record{Topic: "penstock.position", Key: []byte("s"), Value: position}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var offsets kadm.Offsets
	const metadata = `{"lsn":"16/B374D848","version":1764237600000001,"time":"2025-11-27T10:00:00.000001Z","stores":{"cassandra":1,"redis":1}}`
	offsets.Add(kadm.Offset{Topic: "in", Partition: 0, At: 1, LeaderEpoch: -1, Metadata: metadata})
	offsets.Add(kadm.Offset{Topic: "in", Partition: 1, At: 0, LeaderEpoch: -1, Metadata: strings.Replace(metadata, `"redis":1}`, `"redis":0},"rejoins":[{"join":"k","version":7,"rows":12000,"bookmark":"AAE="}]`, 1)})
	if _, err := kadm.NewClient(client).CommitOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	return cluster
}

func TestStatus(t *testing.T) {
	t.Chdir(t.TempDir())
	cluster := statusCluster(t)
	brokers := strings.Join(cluster.ListenAddrs(), ",")
	write(t, "penstock.yaml", strings.Replace(strings.Replace(goodConfig, "127.0.0.1:1\"]", brokers+"\"]", 1), "preset: engagement", "preset: engagement, topic: in, group: g", 1))
	got := execute(t, "", nil, "status")
	var lines []string
	for line := range strings.SplitSeq(got.stdout, "\n") {
		fields := strings.Fields(line)
		if len(fields) > 6 && fields[1] == "1" { // how long ago it was depends on when this runs
			if ago, err := time.ParseDuration(fields[6]); err != nil || ago < time.Since(time.UnixMicro(1_764_237_600_000_000)).Truncate(time.Hour) {
				t.Errorf("behind %s, %v", fields[6], err)
			}
			fields[6] = "long"
		}
		lines = append(lines, strings.Join(fields, " "))
	}
	want := []string{
		"capture s: position 16/B374D848, last change 2025-11-27 10:00:00.000001Z",
		"PIPELINE PARTITION OFFSET END LAG LSN BEHIND CASSANDRA REDIS NOTE",
		"m 0 1 1 0 16/B374D848 0s 1 1",
		"m 1 0 1 1 16/B374D848 long 1 0 joins stored rows again: 12,000 rows so far, 1 lookup rows to go",
		"m 2 – 0 0 – 0s – –",
		"",
	}
	if diff := cmp.Diff(want, lines); diff != "" || got.code != 0 || got.stderr != "" {
		t.Errorf("exit %d, stderr %q\n%s", got.code, got.stderr, diff)
	}
	got = execute(t, "", nil, "status", "m", "-o", "json")
	var view statusView
	if err := json.Unmarshal([]byte(got.stdout), &view); err != nil || got.code != 0 {
		t.Fatalf("exit %d, %v: %s", got.code, err, got.stdout)
	}
	if p := view.Pipelines[0].Partitions[1]; *p.Offset != 0 || p.Lag != 1 || p.Behind < 86400 || p.Stores["cassandra"] != 1 || p.Stores["redis"] != 0 || p.Lost {
		t.Errorf("got %+v", p)
	}
}

func TestStatusThatCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	cluster := statusCluster(t)
	write(t, "penstock.yaml", strings.Replace(goodConfig, "127.0.0.1:1\"]", strings.Join(cluster.ListenAddrs(), ",")+"\"]", 1))
	got := execute(t, "", nil, "status")
	if got.code != 2 || !strings.Contains(got.stdout, "position 16/B374D848") ||
		!strings.Contains(got.stderr, "✗ the input topic does not exist\n    at  pipeline m: topic penstock.m.input\n    fix start the capture, which creates it\n") {
		t.Errorf("of a topic that is absent: %+v", got)
	}
	got = execute(t, "", nil, "status", "n")
	if got.code != 2 || !strings.Contains(got.stderr, "✗ unknown pipeline \"n\"\n    fix did you mean m? There are m\n") {
		t.Errorf("of a pipeline that is unknown: %+v", got)
	}
	write(t, "penstock.yaml", goodConfig)
	if got := execute(t, "", nil, "status", "--timeout", "200ms"); got.code != 3 || !strings.Contains(got.stderr, "127.0.0.1:1") {
		t.Errorf("of a Kafka that is away: %+v", got)
	}
}
