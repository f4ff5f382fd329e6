package proxy

import (
	"errors"
	"net"
	"time"
)

// pieces is how often in a second a limited bandwidth lets something through.
const pieces = 50

var errReset = errors.New("reset by a toxic")

// Toxics are what harms the bytes of one direction; the zero value does not. A chunk is what one read of at most 16 KiB
// brought.
type Toxics struct {
	Latency   time.Duration // of each chunk; what follows is late too, not slower
	Jitter    time.Duration // the latency varies by up to this much either way, and never changes the order
	Bandwidth int           // bytes a second; 0: no limit
	Slice     int           // bytes of a segment at most; 0: no limit
	Reset     float64       // probability that a chunk is lost and the connection reset on both sides
	Stall     bool          // nothing goes on, not even the end, and soon nothing is read; all of it goes on after it
	Swallow   bool          // bytes are read and lost, the connection stays; it is reset when this is cleared
	HalfClose bool          // the direction is shut by FIN at once and for good, and bytes that still come are lost
}

// shape is the toxics in force.
type shape struct {
	Toxics

	changed chan struct{} // closed when others are
}

func newShape(t Toxics) *shape { return &shape{t, make(chan struct{})} }

func (p *pipe) shape() *shape { return p.link.proxy.shapes[p.dir].Load() }

// adapt does what the toxics want without waiting for bytes.
func (p *pipe) adapt(s *shape) error {
	stats := &p.link.proxy.stats
	if p.lossy && !s.Swallow {
		return p.resetLink()
	}
	if s.HalfClose && !p.shut {
		p.shut = true
		if err := p.dst.CloseWrite(); err != nil {
			return err
		}
		stats.add(func(s *Stats) { s.HalfClosed[p.dir]++ })
	}
	return nil
}

// await returns when a chunk that was read at the time may go on.
func (p *pipe) await(at time.Time) error {
	stats := &p.link.proxy.stats
	vary := 0.0
	if p.shape().Jitter > 0 {
		vary = 2*p.random.Float64() - 1
	}
	stalled, delayed := false, false
	for {
		s := p.shape()
		if s.Stall {
			if !stalled {
				stalled = true
				stats.add(func(s *Stats) { s.Stalled[p.dir]++ })
			}
			if err := p.unstalled(s); err != nil {
				return err
			}
			continue
		}
		latency := s.Latency + time.Duration(vary*float64(s.Jitter))
		left := time.Until(at.Add(latency))
		if left <= 0 {
			return nil
		}
		if !delayed && latency > 0 {
			delayed = true
			stats.add(func(s *Stats) { s.Delayed[p.dir]++ })
		}
		if err := p.wait(left, s); err != nil {
			return err
		}
	}
}

// settle waits until the end of src may be passed on: it is lost and late like bytes.
func (p *pipe) settle() error {
	s := p.shape()
	for ; s.Stall || s.Swallow; s = p.shape() {
		if err := p.unstalled(s); err != nil {
			return err
		}
	}
	return p.adapt(s)
}

func (p *pipe) unstalled(s *shape) error {
	select {
	case <-s.changed:
		return nil
	case <-p.link.dead:
		return net.ErrClosed
	}
}

// send writes data, or loses it.
func (p *pipe) send(data []byte) error {
	stats := &p.link.proxy.stats
	if len(data) == 0 {
		return nil
	}
	s := p.shape()
	if p.shut || s.Swallow {
		p.lossy = p.lossy || !p.shut
		stats.add(func(s *Stats) { s.Swallowed[p.dir] += uint64(len(data)) })
		return nil
	}
	if s.Reset > 0 && p.random.Float64() < s.Reset {
		return p.resetLink()
	}
	for len(data) > 0 {
		s = p.shape()
		n := s.piece(len(data))
		if err := p.passOn(data[:n]); err != nil {
			return err
		}
		data = data[n:]
		if s.Slice > 0 {
			stats.add(func(s *Stats) { s.Sliced[p.dir]++ })
		}
		if err := p.pace(s, n); err != nil {
			return err
		}
	}
	return nil
}

// piece is how many of n bytes go in one write.
func (s *shape) piece(n int) int {
	if s.Slice > 0 {
		n = min(n, s.Slice)
	}
	if s.Bandwidth > 0 {
		n = min(n, max(1, s.Bandwidth/pieces))
	}
	return n
}

// pace waits as long as n bytes take. What is less than a timer can measure is added up.
func (p *pipe) pace(s *shape, n int) error {
	if s.Bandwidth <= 0 {
		return nil
	}
	now := time.Now()
	if p.paced.Before(now) {
		p.paced = now
	}
	p.paced = p.paced.Add(time.Duration(n) * time.Second / time.Duration(s.Bandwidth))
	if ahead := p.paced.Sub(now); ahead >= time.Millisecond {
		p.link.proxy.stats.add(func(s *Stats) { s.Throttled[p.dir]++ })
		return p.wait(ahead, s)
	}
	return nil
}

func (p *pipe) resetLink() error {
	if p.link.cut(true) {
		p.link.proxy.stats.add(func(s *Stats) { s.Resets++ })
	}
	return errReset
}
