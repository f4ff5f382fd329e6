package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

const (
	tendEvery   = 100 * time.Millisecond // how often lanes are looked after while no records come
	rejoinEvery = 5 * time.Millisecond   // how often rows are joined again while no records come
	mergeWait   = time.Second            // how long a step waits for lanes that are nearly there
)

// errHeld says that an owner cannot go on without a store that is behind.
var errHeld = errors.New("waits for a store that is behind")

// leaveBehind takes the stores that do not answer out of the owner's, as long as
// another is left, and reports whether there were any. Everything below o.next is
// durable in them; what comes then is their lanes'.
func (o *owner) leaveBehind(s *Sink) bool {
	answers := func(store Store) bool {
		g, isGuarded := store.(*guarded)
		if !isGuarded {
			return true
		}
		open, _ := g.isOpen()
		return !open
	}
	if !slices.ContainsFunc(o.stores, answers) {
		return false
	}
	before := len(o.stores)
	o.stores = slices.DeleteFunc(o.stores, func(store Store) bool {
		if answers(store) {
			return false
		}
		o.lanes = append(o.lanes, newLane(s, store.(*guarded), o.below())) //nolint:forcetypeassert // only these do not answer
		s.log.Info("goes on without a store", zap.String(keyStore, store.Name()), zap.Int32(keyPartition, o.partition), zap.Int64(keyOffset, o.next))
		return true
	})
	return len(o.stores) < before
}

// sees returns errHeld if the store that is read is behind: it does not know of
// the partition what the owner needs to know.
func (o *owner) sees() error {
	for _, l := range o.lanes {
		if l.store.reads {
			return errHeld
		}
	}
	return nil
}

// blind reports whether the store that is read is behind.
func (o *owner) blind() bool { return errors.Is(o.sees(), errHeld) }

// whole returns errHeld if any store is behind, or rows are being joined again.
func (o *owner) whole() error {
	switch {
	case len(o.lanes) > 0:
		return errHeld
	case len(o.rejoins) > 0: // it would find their rows
		return errRejoining
	}
	return nil
}

// hold keeps the records that are not durable.
func (o *owner) hold(records []*kgo.Record) {
	o.held = slices.DeleteFunc(slices.Clone(records), func(r *kgo.Record) bool { return r.Offset < o.next })
}

// progress is how far the partition has come in every store.
func (o *owner) progress() Progress {
	p := o.below()
	p.Rejoins = o.rejoinProgress()
	below := p.Offset
	stores := make(map[string]int64, len(o.stores)+len(o.lanes))
	for _, store := range o.stores {
		stores[store.Name()] = below
	}
	for _, l := range o.lanes {
		at, _ := l.position()
		stores[l.store.Name()] = at.Offset
		if at.Offset < p.Offset {
			at.Rejoins = p.Rejoins
			p = at
		}
	}
	p.Stores = stores
	return p
}

// merge gives the owner a lane's store back, when both have come equally far.
func (o *owner) merge(ctx context.Context, l *lane) error {
	l.stop()
	waiting, err := l.sink.waitingAt(ctx, o.partition, o.next) // with the letters of both
	if err != nil {
		return err
	}
	o.waiting = waiting
	if l.owner != nil {
		for join, version := range l.owner.begun {
			o.begun[join] = max(o.begun[join], version)
		}
	}
	o.lanes = slices.DeleteFunc(o.lanes, func(other *lane) bool { return other == l })
	o.stores = append(o.stores, l.store)
	o.totals.forget() // the lane has written some, and what was settled of records that are not durable yet it has not
	l.sink.log.Info("store has caught up", zap.String(keyStore, l.store.Name()), zap.Int32(keyPartition, o.partition), zap.Int64(keyOffset, o.next))
	return nil
}

// waitingAt returns the keys that wait where a partition's record at offset is the next.
func (s *Sink) waitingAt(ctx context.Context, partition int32, offset int64) (waiting map[string]string, err error) {
	err = s.withBook(ctx, func(book *Book) { waiting = book.waiting(s.cfg.Topic, partition, offset) })
	return waiting, err
}

// withBook brings the book of letters up to date and works on it, as [reading.with] does; on an empty one where there is no topic of
// letters. It waits for Kafka.
func (s *Sink) withBook(ctx context.Context, work func(*Book)) error {
	if s.letters == nil {
		work(newBook())
		return nil
	}
	return s.patience().Do(ctx, s.kafka(), func(ctx context.Context) error { return s.filed.with(ctx, work) })
}

// catchUp learns of the letters that there are by now. Who reads behind an owner has to know of all that it has
// filed of what comes.
func (s *Sink) catchUp(ctx context.Context) error { return s.withBook(ctx, func(*Book) {}) }

