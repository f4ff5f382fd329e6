package simulation_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// leftOpen is a transaction that a broker has decided and then, in a crash, left
// open on its partitions, and what the capture does about it.
type leftOpen struct {
	state string // as the coordinator tells it

	// Only the goroutine of kfake touches the rest until the world is at rest.
	requests int
	producer int64
	epoch    int16
	lost     bool // the EndTxn never came to the partitions
	fenced   bool
	commits  int // markers written before the fence, a partition each
	aborts   int
}

// TestATransactionLeftOpenIsEndedAsItWasDecided is the crash of a coordinator that
// takes the partitions of a decided transaction for deleted: it names it complete,
// and the partitions lack their markers. The fence would abort it.
func TestATransactionLeftOpenIsEndedAsItWasDecided(t *testing.T) {
	for _, c := range []struct {
		state           string
		commits, aborts bool
	}{{"CompleteCommit", true, false}, {"CompleteAbort", false, true}} {
		t.Run(c.state, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, err := newWorld(t.Context(), 1)
				if err != nil {
					t.Fatal(err)
				}
				left := &leftOpen{state: c.state}
				w.leaveOpen(left)
				w.captures.Go(func() {
					w.postgres.awaitSlot(w.ctx)
					for range 40 {
						w.author.write()
						await(w.ctx.Done(), time.Duration(w.author.rand.IntN(60))*time.Millisecond)
					}
				})
				l := w.begin()
				await(l.ended, 10*time.Second)
				w.finish(l)
				w.captures.Wait()
				w.check()
				w.close()
				for _, problem := range w.problems {
					t.Error(problem)
				}
				if !left.lost || (left.commits > 0) != c.commits || (left.aborts > 0) != c.aborts {
					t.Errorf("got %+v, want markers of the one kind", left)
				}
			})
		})
	}
}

// leaveOpen loses the fifth EndTxn, and tells of its transaction as complete until
// somebody fences.
func (w *world) leaveOpen(left *leftOpen) {
	w.kafka.cluster.ControlKey(kmsg.EndTxn.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.kafka.cluster.KeepControl()
		end := req.(*kmsg.EndTxnRequest)
		if left.requests++; left.requests != 5 {
			return nil, nil, false //nolint:nilnil // kfake goes on
		}
		left.producer, left.epoch, left.lost = end.ProducerID, end.ProducerEpoch, true
		return nil, errors.New("the broker is gone"), true
	})
	w.kafka.cluster.ControlKey(kmsg.DescribeTransactions.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.kafka.cluster.KeepControl()
		if !left.lost || left.fenced {
			return nil, nil, false //nolint:nilnil // kfake goes on
		}
		resp := kmsg.NewPtrDescribeTransactionsResponse()
		resp.Version = req.GetVersion()
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.TransactionalID, state.State = "sim", left.state
		state.ProducerID, state.ProducerEpoch = left.producer, left.epoch+1
		resp.TransactionStates = append(resp.TransactionStates, state)
		return resp, nil, true
	})
	w.kafka.cluster.ControlKey(kmsg.WriteTxnMarkers.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.kafka.cluster.KeepControl()
		for _, m := range req.(*kmsg.WriteTxnMarkersRequest).Markers {
			if m.Committed {
				left.commits++
			} else {
				left.aborts++
			}
		}
		return nil, nil, false //nolint:nilnil // kfake goes on
	})
	w.kafka.cluster.ControlKey(kmsg.InitProducerID.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.kafka.cluster.KeepControl()
		left.fenced = left.fenced || left.lost
		resp := w.kafka.refuseStaleEpoch(req.(*kmsg.InitProducerIDRequest))
		return resp, nil, resp != nil
	})
}
