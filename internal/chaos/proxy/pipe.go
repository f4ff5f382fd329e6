package proxy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"
)

const (
	bufferSize = 16 << 10
	buffers    = 64 // 1 MiB may be on its way in one direction; beyond that the sender feels it
)

// pipe is one direction of a link. A reader takes bytes from src and lets the filter look at them, a writer hands them to
// dst in the same order and does the harm. The reader owns a buffer until it queues it, then the writer does.
type pipe struct {
	link     *link
	dir      Direction
	src, dst *net.TCPConn
	filter   filter

	queue chan chunk    // closed by the reader; has room for every buffer, so that the reader never waits there
	free  chan []byte   // back from the writer
	over  chan struct{} // closed when the writer writes no more

	// Only the reader touches these, and the writer once queue is closed.
	made  int           // buffers
	late  time.Duration // of the next chunk
	reset bool          // src ended with an error

	writer
}

// writer is what only the writing goroutine touches.
type writer struct {
	random *rand.Rand
	shut   bool      // half-closed by a toxic
	lossy  bool      // bytes were swallowed
	paced  time.Time // until when the bandwidth is used up
}

// chunk is bytes on their way, and what happens after them.
type chunk struct {
	buf   []byte
	n     int // bytes of buf
	at    time.Time
	after *verdict // nil: nothing
}

func newPipe(l *link, d Direction, src, dst *net.TCPConn, f filter) *pipe {
	return &pipe{
		link: l, dir: d, src: src, dst: dst, filter: f, writer: writer{random: l.random(d)},
		queue: make(chan chunk, buffers), free: make(chan []byte, buffers), over: make(chan struct{}),
	}
}

// run returns when src and dst are done with this direction. The end of src is passed on in kind, FIN or RST, after the
// bytes before it.
func (p *pipe) run() {
	go p.read() // ends with src, which is closed below at the latest; the range over its queue joins it
	err := p.write()
	close(p.over)
	switch {
	case err != nil: // dst is gone: what it sent before still goes the other way
		p.link.broken.Store(true)
		select {
		case <-p.link.pipes[1-p.dir].over:
		case <-p.link.dead:
		}
		p.link.cut(true)
	case p.reset || p.link.broken.Load():
		p.link.broken.Store(true)
		p.link.cut(true)
	default:
		_ = p.dst.CloseWrite() // an error is the other direction's too
	}
	for range p.queue { // nobody wants it any more
	}
}

// read queues what src sends, until it ends.
func (p *pipe) read() {
	defer close(p.queue)
	buf, ok := p.buffer()
	held := 0 // bytes at the start of buf that the filter cannot judge yet
	for ok {
		n, err := p.src.Read(buf[held:])
		if n > 0 {
			buf, held, ok = p.sift(buf, held+n)
		}
		if err != nil {
			if ok && held > 0 {
				p.push(buf, held, nil)
			}
			p.reset = !errors.Is(err, io.EOF)
			return
		}
	}
}

// sift queues what may go on of buf[:n]. It returns the buffer to read into next, with the bytes that have to wait at its
// start; ok is false when the link is over.
func (p *pipe) sift(buf []byte, n int) (next []byte, held int, ok bool) {
	for {
		pass, v := p.filter.next(buf[:n])
		if pass == 0 && v == nil {
			return buf, n, true
		}
		if next, ok = p.buffer(); !ok {
			return nil, 0, false
		}
		rest := pass
		if v != nil {
			rest += v.skip
		}
		held = copy(next, buf[rest:n]) // before the writer has the buffer and gives it back
		p.push(buf, pass, v)
		if v == nil {
			return next, held, true
		}
		if v.end || !p.hold(v.until) {
			return nil, 0, false
		}
		p.late += v.delay
		buf, n = next, held
	}
}

func (p *pipe) push(buf []byte, n int, after *verdict) {
	p.queue <- chunk{buf, n, time.Now().Add(p.late), after}
	if n > 0 {
		p.late = 0 // the bytes behind wait in the queue
	}
}

// hold waits until the channel is closed; false when the link is over. Nil holds nothing.
func (p *pipe) hold(until <-chan struct{}) bool {
	if until == nil {
		return true
	}
	select {
	case <-until:
		return true
	case <-p.link.dead:
		return false
	}
}

// buffer waits for a free one, which is how the sender comes to feel that nobody reads.
func (p *pipe) buffer() (buf []byte, ok bool) {
	select {
	case buf = <-p.free:
		return buf, true
	default:
	}
	if p.made < buffers {
		p.made++
		return make([]byte, bufferSize), true
	}
	select {
	case buf = <-p.free:
		return buf, true
	case <-p.link.dead:
		return nil, false
	}
}

// write hands the queue to dst and returns nil at its end, or an error when dst takes no more or the link is over.
func (p *pipe) write() error {
	for {
		s := p.shape()
		if err := p.adapt(s); err != nil {
			return err
		}
		select {
		case c, ok := <-p.queue:
			if !ok {
				return p.settle()
			}
			if err := p.deliver(c); err != nil {
				return err
			}
			p.free <- c.buf // has room for every buffer
		case <-s.changed:
		case <-p.link.dead:
			return net.ErrClosed
		}
	}
}

// deliver does to the chunk what the toxics want, and what the filter wanted to happen after it.
func (p *pipe) deliver(c chunk) error {
	if err := p.await(c.at); err != nil {
		return err
	}
	if err := p.adapt(p.shape()); err != nil {
		return err
	}
	if err := p.send(c.buf[:c.n]); err != nil {
		return err
	}
	if c.after == nil {
		return nil
	}
	if c.after.end {
		p.link.cut(false)
	}
	if c.after.sent != nil && !p.lossy && !p.shut {
		c.after.sent()
	}
	if c.after.end {
		return net.ErrClosed
	}
	return nil
}

// wait returns early when the toxics change; the error is that the link is over.
func (p *pipe) wait(d time.Duration, s *shape) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.changed:
	case <-p.link.dead:
		return net.ErrClosed
	}
	return nil
}

// passOn writes to dst and counts it.
func (p *pipe) passOn(data []byte) error {
	n, err := p.dst.Write(data)
	p.link.proxy.stats.add(func(s *Stats) { s.Bytes[p.dir] += uint64(n) })
	return err
}
