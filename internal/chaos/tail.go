package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/schema"
	"penstock/schema/record"
)

// tail follows the position topic as a read-committed consumer does: what a
// position covers is visible when the position is.
type tail struct {
	client *kgo.Client
	key    string
	end    context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	position schema.Position
	records  int           // positions seen
	changed  chan struct{} // closed and replaced at every position
	err      error
}

// follow reads the topic, which must exist, at the brokers until close.
func follow(ctx context.Context, brokers []string, topic, key string) (*tail, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(200*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
	)
	if err != nil {
		return nil, fmt.Errorf("follow %s: %w", topic, err)
	}
	t := &tail{client: client, key: key, changed: make(chan struct{}), done: make(chan struct{})}
	ctx, t.end = context.WithCancel(context.WithoutCancel(ctx))
	go func() { // joined by close
		defer close(t.done)
		t.run(ctx)
	}()
	return t, nil
}

func (t *tail) run(ctx context.Context) {
	for ctx.Err() == nil {
		// An error is that of a broker which is down: the client goes on when it is back.
		t.client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if string(r.Key) == t.key {
				t.take(r.Value)
			}
		})
	}
}

func (t *tail) take(value []byte) {
	position, err := record.ParsePosition(value)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.err = err
	} else {
		t.position = position
	}
	t.records++
	close(t.changed)
	t.changed = make(chan struct{})
}

// last is the newest position that was seen, and how many there were.
func (t *tail) last() (schema.Position, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position, t.records
}

// follow returns when the position is as wanted.
func (t *tail) follow(ctx context.Context, wanted func(schema.Position) bool) error {
	return t.until(ctx, func() bool { return wanted(t.position) })
}

// until returns when the condition, asked under the lock after each position, holds.
func (t *tail) until(ctx context.Context, holds func() bool) error {
	for {
		t.mu.Lock()
		ok, err, changed, at := holds(), t.err, t.changed, t.position.EndLSN
		t.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the position stands at %s: %w", at, context.Cause(ctx))
		}
	}
}

func (t *tail) close() {
	t.end()
	<-t.done
	t.client.Close()
}
