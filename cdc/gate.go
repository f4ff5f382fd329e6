package cdc

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// kafkaDialTimeout bounds one attempt to reach a broker.
const kafkaDialTimeout = 10 * time.Second

// gate lets the transactional client connect until it has lost a connection. The
// client would send again by itself what was under way, to a broker that may have
// come back from a crash with the last transaction still open (see hanging): the
// records would become part of that one. So nothing is sent again; the capture
// starts anew instead.
type gate struct {
	dial func(ctx context.Context, network, host string) (net.Conn, error)
	once sync.Once
	lost chan struct{} // closed by the first loss
	err  error         // what was lost, written before lost is closed
}

func newGate(cfg *Config) *gate {
	g := &gate{dial: cfg.DialKafka, lost: make(chan struct{})}
	if g.dial == nil {
		g.dial = (&net.Dialer{Timeout: kafkaDialTimeout}).DialContext
	}
	return g
}

// connect is a kgo dialer. A broker that cannot be reached is no loss.
func (g *gate) connect(ctx context.Context, network, host string) (net.Conn, error) {
	select {
	case <-g.lost:
		return nil, g.err
	default:
	}
	conn, err := g.dial(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, gate: g}, nil
}

func (g *gate) lose(conn net.Conn, err error) {
	g.once.Do(func() {
		g.err = fmt.Errorf("the connection to broker %s was lost: %w", conn.RemoteAddr(), err)
		close(g.lost)
	})
}

// until is ctx, or less: it ends when a connection is lost, with that as its cause.
func (g *gate) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with ctx
		select {
		case <-g.lost:
			cancel(g.err)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// answer is the time that Kafka has to answer: wait, or stopGrace from when ctx
// ends, which does not take back what is under way; and no longer than it is
// connected.
func (g *gate) answer(ctx context.Context, wait time.Duration) (context.Context, context.CancelFunc) {
	stopping := ctx.Done()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() { // ends with ctx
		limit := time.NewTimer(wait)
		defer limit.Stop()
		for {
			select {
			case <-stopping:
				wait, stopping = min(wait, stopGrace), nil
				limit.Reset(wait)
				continue
			case <-limit.C:
				cancel(fmt.Errorf("no answer within %s", wait))
			case <-g.lost:
				cancel(g.err)
			case <-ctx.Done():
			}
			return
		}
	}()
	return ctx, func() { cancel(nil) }
}

// watchedConn tells its gate when it breaks. A connection that the client closes,
// because it was idle for long, does not.
type watchedConn struct {
	net.Conn
	gate   *gate
	closed atomic.Bool
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.watch(err)
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.watch(err)
	return n, err
}

func (c *watchedConn) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func (c *watchedConn) watch(err error) {
	if err != nil && !c.closed.Load() {
		c.gate.lose(c.Conn, err)
	}
}
