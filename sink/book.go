package sink

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema/deadletter"
)

// Filed is a letter with what was decided of it.
type Filed struct {
	ID       string
	Letter   *deadletter.Letter
	Decision *deadletter.Decision // the last one; nil for none
	Home     int32                // the partition of the letters' topic that both lie in

	at, decidedAt int64 // their offsets there
	size          int   // the bytes of the letter's value and headers, and of the decision's value
	corrected     bool  // the decision has a value
	scattered     bool  // the letter lies in another partition, too
}

// State is what has become of the letter.
func (f *Filed) State() deadletter.State {
	if f.Decision == nil {
		return deadletter.Open
	}
	return f.Decision.State
}

// sent is the offset of what the decision sent to the letter's partition, -1 for nothing.
func (f *Filed) sent() int64 {
	if f.Decision == nil {
		return -1
	}
	return f.Decision.Sent
}

// Book is the letters by id: the topic, folded. A letter that was written twice
// is there once. Of records it has the keys only, and of decisions no values:
// see [Letterbox.Visit].
type Book struct {
	letters   map[string]*Filed
	decisions map[string]decided
	held      map[place]*Filed // the first of each record that keys wait for, or waited
	// Foreign counts the records of the topic that are neither letters nor decisions.
	Foreign int
}

// place is where a record lies. By its timestamp it is told from that of a topic that was before.
type place struct {
	topic     string
	partition int32
	offset    int64
	timestamp int64 // milliseconds since the Unix epoch
}

func placeOf(l *deadletter.Letter) place { return place{l.Topic, l.Partition, l.Offset, l.Timestamp} }

// decided is a decision without its value, and where it lies.
type decided struct {
	decision *deadletter.Decision
	at       int64
	value    int // bytes; -1 for none
}

func newBook() *Book {
	return &Book{letters: make(map[string]*Filed), decisions: make(map[string]decided), held: make(map[place]*Filed)}
}

// take files the next record of the topic.
func (b *Book) take(r *kgo.Record) {
	m := messageOf(r)
	if m.Value == nil {
		b.remove(deadletter.Removed(m))
		return
	}
	l, d, err := deadletter.Parse(m)
	switch {
	case err != nil:
		b.Foreign++
	case l != nil:
		f := &Filed{ID: l.ID(), Letter: l, Home: r.Partition, at: r.Offset, size: len(m.Value)}
		for _, h := range m.Headers {
			f.size += len(h.Key) + len(h.Value)
		}
		l.Record.Value, l.Record.Headers = nil, nil
		if old := b.letters[f.ID]; old != nil {
			f.scattered = old.scattered || old.Home != f.Home
		}
		b.letters[f.ID] = f
		b.settle(f)
		b.hold(f)
	default:
		entry := decided{decision: d, at: r.Offset, value: -1}
		if d.Value != nil {
			entry.value = len(d.Value)
			d.Value = nil
		}
		b.decisions[d.ID] = entry
		if f := b.letters[d.ID]; f != nil {
			b.settle(f)
		}
	}
}

// hold notes whether keys wait for a letter. Of a record that has two, as of a pipeline that has another name since,
// it is the one that [Book.All] has first.
func (b *Book) hold(f *Filed) {
	at := placeOf(f.Letter)
	other := b.held[at]
	same := other != nil && other.ID == f.ID
	switch {
	case !f.Letter.Holds() && same:
		delete(b.held, at)
	case f.Letter.Holds() && (other == nil || same || inOrder(f, other) < 0):
		b.held[at] = f
	}
}

// holding is the letter of a record that its key waits for behind it, nil for none.
func (b *Book) holding(r *kgo.Record) *Filed {
	f := b.held[place{r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli()}]
	if f == nil || f.State() != deadletter.Open && f.sent() <= r.Offset {
		return nil
	}
	return f
}

// settle notes of a letter what was decided of it last.
func (b *Book) settle(f *Filed) {
	entry, found := b.decisions[f.ID]
	if !found {
		return
	}
	f.Decision, f.decidedAt, f.corrected = entry.decision, entry.at, entry.value >= 0
	f.size += max(entry.value, 0)
}

func (b *Book) remove(id string, decision bool) {
	if !decision {
		if f := b.letters[id]; f != nil && b.held[placeOf(f.Letter)] == f {
			delete(b.held, placeOf(f.Letter))
		}
		delete(b.letters, id)
		return
	}
	delete(b.decisions, id)
	if f := b.letters[id]; f != nil {
		f.Decision, f.corrected = nil, false
	}
}

func messageOf(r *kgo.Record) deadletter.Message {
	m := deadletter.Message{Key: r.Key, Value: r.Value, Headers: make([]deadletter.Header, len(r.Headers))}
	for i, h := range r.Headers {
		m.Headers[i] = deadletter.Header(h)
	}
	return m
}

// Find returns the letter with the id, nil for none.
func (b *Book) Find(id string) *Filed { return b.letters[id] }

// All returns every letter, by topic, partition, offset, LSN and seq: in the order
// of a key's changes, also where the pipeline has another name since.
func (b *Book) All() []*Filed {
	all := make([]*Filed, 0, len(b.letters))
	for _, f := range b.letters {
		all = append(all, f)
	}
	slices.SortFunc(all, inOrder)
	return all
}

func inOrder(x, y *Filed) int {
	return cmp.Or(
		cmp.Compare(x.Letter.Topic, y.Letter.Topic),
		cmp.Compare(x.Letter.Partition, y.Letter.Partition), cmp.Compare(x.Letter.Offset, y.Letter.Offset),
		cmp.Compare(x.Letter.LSN, y.Letter.LSN), cmp.Compare(x.Letter.Seq, y.Letter.Seq),
		cmp.Compare(x.Letter.Origin(), y.Letter.Origin()), cmp.Compare(x.ID, y.ID),
	)
}

// Heads returns the letters that keys wait for now.
func (b *Book) Heads() []*Filed {
	return slices.DeleteFunc(b.All(), func(f *Filed) bool { return !f.Letter.Holds() || f.State() != deadletter.Open })
}

// Queue is what waits for what in a book as it is.
type Queue struct {
	heads   map[queueKey]*Filed
	waiting map[queueKey]int
}

// queueKey is a key of a partition; that without a key stands for all of them.
type queueKey struct {
	topic     string
	partition int32
	key       string
	all       bool
}

func queueOf(l *deadletter.Letter) queueKey {
	return queueKey{topic: l.Topic, partition: l.Partition, key: string(l.Record.Key), all: l.Record.Key == nil}
}

// Queue counts what waits.
func (b *Book) Queue() *Queue {
	q := &Queue{heads: make(map[queueKey]*Filed), waiting: make(map[queueKey]int)}
	for _, head := range b.Heads() { // the first of a key is what it waits for
		key := queueOf(head.Letter)
		everybodys := queueKey{topic: key.topic, partition: key.partition, all: true}
		for _, k := range []queueKey{key, everybodys} {
			if q.heads[k] == nil {
				q.heads[k] = head
			}
		}
	}
	for _, f := range b.letters {
		if f.waits() {
			q.waiting[queueOf(f.Letter)]++
		}
	}
	return q
}

func (f *Filed) waits() bool {
	return f.Letter.Reason == deadletter.Waits && f.State() == deadletter.Open
}

// Head returns the letter that another waits for now, which may not be the one
// of [deadletter.Letter.Behind] any more. It is nil for a letter that does not
// wait, and for one whose key's release was sent.
func (q *Queue) Head(f *Filed) *Filed {
	head := q.heads[queueOf(f.Letter)]
	if head == nil || !f.waits() || head.Letter.Offset > f.Letter.Offset {
		return nil
	}
	return head
}

// Waiting returns how many later records of the key wait for a letter.
func (q *Queue) Waiting(f *Filed) int {
	if key := queueOf(f.Letter); q.heads[key] != nil && q.heads[key].ID == f.ID {
		return q.waiting[key]
	}
	return 0
}

// waiting returns the keys of a partition that wait when its record at next is
// the next to be processed, each with the letter that it waits for. It is a
// function of the log alone, so every owner of the partition finds the same: a
// key waits from its letter's offset to the offset of its release.
func (b *Book) waiting(topic string, partition int32, next int64) map[string]string {
	keys := make(map[string]string)
	for _, f := range b.All() {
		l := f.Letter
		if l.Topic != topic || l.Partition != partition || l.Offset >= next || !l.Holds() {
			continue
		}
		if f.State() != deadletter.Open && f.sent() < next {
			continue
		}
		if _, found := keys[string(l.Record.Key)]; !found {
			keys[string(l.Record.Key)] = f.ID
		}
	}
	return keys
}

// chain returns, in order, the letters that the release at an offset sets free:
// those of the head's key from the head on, and the truncations among them,
// which have no key. A topic is one pipeline's, which may have had another name. What is discarded stays out, and so does what was no change.
func (b *Book) chain(head *Filed, release int64) []*Filed {
	chain := slices.DeleteFunc(b.All(), func(f *Filed) bool {
		l, h := f.Letter, head.Letter
		if l.Topic != h.Topic || l.Partition != h.Partition || l.Offset < h.Offset || l.Offset >= release {
			return true
		}
		if f.State() == deadletter.Discarded || !l.Reason.Holds() && l.Reason != deadletter.Waits {
			return true
		}
		return l.Record.Key != nil && string(l.Record.Key) != string(h.Record.Key)
	})
	return copies(chain)
}

// copies are letters that the book does not change any more.
func copies(letters []*Filed) []*Filed {
	for i, f := range letters {
		own := *f
		letters[i] = &own
	}
	return letters
}
