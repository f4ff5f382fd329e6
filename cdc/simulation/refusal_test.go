package simulation_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"penstock/cdc"
	"penstock/internal/fault"
)

var refusalsFlag = flag.Int("refusals", 4, "the number of seeds of each answer that Kafka refuses with")

// recovers is the outcome of a refusal that a capture gets over by itself.
const recovers fault.Kind = -1

// refusals are Kafka's answers, and what becomes of a capture that gets them.
func refusals() []refusal {
	storm, again := 30, 3
	return []refusal{
		{kmsg.InitProducerID, kerr.ConcurrentTransactions, storm, recovers},
		{kmsg.InitProducerID, kerr.CoordinatorLoadInProgress, storm, recovers},
		{kmsg.InitProducerID, kerr.CoordinatorNotAvailable, again, recovers},
		{kmsg.InitProducerID, kerr.NotCoordinator, again, recovers},
		{kmsg.InitProducerID, kerr.ProducerFenced, again, recovers},
		{kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, 1, fault.Usage},
		{kmsg.Produce, kerr.NotEnoughReplicas, storm, recovers},
		{kmsg.Produce, kerr.NotEnoughReplicasAfterAppend, 1, recovers},
		{kmsg.Produce, kerr.NotLeaderForPartition, again, recovers},
		{kmsg.Produce, kerr.UnknownProducerID, again, recovers},
		{kmsg.Produce, kerr.OutOfOrderSequenceNumber, again, recovers},
		{kmsg.Produce, kerr.InvalidTxnState, again, recovers},
		{kmsg.Produce, kerr.InvalidProducerEpoch, again, recovers},
		{kmsg.Produce, kerr.ProducerFenced, again, recovers},
		{kmsg.Produce, kerr.TransactionAbortable, again, recovers},
		{kmsg.Produce, kerr.MessageTooLarge, 1, fault.Refused},
		{kmsg.Produce, kerr.TopicAuthorizationFailed, 1, fault.Usage},
		{kmsg.EndTxn, kerr.ConcurrentTransactions, storm, recovers},
		{kmsg.EndTxn, kerr.CoordinatorLoadInProgress, storm, recovers},
		{kmsg.EndTxn, kerr.NotCoordinator, again, recovers},
		{kmsg.EndTxn, kerr.InvalidTxnState, again, recovers},
		{kmsg.EndTxn, kerr.InvalidProducerIDMapping, again, recovers},
		{kmsg.EndTxn, kerr.InvalidProducerEpoch, again, recovers},
		{kmsg.EndTxn, kerr.ProducerFenced, again, recovers},
		{kmsg.EndTxn, kerr.UnknownServerError, again, recovers},
		{kmsg.EndTxn, kerr.TransactionalIDAuthorizationFailed, 1, fault.Usage},
		{kmsg.AddPartitionsToTxn, kerr.ConcurrentTransactions, storm, recovers},
		{kmsg.AddPartitionsToTxn, kerr.CoordinatorLoadInProgress, storm, recovers},
		{kmsg.AddPartitionsToTxn, kerr.InvalidTxnState, again, recovers},
		{kmsg.AddPartitionsToTxn, kerr.ProducerFenced, again, recovers},
		{kmsg.AddPartitionsToTxn, kerr.TopicAuthorizationFailed, 1, fault.Usage},
	}
}

// refusal is an answer, to how many requests in a row at most, and the outcome.
type refusal struct {
	key     kmsg.Key
	err     *kerr.Error
	most    int
	outcome fault.Kind
}

// TestKafkaRefuses gives each answer at seeded moments. The capture gets over it,
// or stops with a fault of the right kind, after which the next goes on; nothing
// is lost or doubled.
func TestKafkaRefuses(t *testing.T) {
	seeds := *refusalsFlag
	if testing.Short() {
		seeds = 1
	}
	for _, r := range refusals() {
		t.Run(r.key.Name()+" "+r.err.Message, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				if problems := refuse(t, seed+1, r); len(problems) > 0 {
					t.Fatalf("seed %d: %s", seed+1, strings.Join(problems[:min(len(problems), 8)], "\n"))
				}
			}
		})
	}
}

// refuse plays one seed of a refusal, and returns what went wrong.
func refuse(t *testing.T, seed uint64, r refusal) (problems []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(t.Context(), seed)
		if err != nil {
			t.Fatal(err)
		}
		if r.key == kmsg.AddPartitionsToTxn { // newer clients do not ask
			w.config = func(cfg *cdc.Config) { cfg.Client = append(cfg.Client, kgo.MaxVersions(kversion.V3_7_0())) }
		}
		w.endure(r)
		w.captures.Wait()
		w.check()
		w.close()
		problems = w.problems
	})
	return problems
}

// endure lets a capture meet a refusal while it delivers.
func (w *world) endure(r refusal) {
	w.captures.Go(func() {
		w.postgres.awaitSlot(w.ctx)
		for range 40 {
			w.author.write()
			await(w.ctx.Done(), time.Duration(w.author.rand.IntN(60))*time.Millisecond)
		}
	})
	w.captures.Go(func() { await(w.ctx.Done(), 3*time.Second); w.postgres.checkpoint() })
	met := 0
	after := w.rand.IntN(10)
	if r.key == kmsg.InitProducerID {
		after = 0
	}
	handle := w.kafka.cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{r.key}, Err: r.err, Count: 1 + w.rand.IntN(r.most),
		When: func(kmsg.Request) bool { met++; return met > after },
	})
	l := w.begin()
	if r.outcome != recovers {
		if !await(l.ended, catchUp) {
			w.problem("the capture did not stop")
		} else if kind := fault.KindOf(l.err); kind != r.outcome {
			w.problem("the capture stopped with a fault of kind %d, want %d: %v", kind, r.outcome, l.err)
		}
		l.kill()
		handle.Remove()
		l = w.begin()
	}
	await(l.ended, 10*time.Second)
	w.finish(l)
	if handle.Hits() == 0 {
		w.problem("INVALID: no request was refused")
	}
	if l.err != nil {
		w.problem("%s", fmt.Sprint(l.err))
	}
}