// work is the records of a poll, with those that were held and are not any more.
func (c *consumer) work(fetches kgo.Fetches) map[int32][]*kgo.Record {
	work := make(map[int32][]*kgo.Record)
	for partition, o := range c.owners {
		if len(o.held) > 0 && len(o.lanes) == 0 && (len(o.rejoins) == 0 || !errors.Is(o.heldFor, errRejoining)) {
			work[partition] = o.held
			o.held = nil
		}
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		if o := c.owners[p.Partition]; len(o.held) > 0 {
			o.held = append(o.held, p.Records...)
			return
		}
		work[p.Partition] = append(work[p.Partition], p.Records...)
	})
	return work
}

// tend starts lanes and ends those that have caught up. Its error is what ended a
// lane, or that of a store without which nothing has moved for [Config.Wait].
func (c *consumer) tend(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, mergeWait)
	defer cancel()
	var stuck *lane
	held := false
	c.tends, c.rejoins = false, false
	for partition, o := range c.owners {
		for _, l := range slices.Clone(o.lanes) {
			if err := c.tendLane(ctx, soon, o, l); err != nil {
				return err
			}
		}
		c.pause(partition, o)
		o.fit()
		c.tends = c.tends || len(o.lanes) > 0 || len(o.held) > 0 || len(o.rejoins) > 0
		c.rejoins = c.rejoins || len(o.rejoins) > 0
		held = held || len(o.held) > 0
		if len(o.held) > 0 && len(o.lanes) > 0 {
			stuck = o.lanes[0]
		}
	}
	c.sayOverdue()
	if wait := c.sink.cfg.Wait; !held {
		c.moved = time.Now()
	} else if stuck != nil && time.Since(c.moved) >= wait {
		return away(stuck.store, wait)
	}
	return nil
}

// holds reports whether any partition cannot go on.
func (c *consumer) holds() bool {
	for _, o := range c.owners {
		if len(o.held) > 0 {
			return true
		}
	}
	return false
}

// pause lets no more records of a partition come while it is held.
func (c *consumer) pause(partition int32, o *owner) {
	set := map[string][]int32{c.sink.cfg.Topic: {partition}}
	switch held := len(o.held) > 0; {
	case held && !o.paused:
		c.client.PauseFetchPartitions(set)
	case !held && o.paused:
		c.client.ResumeFetchPartitions(set)
	}
	o.paused = len(o.held) > 0
}

// sayOverdue says once of a store that it is away for long, and what it lacks.
func (c *consumer) sayOverdue() {
	for _, store := range c.sink.stores {
		g := store.(*guarded) //nolint:forcetypeassert // New has made them
		since, err := g.overdue(c.sink.cfg.Wait)
		if err == nil {
			continue
		}
		lacks := make(map[int32]int64)
		for partition, o := range c.owners {
			for _, l := range o.lanes {
				if at, _ := l.position(); l.store == g {
					lacks[partition] = at.Offset
				}
			}
		}
		c.sink.log.Warn("store stays away, the others go on without it", zap.String(keyStore, g.Name()), zap.Duration(keyWaited, time.Since(since)),
			zap.Any(keyOffsets, lacks), zap.Error(err))
	}
}

// tendLane starts a lane, or ends it when it has caught up, for which it waits
// until soon ends if that is near.
func (c *consumer) tendLane(ctx, soon context.Context, o *owner, l *lane) error {
	if l.ended == nil {
		l.start(ctx, c)
	}
	target := o.next
	if !l.store.reads { // it follows the history, which has the rows of a rejoin at its end only
		target = o.below().Offset
	}
	l.raise(target)
	for {
		open, ready := l.store.isOpen()
		at, err := l.position()
		switch {
		case err != nil:
			return err
		case at.Offset == o.next && target == o.next && ready:
			return o.merge(ctx, l)
		case open || o.next-at.Offset > int64(c.sink.cfg.Batch):
			return nil
		}
		select {
		case <-l.moved:
		case <-soon.Done():
			return nil
		}
	}
}

// progress is that of the partitions which have come forward since the last commit.
// At the end it tells all.
func (c *consumer) progress(ctx context.Context) (list []Progress) {
	for _, o := range c.owners {
		p := o.progress()
		told := ctx.Err() == nil && time.Since(o.toldAt) < rejoinTold || slices.Equal(p.Rejoins, o.reported.Rejoins)
		if p.Offset != o.reported.Offset || !maps.Equal(p.Stores, o.reported.Stores) || !told {
			o.toldAt = time.Now()
			list = append(list, p)
		}
	}
	if len(list) > 0 {
		c.moved = time.Now()
	}
	return list
}

// away is the fault of a store without which nothing has moved for so long.
func away(store *guarded, wait time.Duration) error {
	if err := store.failure(); err != nil {
		return gaveUp(err, wait)
	}
	return fmt.Errorf("store %s is behind", store.Name()) // it answers, and has not caught up
}
