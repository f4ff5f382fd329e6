package cdc_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"penstock/cdc"
)

// cableKind is one of the two servers.
type cableKind int

const (
	postgresCable cableKind = iota
	kafkaCable
)

var errCut = errors.New("the test cut the cable")

// cables are a capture's connections, which can be cut, frozen and left half open.
type cables struct {
	mu     sync.Mutex
	conns  map[cableKind][]*cable // guarded by mu
	down   bool                   // guarded by mu: nothing can be dialled
	frozen [2]chan struct{}       // guarded by mu: closed when the kind is not frozen
}

func newCables(t *testing.T) *cables {
	w := &cables{conns: map[cableKind][]*cable{}}
	for i := range w.frozen {
		w.frozen[i] = make(chan struct{})
		close(w.frozen[i])
	}
	t.Cleanup(w.cut) // what was left half open too
	return w
}

// plug puts the cables between a capture and its servers.
func (w *cables) plug(cfg *cdc.Config) {
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return w.dial(ctx, postgresCable, network, address)
	}
	cfg.DialKafka = func(ctx context.Context, network, address string) (net.Conn, error) {
		return w.dial(ctx, kafkaCable, network, address)
	}
}

func (w *cables) dial(ctx context.Context, kind cableKind, network, address string) (net.Conn, error) {
	c := &cable{wires: w, kind: kind}
	if err := c.await(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, errCut
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.Conn = conn
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns[kind] = append(w.conns[kind], c)
	return c, nil
}

// cut ends every connection at once and lets none begin: a kill -9, as the servers see it.
func (w *cables) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, conns := range w.conns {
		for _, c := range conns {
			_ = c.Conn.Close() // closed before is as good
		}
	}
}

func (w *cables) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// freeze stops every byte of some connections in both directions; of all of them
// when the process stands still.
func (w *cables) freeze(kinds ...cableKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, kind := range kinds {
		w.frozen[kind] = make(chan struct{})
	}
}

func (w *cables) thaw(kind cableKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.frozen[kind])
}

// thawLater thaws a moment after the other kind, for that to come first.
func (w *cables) thawLater(kind cableKind) { time.AfterFunc(time.Second, func() { w.thaw(kind) }) }

// abandon makes the capture's side of all connections fail, and leaves the server's open.
func (w *cables) abandon(kind cableKind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns[kind] {
		c.abandon()
	}
}

// cable is one connection.
type cable struct {
	net.Conn
	wires *cables
	kind  cableKind

	mu   sync.Mutex
	gone bool // guarded by mu
}

func (c *cable) await() error {
	c.wires.mu.Lock()
	frozen := c.wires.frozen[c.kind]
	c.wires.mu.Unlock()
	<-frozen
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return errCut
	}
	return nil
}

func (c *cable) abandon() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	_ = c.Conn.SetDeadline(time.Unix(1, 0)) // wakes who waits in it
}

func (c *cable) Read(b []byte) (int, error) {
	if err := c.await(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(b)
	if err == nil {
		err = c.await() // what has come stays outside a process that stands still
	}
	return n, err
}

func (c *cable) Write(b []byte) (int, error) {
	if err := c.await(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// Close keeps an abandoned connection open on the server's side.
func (c *cable) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil
	}
	return c.Conn.Close()
}
