package simulation_test

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/schema"
)

const (
	trapPatience = 5 * time.Second // for a trap that may never be sprung
	turnPatience = time.Minute     // for one that will be
	stopPatience = 3 * time.Minute // for a capture that is asked to stop
	catchUp      = 10 * time.Minute
)

// play lets captures live and die for a number of incidents while transactions
// are written, and then one live in peace until it has delivered everything.
func (w *world) play(incidents int) {
	writing, stop := context.WithCancel(w.ctx)
	defer stop()
	w.captures.Go(func() { w.write(writing) })
	w.captures.Go(func() { w.save(writing) })

	var alive *life
	var zombies []*life
	for i := range incidents {
		if alive == nil {
			alive = w.begin()
		}
		t := w.trap()
		if i == 0 {
			t = w.turn()
		}
		if !w.happens(alive, t) {
			continue
		}
		switch t.blow {
		case blowBreak, blowPostgres, blowPromote, blowWalsender, blowKafka:
			alive.troubled = true
		case blowCrash:
			alive.stop()
			alive = nil
			w.pause(1500)
		case blowStop:
			w.stopped(alive)
			alive = nil
		case blowIsolate:
			zombies = append(zombies, alive)
			w.haunt(alive)
			alive = nil
		}
	}
	stop()
	for _, z := range zombies {
		z.kill()
	}
	if alive == nil || replaced(alive) {
		alive = w.begin()
	}
	w.finish(alive)
}

// replaced reports whether a life has ended because another capture took its
// place, as a zombie may that has found its way back.
func replaced(l *life) bool {
	select {
	case <-l.ended:
		return fault.KindOf(l.err) == fault.Refused && strings.Contains(l.err.Error(), "taken over")
	default:
		return false
	}
}

// write appends to the log until ctx ends, once there is a slot: in bursts, with
// quiet times between them.
func (w *world) write(ctx context.Context) {
	w.postgres.awaitSlot(ctx)
	for ctx.Err() == nil {
		wait := time.Duration(w.author.rand.IntN(800)) * time.Millisecond
		switch dice := w.author.rand.IntN(60); {
		case dice == 0:
			wait = time.Duration(w.author.rand.IntN(6000)) * time.Millisecond
		case dice < 20:
			wait = 0
		}
		if wait > 0 && await(ctx.Done(), wait) {
			return
		}
		w.author.write()
	}
}

// save lets Postgres save the slot from time to time.
func (w *world) save(ctx context.Context) {
	for turn := 1; !await(ctx.Done(), time.Duration(turn%7)*time.Second); turn++ {
		w.postgres.checkpoint()
	}
}

func (w *world) begin() *life {
	l, err := w.start()
	if err != nil {
		panic(err) // the configuration is ours
	}
	l.troubled = w.postgres.isDown()
	return l
}

// pause lets up to so many milliseconds pass, or none.
func (w *world) pause(most int) {
	if w.rand.IntN(2) == 0 {
		await(w.ctx.Done(), time.Duration(w.rand.IntN(most))*time.Millisecond)
	}
}

// happens waits for the trap to be sprung by a life.
func (w *world) happens(l *life, t *trap) bool {
	limit := trapPatience
	if t.point != "" && t.nth == 1 {
		limit = turnPatience
	}
	l.host.arm(t)
	if t.point == cdc.FailStopping {
		l.stop()
	}
	if t.moment == atTime {
		await(l.ended, time.Duration(w.rand.IntN(3000))*time.Millisecond)
		if s, sprung := l.host.meets(atTime, anyTime); sprung {
			l.host.strike(s, nil)
		}
	}
	patience := time.NewTimer(limit)
	defer patience.Stop()
	select {
	case <-t.struck:
		return true
	case <-l.ended:
		if t.point == cdc.FailStopping {
			t.blow = blowStop
			return true
		}
		if !replaced(l) {
			w.problem("a capture gave up: %v", l.err)
		}
		t.blow = blowCrash
		return true
	case <-patience.C:
		l.host.arm(nil)
		return false
	}
}

// stopped checks a graceful stop: it ends well, unless the capture is about to
// recover from something.
func (w *world) stopped(l *life) {
	l.stop()
	if !await(l.ended, stopPatience) {
		w.problem("a capture did not stop within %s", stopPatience)
		l.host.cut()
		return
	}
	if l.err != nil && !(l.troubled && fault.KindOf(l.err) == fault.Unreachable) {
		w.problem("a graceful stop: %v", l.err)
	}
}

// haunt gives a zombie some time, in which it may find the way back to Postgres.
func (w *world) haunt(l *life) {
	if w.rand.IntN(2) == 0 {
		time.AfterFunc(time.Duration(w.rand.IntN(30_000))*time.Millisecond, l.host.heal)
	}
	time.AfterFunc(time.Duration(w.rand.IntN(60_000))*time.Millisecond, l.kill)
}

// finish waits until everything is delivered, and ends the last life.
func (w *world) finish(l *life) {
	l.host.arm(nil)
	l.host.heal()
	end := max(w.lastCommit(), firstLSN) // a first position is written in any case
	if w.beating() {
		end = w.wal.emit("penstock", "") // who comes this far has recovered, also if all was delivered before it broke
	}
	stirred := time.Now()
	for began := time.Now(); ; {
		if time.Since(stirred) > time.Minute { // at rest a capture does not notice that it has lost Kafka
			w.postgres.wal.emit("penstock", "")
			stirred = time.Now()
		}
		position, err := w.kafka.committed(w.ctx)
		if err != nil {
			w.problem("read the position: %v", err)
		}
		if position.EndLSN >= end && w.postgres.confirmed() == position.EndLSN && l.host.leading() && w.postgres.held() {
			break
		}
		if await(l.ended, 100*time.Millisecond) {
			w.problem("the last capture gave up: %v", l.err)
			return
		}
		if time.Since(began) > catchUp {
			w.problem("not delivered within %s: the log ends at %s, the position is %s, confirmed is %s",
				catchUp, end, position.EndLSN, w.postgres.confirmed())
			break
		}
	}
	l.troubled = false
	w.stopped(l)
	if position, err := w.kafka.committed(w.ctx); err != nil || position.EndLSN != w.postgres.confirmed() {
		w.problem("after a graceful stop confirmed is %s, the position %s (%v)", w.postgres.confirmed(), position.EndLSN, err)
	}
}

// lastCommit is where the last commit ends.
func (w *world) lastCommit() schema.LSN {
	commits := w.wal.commits()
	if len(commits) == 0 {
		return 0
	}
	return commits[len(commits)-1].end
}

// turn is a crash at the failpoint whose turn it is, so that a few runs have all.
func (w *world) turn() *trap {
	points := cdc.Failpoints()
	return &trap{moment: atFailpoint, point: points[w.seed%uint64(len(points))], nth: 1, blow: blowCrash}
}

// trap draws the next incident.
func (w *world) trap() *trap {
	keys := []kmsg.Key{
		kmsg.EndTxn, kmsg.EndTxn, kmsg.EndTxn, kmsg.Produce, kmsg.Produce, kmsg.InitProducerID, kmsg.InitProducerID,
		kmsg.Metadata, kmsg.ListOffsets, kmsg.Fetch, kmsg.FindCoordinator, kmsg.DescribeConfigs,
	}
	points := cdc.Failpoints()
	t := &trap{
		nth: 1 + w.rand.IntN(6), key: keys[w.rand.IntN(len(keys))].Int16(),
		blow: []blow{blowCrash, blowCrash, blowCrash, blowCrash, blowBreak, blowBreak, blowIsolate, blowPostgres, blowPromote}[w.rand.IntN(9)],
	}
	switch dice := w.rand.IntN(20); {
	case dice < 6:
		t.moment, t.nth = atOperation, 1+w.rand.IntN(180)
	case dice < 13:
		t.moment, t.point = atFailpoint, points[w.rand.IntN(len(points))]
	case dice < 15:
		t.moment = atRequest
	case dice < 18:
		t.moment = atReply
	default:
		t.moment = atTime
		t.blow = []blow{blowStop, blowWalsender, blowPostgres, blowIsolate, blowKafka}[w.rand.IntN(5)]
	}
	switch {
	case t.point == cdc.FailStopping:
		t.blow, t.nth = blowCrash, 1
	case w.rare(t):
		t.nth = 1
	}
	return t
}

// rare reports whether a capture passes the moment once or twice in a life.
func (w *world) rare(t *trap) bool {
	switch t.moment {
	case atFailpoint:
		return slices.Contains([]cdc.Failpoint{cdc.FailLeased, cdc.FailFenced, cdc.FailPositionRead, cdc.FailIdle}, t.point)
	case atRequest, atReply:
		return t.key != kmsg.EndTxn.Int16() && t.key != kmsg.Produce.Int16()
	}
	return false
}
