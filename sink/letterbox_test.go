package sink_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/plan"
	"penstock/sink/storetest"
)

// createTopic creates the topic of dead letters by hand.
func (r *rig) createTopic(settings map[string]string) {
	r.t.Helper()
	configs := map[string]*string{}
	for key, value := range settings {
		configs[key] = &value
	}
	if _, err := kadm.NewClient(r.client()).CreateTopic(r.t.Context(), 1, 1, configs, "dead"); err != nil {
		r.t.Fatal(err)
	}
}

// compacted are the settings of a topic of dead letters that keeps no removals.
func compacted() map[string]string {
	return map[string]string{"cleanup.policy": "compact", "max.message.bytes": "1114124", "delete.retention.ms": "0"}
}

func TestTheTopicOfLettersKeepsThem(t *testing.T) {
	r, s := newRig(t), played()
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), storetest.NewModel())
	resources, err := kadm.NewClient(r.client()).DescribeTopicConfigs(t.Context(), "dead")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, config := range resources[0].Configs {
		got[config.Key] = config.MaybeValue()
	}
	if got["cleanup.policy"] != "compact" || got["max.message.bytes"] != "1114124" { // the input topic's 1048588 and some
		t.Errorf("created with cleanup.policy=%s and max.message.bytes=%s", got["cleanup.policy"], got["max.message.bytes"])
	}
}

func TestATopicThatForgetsLettersIsRefused(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		refused  bool
	}{
		{map[string]string{"cleanup.policy": "delete", "retention.ms": "604800000"}, true},
		{map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "604800000"}, true},
		{map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}, false},
		{map[string]string{"cleanup.policy": "compact"}, false},
	} {
		c.settings["max.message.bytes"] = "1114124"
		r, s := newRig(t), played()
		r.createTopic(c.settings)
		r.produce(s, kgo.TryCommit)
		if !c.refused {
			r.runUntilDrained(r.letters(), storetest.NewModel())
			continue
		}
		err := r.run(t.Context(), r.letters(), storetest.NewModel())
		wantFault(t, err, fault.Usage, "kafka.dead_letter_topic dead: has cleanup.policy="+c.settings["cleanup.policy"], "--add-config cleanup.policy=compact")
	}
}

// TestATopicThatIsTooSmallIsRefused: it takes what the input topic takes, and not
// the letter of it.
func TestATopicThatIsTooSmallIsRefused(t *testing.T) {
	r, model := newRig(t), storetest.NewModel()
	r.createTopic(map[string]string{"max.message.bytes": "1114123"})
	wantFault(t, r.run(t.Context(), r.letters(), model), fault.Usage, "kafka.dead_letter_topic dead: has cleanup.policy=delete",
		"takes 1114123 bytes, and a letter of what topic t takes may have 1114124", "--entity-name dead --add-config max.message.bytes=1114124")
}

// TestALetterThatDoesNotFitStops where the topic was made smaller since: it is not
// left out, and the offset stays before the record, which is named.
func TestALetterThatDoesNotFitStops(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	waitingKey(r, s, model)
	limit := "2000"
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}
	if results, err := kadm.NewClient(r.client()).AlterTopicConfigs(t.Context(), change, "dead"); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	s.putContent(someContent(1, 60)) // waits, and fits
	large := someEvent(2, 1)
	random := make([]byte, 5000)
	_, _ = rand.Read(random) // it never fails, and does not shrink in a batch
	large.Payload = engagement.Some(hex.EncodeToString(random))
	s.put(large)
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	r.produce(s, kgo.TryCommit)
	before := r.committed(p)
	cfg := r.letters()
	cfg.OnError = sink.Stop                                                 // what waits is a letter all the same
	place := fmt.Sprintf("topic t partition %d offset %d lsn", p, before+2) // behind a marker and what fits
	wantFault(t, r.run(t.Context(), cfg, model), fault.Runtime, place, "larger than topic dead takes, 2000 bytes", "raise max.message.bytes")
	if at := r.committed(p); at != before {
		t.Errorf("offset %d is committed, %d before", at, before)
	}
}

// TestALetterOfACompressedRecord is compressed as well: topics measure what they get.
func TestALetterOfACompressedRecord(t *testing.T) {
	r, model := newRig(t), storetest.NewModel()
	large := &kgo.Record{Topic: "t", Partition: 1, Key: []byte("k"), Value: bytes.Repeat([]byte("compressed"), 300_000)}
	writer := r.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8<<20))
	if err := writer.ProduceSync(t.Context(), large).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.runUntilDrained(r.letters(), model)
	if all := r.book().All(); len(all) != 1 || !bytes.Equal(r.letter(all[0].ID).Letter.Record.Value, large.Value) {
		t.Errorf("%d letters, want the one with its record", len(all))
	}
}

// TestAnOperatorWhoDiedIsNoObstacle: what was begun and not committed is undone by
// whoever decides next, and the sink sees none of it.
func TestAnOperatorWhoDiedIsNoObstacle(t *testing.T) {
	r, s, model := newRig(t), newSource(partitions), storetest.NewModel()
	s.putContent(someContent(1, 100))
	p := sink.PartitionOf(storetest.ContentID(1).String(), partitions)
	sound := s.partitions[p][0].Value
	s.partitions[p][0].Value = []byte("{")
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.letters(), model)
	head := r.book().Heads()[0]

	dying := r.client(kgo.TransactionalID("penstock.dlq.dead"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := dying.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	d := deadletter.Decision{ID: head.ID, State: deadletter.Discarded, Sent: 2}
	m := d.Message()
	begun := []*kgo.Record{
		{Topic: "t", Partition: p, Key: head.Letter.Record.Key, Headers: []kgo.RecordHeader{{Key: deadletter.HeaderRelease, Value: []byte(head.ID)}}},
		{Topic: "dead", Key: m.Key, Value: m.Value},
	}
	for _, h := range m.Headers {
		begun[1].Headers = append(begun[1].Headers, kgo.RecordHeader(h))
	}
	if err := dying.ProduceSync(t.Context(), begun...).FirstErr(); err != nil {
		t.Fatal(err)
	}

	r.decide(head.ID, sink.Order{State: deadletter.Retried, Value: sound})
	r.runUntilDrained(r.letters(), model)
	wantEqual(t, s, model)
	if contents, err := model.LookupRows(context.Background(), []plan.Value{engagement.JoinOf(storetest.ContentID(1))}); err != nil || !contents[0].Exists {
		t.Errorf("the content is not there: %v", err)
	}
	if f := r.letter(head.ID); f.State() != deadletter.Retried || !slices.Equal(f.Decision.Value, sound) {
		t.Errorf("the letter is %s", f.State())
	}
}
