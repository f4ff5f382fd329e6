package sink

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap"

	"penstock/schema/deadletter"
)

// keepDecided is how long a letter stays at least after it was decided.
const keepDecided = 7 * 24 * time.Hour

// sweepEvery is how often decided letters are removed, while records come.
const sweepEvery = time.Hour

// sweep removes now and then the letters of partitions that nobody can meet again.
// What it cannot do now it does the next time: no record's fate depends on it.
func (s *Sink) sweep(ctx context.Context, owners map[int32]*owner) {
	if s.cfg.OnError != DeadLetter || time.Since(s.swept) < sweepEvery {
		return
	}
	s.swept = time.Now()
	removed, err := s.sweepOnce(ctx, owners, time.Now().Add(-s.cfg.KeepDecided))
	switch {
	case err != nil:
		s.log.Info("decided dead letters were not removed", zap.Error(err))
	case removed > 0:
		s.log.Info("removed decided dead letters", zap.Int(keyLetters, removed))
	}
}

func (s *Sink) sweepOnce(ctx context.Context, owners map[int32]*owner, before time.Time) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	starts, err := s.letters.starts(ctx, s.cfg.Topic) // before the letters: it only grows
	if err != nil {
		return 0, err
	}
	var removable []*Filed
	err = s.filed.with(ctx, func(book *Book) {
		for p, o := range owners {
			first := min(starts[p], o.progress().Offset) // what was fetched may be gone from the topic
			removable = append(removable, copies(book.removable(s.cfg.Topic, p, first, before))...)
		}
	})
	if err != nil || len(removable) == 0 {
		return 0, err
	}
	var letters, decisions []posted
	for _, f := range removable {
		letter, decision := deadletter.Removals(f.ID)
		letters = append(letters, posted{message: letter, filed: f, where: f.ID})
		decisions = append(decisions, posted{message: decision, filed: f, where: f.ID})
	}
	if err := s.letters.write(ctx, letters); err != nil {
		return 0, err
	}
	return len(removable), s.letters.write(ctx, decisions)
}

// starts returns the first offset that each partition of a topic still holds.
func (b *Letterbox) starts(ctx context.Context, topic string) (map[int32]int64, error) {
	client, err := b.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListStartOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, kafkaFault(b.where(), "DESCRIBE on topic "+topic, "list offsets", err)
	}
	starts := make(map[int32]int64)
	listed.Each(func(o kadm.ListedOffset) { starts[o.Partition] = o.Offset })
	return starts, nil
}

// removable returns the letters of a partition that were decided before a time
// and that no reader of the partition can meet again: they, and what their
// decisions sent, lie before the first record that anybody can read. Whoever reads
// begins there, where such a letter holds nothing any more, so without
// it the same keys wait.
//
// A letter stays while one before it stays that may be its head: a release frees
// everything behind the head, also what an earlier one had freed.
func (b *Book) removable(topic string, partition int32, first int64, before time.Time) (letters []*Filed) {
	stay := make(map[queueKey]bool)
	for _, f := range b.All() {
		l := f.Letter
		if l.Topic != topic || l.Partition != partition {
			continue
		}
		key := queueOf(l)
		if f.State() != deadletter.Open && !f.scattered && !stay[key] &&
			l.Offset < first && f.sent() < first && f.Decision.Time.Before(before) {
			letters = append(letters, f)
			continue
		}
		stay[key] = true
		stay[queueKey{topic: topic, partition: partition, all: true}] = true
	}
	return letters
}

// forgotten returns letters of captures that were discarded before a time, so
// many at most. Nothing waits for them and nothing sends them again: a capture
// writes its letters in one Kafka transaction with its position.
func (b *Book) forgotten(before time.Time, most int) []*Filed {
	letters := slices.DeleteFunc(b.All(), func(f *Filed) bool {
		return f.Letter.Capture == "" || f.State() != deadletter.Discarded || f.scattered || !f.Decision.Time.Before(before)
	})
	return letters[:min(len(letters), most)]
}
