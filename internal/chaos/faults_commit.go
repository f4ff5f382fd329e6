package chaos

import (
	"context"
	"time"

	"penstock/internal/chaos/proxy"
)

// killBrokerAtCommit kills the broker the moment that it may have been told to
// commit: what comes back may take the transaction for complete and leave it open
// on its partitions.
func killBrokerAtCommit(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for range w.size.Faults {
		if err := pause(ctx, w.between(500*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
		if err := w.inject(ctx); err != nil {
			return err
		}
		pid := w.rig.kafka.PID()
		done, err := w.disturb(ctx, proxy.Rule{Key: proxy.EndTxn, Act: proxy.CutAfterRequest, Nth: 1 + w.random.IntN(3), Times: 1})
		if err != nil {
			return err
		}
		w.rig.kafka.Kill()
		if err := w.mark(ctx); err != nil {
			return err
		}
		if err := w.rig.kafka.Restart(ctx); err != nil {
			return err
		}
		healed := time.Now()
		switch now := w.rig.kafka.PID(); {
		case !done:
			w.miss("%s of EndTxn: none came", proxy.CutAfterRequest)
		case now == pid:
			w.miss("broker %d serves on", pid)
		default:
			w.witness("%s of EndTxn, by the proxy; broker %d was killed, %d serves", proxy.CutAfterRequest, pid, now)
		}
		if err := w.awaitRecovery(ctx, healed); err != nil {
			return err
		}
	}
	return nil
}

// loseEndTxn makes the end of a transaction a thing in doubt: without the answer
// it is committed, without the request it is not, and the daemon sees the same.
func loseEndTxn(ctx context.Context, w *world) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	lost := map[proxy.Act]int{}
	for i := range w.size.Faults {
		if err := pause(ctx, w.between(0, time.Second)); err != nil {
			return err
		}
		act := []proxy.Act{proxy.DropReply, proxy.DropRequest}[i%2]
		if err := w.inject(ctx); err != nil {
			return err
		}
		before, fences, err := w.standing(ctx)
		if err != nil {
			return err
		}
		done, err := w.disturb(ctx, proxy.Rule{Key: proxy.EndTxn, Act: act, Nth: 1 + w.random.IntN(3), Times: 1})
		if err != nil {
			return err
		}
		if !done {
			w.miss("%s of EndTxn: none came", act)
			continue
		}
		healed := time.Now()
		if err := w.mark(ctx); err != nil {
			return err
		}
		lost[act]++
		w.witness("%s of EndTxn, by the proxy", act)
		if err := w.awaitRecovery(ctx, healed); err != nil {
			return err
		}
		if err := w.checkAnew(ctx, before, fences); err != nil {
			return err
		}
	}
	w.figure("indoubt_committed", lost[proxy.DropReply])
	w.figure("indoubt_lost", lost[proxy.DropRequest])
	return nil
}

// disturb arms a rule until it has acted once, and reports whether it did.
func (w *world) disturb(ctx context.Context, rule proxy.Rule) (bool, error) {
	armed := w.rig.broker.Arm(rule)
	defer armed.Disarm()
	waiting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := armed.Await(waiting, 1); err != nil {
		return false, ctx.Err()
	}
	return true, nil
}

// standing is who streams from the slot, and how many producers were fenced.
func (w *world) standing(ctx context.Context) (walsender, fences int, err error) {
	walsender, err = w.source.walsender(ctx)
	return walsender, w.fences.count(), err
}

// checkAnew wants the one way out of doubt: the slot taken anew, and a fence.
func (w *world) checkAnew(ctx context.Context, walsender, fences int) error {
	now, fenced, err := w.standing(ctx)
	switch {
	case err != nil:
		return err
	case now == walsender:
		w.wrong(Fence, "a transaction was in doubt, and walsender %d streams on", now)
	case fenced == fences:
		w.wrong(Fence, "a transaction was in doubt, and no producer was fenced")
	}
	return nil
}
