package simulation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestForeignTransaction leaves a transaction of somebody else open on the topic
// of positions while captures live and die. Who starts meanwhile sees its own last
// positions only when that has ended, and has to wait: an older position would
// send again what is delivered.
func TestForeignTransaction(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) { foreignTransaction(t, seed+1) })
	}
}

func foreignTransaction(t *testing.T, seed uint64) {
	t.Helper()
	w, err := newWorld(t.Context(), seed)
	if err != nil {
		t.Fatal(err)
	}
	w.covered = ^w.covered // what is committed behind the open transaction cannot be read yet
	l := w.begin()
	w.postgres.awaitSlot(w.ctx)
	w.author.write()
	await(l.ended, 3*time.Second)
	client, err := w.kafka.client(kgo.TransactionalID("foreign"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.TransactionTimeout(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(w.ctx, &kgo.Record{Topic: positionTopic, Key: []byte("foreign")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		w.author.write()
	}
	await(l.ended, 5*time.Second) // and it is delivered, behind the open transaction
	l.kill()
	w.author.write()
	w.finish(w.begin())
	client.Close()
	w.captures.Wait()
	w.check()
	w.close()
	for _, p := range w.problems {
		t.Errorf("seed %d: %s", seed, p)
	}
}
