package simulation_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc"
)

// TestChecksFail breaks the world around a capture in ways that its checks exist
// for, and wants each to be reported in its words within a few seeds.
func TestChecksFail(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(*world)
		want    string
	}{
		{"a walsender that leaves a transaction out", func(w *world) {
			w.postgres.lies.skip = func(c *commit) bool { return len(c.changes) > 0 && c.xid%16 == 0 }
		}, "lost:"},
		{"a walsender that tells another value", func(w *world) {
			w.postgres.lies.change = func(c *change) { c.new.v += "0" }
		}, "it says"},
		{"a record that is written again", func(w *world) { w.afterwards = again }, "dup:"},
		{"a record that is written again later", func(w *world) { w.afterwards = again }, "reorder:"},
		{"a record of nothing", func(w *world) {
			w.afterwards = func(w *world) error { return w.copyRecord(func(r *kgo.Record) { r.Headers[1].Value = []byte("4711") }) }
		}, "extra:"},
		{"a confirmation of one byte too much", func(w *world) {
			w.tamper = func(status []byte) []byte {
				status = append([]byte(nil), status...)
				for _, at := range []int{6, 14, 22} {
					if lsn := binary.BigEndian.Uint64(status[at:]); lsn != 0 {
						binary.BigEndian.PutUint64(status[at:], lsn+1)
					}
				}
				return status
			}
		}, "I1:"},
		{"a position that goes back", func(w *world) {
			w.afterwards = func(w *world) error { return w.copyPosition() }
		}, "position at offset"},
		{"a capture that splits what it must not", func(w *world) {
			w.config = func(cfg *cdc.Config) { cfg.Limits.SplitRecords = 2 }
		}, "torn:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const tries = 5
			var last []string
			for seed := range uint64(tries) {
				last = simulate(t, seed+1, 4, c.prepare).problems
				for _, p := range last {
					if strings.Contains(p, c.want) {
						return
					}
				}
			}
			t.Errorf("no problem with %q in %d seeds; the last had %q", c.want, tries, last)
		})
	}
}

// again writes the first record of the pipeline's topic once more.
func again(w *world) error { return w.copyRecord(func(*kgo.Record) {}) }

// copyRecord writes a changed copy of the first record of the pipeline's topic,
// as nobody may.
func (w *world) copyRecord(change func(*kgo.Record)) error {
	return w.rewrite(pipelineTopic, func(*kgo.Record) bool { return true }, change)
}

// copyPosition writes the first position once more. What else is remembered has an object as its key.
func (w *world) copyPosition() error {
	return w.rewrite(positionTopic, func(r *kgo.Record) bool { return r.Key[0] != '{' }, func(*kgo.Record) {})
}

func (w *world) rewrite(topic string, is func(*kgo.Record) bool, change func(*kgo.Record)) error {
	read, err := w.kafka.readAll(w.ctx, topic)
	if err != nil {
		return err
	}
	client, err := w.kafka.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	for partition := range int32(partitions) {
		for _, r := range read[partition] {
			if r.Attrs.IsControl() || !is(r) {
				continue
			}
			forged := &kgo.Record{Topic: topic, Partition: partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
			change(forged)
			return client.ProduceSync(w.ctx, forged).FirstErr()
		}
	}
	return nil
}
