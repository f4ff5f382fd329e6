package sink_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"penstock/sink"
	"penstock/sink/storetest"
)

// stopped is a process that is stopped: nothing of it goes on until it is let.
type stopped struct {
	sink.Store

	now  chan struct{} // closed when it is stopped
	once *sync.Once
	on   chan struct{} // closed when it may go on
}

// Apply stops the process before the first write.
func (s stopped) Apply(ctx context.Context, writes []sink.Write) error {
	s.once.Do(func() { close(s.now) })
	<-s.on
	return s.Store.Apply(ctx, writes)
}

func (s stopped) await() {
	select {
	case <-s.now:
		<-s.on
	default:
	}
}

// dial connects so that a stopped process neither sends nor receives.
func (s stopped) dial(ctx context.Context, network, address string) (net.Conn, error) {
	s.await()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	return stoppedConn{conn, s}, err
}

type stoppedConn struct {
	net.Conn

	process stopped
}

func (c stoppedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.process.await()
	return n, err
}

func (c stoppedConn) Write(b []byte) (int, error) {
	c.process.await()
	return c.Conn.Write(b)
}

// TestAStoppedSinkChangesNothing: what it was about to write when it was stopped is old when it
// goes on, for another has taken its partitions and is further; and it commits nothing.
func TestAStoppedSinkChangesNothing(t *testing.T) {
	r, s, model := newRig(t), played(), storetest.NewModel()
	r.produce(s, kgo.TryCommit)
	old := stopped{Store: model, now: make(chan struct{}), once: new(sync.Once), on: make(chan struct{})}
	core, logs := observer.New(zapcore.InfoLevel)
	cfg := r.config()
	cfg.Client = append(cfg.Client, kgo.Dialer(old.dial), kgo.SessionTimeout(time.Second), kgo.HeartbeatInterval(200*time.Millisecond))
	worker, err := sink.New(cfg, model, []sink.Store{old}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1) // one send
	go func() { done <- worker.Run(ctx) }()
	select {
	case <-old.now:
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	}
	if len(model.Result()) > 0 {
		t.Fatal("it has written")
	}

	s.put(someEvent(1, 3))
	s.remove(2)
	s.put(someEvent(3, 1))
	s.putContent(someContent(4, 17))
	s.removeContent(storetest.ContentID(5))
	r.produce(s, kgo.TryCommit)
	r.runUntilDrained(r.config(), model)
	wantEqual(t, s, model)
	var committed [partitions]int64
	for p := range committed {
		committed[p] = r.committed(int32(p))
	}

	close(old.on)
	limit := time.After(30 * time.Second)
	for logs.FilterMessage("partitions moved before their offsets were committed").Len() == 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		case <-limit:
			t.Fatalf("it did not find out: %v", logs.All())
		}
	}
	wantEqual(t, s, model)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for p := range committed {
		if now := r.committed(int32(p)); now != committed[p] {
			t.Errorf("partition %d: offset %d is committed, it was %d", p, now, committed[p])
		}
	}
	wantEqual(t, s, model)
}
