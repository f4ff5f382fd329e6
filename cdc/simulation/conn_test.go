package simulation_test

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// link is one direction of a connection in memory: a buffer without bound whose
// bytes arrive after a delay, in order. A waiting reader is blocked on a channel,
// which lets the bubble's clock go on.
type link struct {
	delay func() time.Duration // of the next write

	mu      sync.Mutex
	chunks  []chunk
	changed chan struct{} // closed and replaced whenever a reader should look again
	ended   bool          // no more writes: the end follows the chunks
	broken  error         // for reader and writer, at once
	hole    bool          // what is written vanishes, and so does the end

	readBy, writeBy time.Time // deadlines; zero is never
}

// chunk is what one Write brought.
type chunk struct {
	data []byte
	due  time.Time
}

func newLink(delay func() time.Duration) *link {
	return &link{delay: delay, changed: make(chan struct{})}
}

// signal wakes the readers. The caller holds mu.
func (l *link) signal() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *link) write(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broken != nil:
		return l.broken
	case l.hole:
		return nil
	case l.ended:
		return net.ErrClosed
	case !l.writeBy.IsZero() && !time.Now().Before(l.writeBy):
		return os.ErrDeadlineExceeded
	}
	due := time.Now().Add(l.delay())
	if n := len(l.chunks); n > 0 && due.Before(l.chunks[n-1].due) {
		due = l.chunks[n-1].due
	}
	l.chunks = append(l.chunks, chunk{append([]byte(nil), b...), due})
	l.signal()
	return nil
}

func (l *link) read(b []byte) (int, error) {
	for {
		n, wait, changed, err := l.tryRead(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		if wait == 0 {
			<-changed
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// tryRead reads what has arrived. If that is nothing, wait is how long until it
// is worth another look, or 0 if only a change can bring something.
func (l *link) tryRead(b []byte) (n int, wait time.Duration, changed chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.broken != nil {
		return 0, 0, nil, l.broken
	}
	if !l.readBy.IsZero() && !now.Before(l.readBy) {
		return 0, 0, nil, os.ErrDeadlineExceeded
	}
	for n < len(b) && len(l.chunks) > 0 && !l.chunks[0].due.After(now) {
		c := &l.chunks[0]
		copied := copy(b[n:], c.data)
		n += copied
		if c.data = c.data[copied:]; len(c.data) == 0 {
			l.chunks = l.chunks[1:]
		}
	}
	if n > 0 {
		return n, 0, nil, nil
	}
	if len(l.chunks) == 0 && l.ended {
		return 0, 0, nil, io.EOF
	}
	until := l.readBy
	if len(l.chunks) > 0 && (until.IsZero() || l.chunks[0].due.Before(until)) {
		until = l.chunks[0].due
	}
	if !until.IsZero() {
		wait = until.Sub(now)
	}
	return 0, wait, l.changed, nil
}

// end lets the reader have what was written, and then io.EOF.
func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = l.ended || !l.hole
	l.signal()
}

// vanish loses what is on its way and what will be written, and does not tell
// the writer; the reader is told if ended.
func (l *link) vanish(ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hole, l.chunks, l.ended = true, nil, l.ended || ended
	l.signal()
}

// reset breaks the link for both; what has not been read is lost.
func (l *link) reset(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.broken = err
	}
	l.chunks = nil
	l.signal()
}

// tear keeps only the first n bytes of what is on its way, and ends.
func (l *link) tear(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for i := range l.chunks {
		if n < len(l.chunks[i].data) {
			l.chunks[i].data = l.chunks[i].data[:n]
			l.chunks = l.chunks[:i+1]
			break
		}
		n -= len(l.chunks[i].data)
	}
	if n := len(l.chunks); n > 0 && len(l.chunks[n-1].data) == 0 {
		l.chunks = l.chunks[:n-1]
	}
	l.signal()
}

// pending is how many bytes are on their way.
func (l *link) pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, c := range l.chunks {
		n += len(c.data)
	}
	return n
}

func (l *link) setReadDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readBy = t
	l.signal()
}

func (l *link) setWriteDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writeBy = t
}

// conn is one end of a connection.
type conn struct {
	in, out *link
	// tap sees each Write, and returns what to send on in its place or why the
	// connection breaks; nil sends everything.
	tap  func([]byte) ([]byte, error)
	addr address
}

// newConn returns both ends of a connection whose writes arrive after a delay.
func newConn(addr string, delay func() time.Duration) (client, server *conn) {
	up, down := newLink(delay), newLink(delay)
	return &conn{in: down, out: up, addr: address(addr)}, &conn{in: up, out: down, addr: address(addr)}
}

func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

func (c *conn) Write(b []byte) (int, error) {
	sent := b
	if c.tap != nil {
		var err error
		if sent, err = c.tap(b); err != nil {
			c.reset(err)
			return 0, err
		}
	}
	if len(sent) == 0 {
		return len(b), nil
	}
	if err := c.out.write(sent); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close lets the other end read what was written, as a kernel does.
func (c *conn) Close() error {
	c.out.end()
	c.in.reset(net.ErrClosed)
	return nil
}

// reset breaks the connection for both ends at once.
func (c *conn) reset(err error) {
	c.in.reset(err)
	c.out.reset(err)
}

func (c *conn) LocalAddr() net.Addr  { return c.addr }
func (c *conn) RemoteAddr() net.Addr { return c.addr }

func (c *conn) SetDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	c.out.setWriteDeadline(t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setReadDeadline(t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setWriteDeadline(t)
	return nil
}

// address is host:port.
type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

// errCut is what a connection that was cut returns.
var errCut = os.NewSyscallError("read", syscall.ECONNRESET)

// listener is where kfake takes its connections.
type listener struct {
	addr   address
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newListener(addr string) *listener {
	return &listener{addr: address(addr), conns: make(chan net.Conn, 64), closed: make(chan struct{})} // 64: no dialer waits
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }
