package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const dialTimeout = 5 * time.Second // on loopback an answer or a refusal comes at once

// Protocol is what a proxy understands of the bytes that it carries.
type Protocol int

const (
	// Raw is bytes only.
	Raw Protocol = iota
	// Kafka is Kafka's, in plain text.
	Kafka
	// Postgres is Postgres', in plain text, with its streaming replication.
	Postgres
)

// Direction is one of the two in which a connection carries bytes.
type Direction int

const (
	// ToServer is from the client to the server.
	ToServer Direction = iota
	// ToClient is from the server to the client.
	ToClient
	directions
)

// Options are what does not change in a proxy's life.
type Options struct {
	Target   string   // the server, as host:port; when empty, clients are turned away until SetTarget
	Protocol Protocol // of the server
	Seed     uint64   // of everything that is random; each direction of each connection has a source of its own
}

// Proxy carries connections from an address of its own to a server. All its methods may be called at any time, from any
// goroutine. Close ends it.
type Proxy struct {
	listener *net.TCPListener
	protocol Protocol
	seed     uint64
	cancel   context.CancelFunc
	running  sync.WaitGroup // the accepting goroutine and one for each link

	shapes      [directions]atomic.Pointer[shape]
	replication atomic.Pointer[Replication]
	rules       rulebook
	stats       counters

	mu       sync.Mutex
	target   string             // guarded by mu
	refusing bool               // guarded by mu
	closed   bool               // guarded by mu
	number   uint64             // guarded by mu; of the last connection
	links    map[*link]struct{} // guarded by mu
	errs     []error            // guarded by mu
}

// Listen starts a proxy on a free port of loopback. The end of ctx resets its connections and ends it, like Close, which has
// to be called all the same.
func Listen(ctx context.Context, opts Options) (*Proxy, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	listener, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("listen: %T is not for TCP", l), l.Close())
	}
	p := &Proxy{
		listener: listener, protocol: opts.Protocol, seed: opts.Seed, target: opts.Target,
		links: map[*link]struct{}{},
	}
	for d := range directions {
		p.shapes[d].Store(newShape(Toxics{}))
	}
	p.replication.Store(&Replication{})
	ctx, p.cancel = context.WithCancel(ctx)
	p.running.Go(func() { p.run(ctx) })
	return p, nil
}

// Addr is the host:port that clients connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetTarget changes the server of connections to come; those that are open stay with theirs.
func (p *Proxy) SetTarget(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = address
}

// Refuse resets connections to come when they are accepted, until it is called with false.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = on
}

// ResetAll resets every open connection on both sides and returns how many that were.
func (p *Proxy) ResetAll() int {
	reset := 0
	for _, l := range p.open() {
		if l.cut(true) {
			p.stats.add(func(s *Stats) { s.Resets++ })
			reset++
		}
	}
	return reset
}

// SetToxics replaces the toxics of one direction, for open connections too.
func (p *Proxy) SetToxics(d Direction, t Toxics) {
	close(p.shapes[d].Swap(newShape(t)).changed)
}

// ClearToxics lets bytes flow in both directions. A connection that has lost bytes is reset: no network mends that.
func (p *Proxy) ClearToxics() {
	for d := range directions {
		p.SetToxics(d, Toxics{})
	}
}

// Err returns what the proxy could not understand of the protocol, or why it accepts no more, joined, or nil. A connection
// that is not understood is carried on as raw bytes from there.
func (p *Proxy) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

// Stats returns what has happened so far.
func (p *Proxy) Stats() Stats { return p.stats.snapshot() }

// Close resets all connections and returns when no goroutine of the proxy is left, with Err.
func (p *Proxy) Close() error {
	p.cancel()
	p.running.Wait()
	return p.Err()
}

// run accepts until ctx ends, or reports why it cannot. Then nothing is left of the proxy.
func (p *Proxy) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { _ = p.listener.Close() })
	defer stop()
	for {
		conn, err := p.listener.AcceptTCP()
		if err != nil {
			if ctx.Err() == nil {
				p.report(errors.Join(fmt.Errorf("accept: %w", err), p.listener.Close()))
			}
			break
		}
		p.accept(ctx, conn)
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, l := range p.open() {
		l.cut(true)
	}
}

// accept gives a client its number, on which its random source depends, and carries it in a goroutine.
func (p *Proxy) accept(ctx context.Context, client *net.TCPConn) {
	p.mu.Lock()
	p.number++
	number, target, refusing := p.number, p.target, p.refusing
	p.mu.Unlock()
	if refusing || target == "" {
		p.stats.add(func(s *Stats) { s.Refused++ })
		reset(client)
		return
	}
	p.stats.add(func(s *Stats) { s.Accepted++ })
	p.running.Go(func() { p.carry(ctx, client, number, target) })
}

// carry returns when the connection has ended.
func (p *Proxy) carry(ctx context.Context, client *net.TCPConn, number uint64, target string) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		p.stats.add(func(s *Stats) { s.Unreachable++ })
		reset(client)
		return
	}
	server, ok := conn.(*net.TCPConn)
	if !ok {
		reset(client)
		p.report(errors.Join(fmt.Errorf("dial %s: %T is not TCP", target, conn), conn.Close()))
		return
	}
	l := newLink(p, number, client, server)
	if !p.add(l) {
		l.cut(true)
		return
	}
	l.run()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// add is false when the proxy has been closed.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.links[l] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) open() []*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	return links
}

func (p *Proxy) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}

// reset closes with RST in place of FIN.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}
