package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"penstock/internal/chaos/proxy"
)

func TestLatencyDelaysButDoesNotSlow(t *testing.T) {
	const latency, jitter, frames = 100 * time.Millisecond, 20 * time.Millisecond, 20
	p, c := through(t, proxy.Options{Seed: 1})
	p.SetToxics(proxy.ToServer, proxy.Toxics{Latency: latency, Jitter: jitter})
	begun := time.Now()
	var want []byte
	for i := range byte(frames) {
		write(t, c.client, []byte{i})
		want = append(want, i)
	}
	expect(t, c.server, want)
	if took := time.Since(begun); took < latency-jitter || took > frames*latency/2 {
		t.Errorf("%d frames took %s, want about %s", frames, took, latency)
	}
	begun = time.Now()
	write(t, c.server, []byte("answer"))
	expect(t, c.client, []byte("answer"))
	if took := time.Since(begun); took > latency/2 {
		t.Errorf("the other direction took %s", took)
	}
	if s := p.Stats(); s.Delayed[proxy.ToServer] == 0 || s.Delayed[proxy.ToClient] != 0 {
		t.Errorf("got %v chunks delayed", s.Delayed)
	}
}

func TestClearedLatencyLetsGoAtOnce(t *testing.T) {
	p, c := through(t, proxy.Options{})
	p.SetToxics(proxy.ToServer, proxy.Toxics{Latency: time.Hour})
	write(t, c.client, []byte("late"))
	eventually(t, "the chunk to wait", func() bool { return p.Stats().Delayed[proxy.ToServer] == 1 })
	p.ClearToxics()
	expect(t, c.server, []byte("late"))
}

func TestBandwidth(t *testing.T) {
	const rate = 64 << 10
	p, c := through(t, proxy.Options{})
	p.SetToxics(proxy.ToClient, proxy.Toxics{Bandwidth: rate})
	data := bytes.Repeat([]byte("x"), rate/2)
	begun := time.Now()
	write(t, c.server, data)
	expect(t, c.client, data)
	if took := time.Since(begun); took < 400*time.Millisecond || took > 2*time.Second {
		t.Errorf("%d bytes took %s at %d bytes a second", len(data), took, rate)
	}
	if p.Stats().Throttled[proxy.ToClient] == 0 {
		t.Error("not witnessed")
	}
}

func TestSlicer(t *testing.T) {
	p, c := through(t, proxy.Options{})
	p.SetToxics(proxy.ToServer, proxy.Toxics{Slice: 1})
	data := []byte("one by one")
	write(t, c.client, data)
	expect(t, c.server, data)
	eventually(t, "the last segment to be witnessed", func() bool { return p.Stats().Sliced[proxy.ToServer] == uint64(len(data)) })
}

// A stalled network keeps everything, and the end too, until it goes on.
func TestStall(t *testing.T) {
	p, c := through(t, proxy.Options{})
	p.SetToxics(proxy.ToServer, proxy.Toxics{Stall: true})
	write(t, c.client, []byte("kept"))
	_ = c.client.CloseWrite()
	eventually(t, "the chunk to stall", func() bool { return p.Stats().Stalled[proxy.ToServer] == 1 })
	_ = c.server.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.server.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %d bytes and %v through a stall", n, err)
	}
	bound(t, c.server)
	p.ClearToxics()
	expect(t, c.server, []byte("kept"))
	end(t, c.server, nil)
}

// What has lost bytes may not go on as if nothing had been.
func TestSwallow(t *testing.T) {
	p, c := through(t, proxy.Options{})
	p.SetToxics(proxy.ToServer, proxy.Toxics{Swallow: true})
	write(t, c.client, []byte("lost"))
	eventually(t, "the bytes to be lost", func() bool { return p.Stats().Swallowed[proxy.ToServer] == 4 })
	write(t, c.server, []byte("answer"))
	expect(t, c.client, []byte("answer"))
	p.ClearToxics()
	end(t, c.server, syscall.ECONNRESET)
	end(t, c.client, syscall.ECONNRESET)
	eventually(t, "the reset to be witnessed", func() bool { return p.Stats().Resets == 1 })
	if got := p.Stats().Bytes[proxy.ToServer]; got != 0 {
		t.Errorf("%d bytes went on", got)
	}
}

func TestHalfClose(t *testing.T) {
	p, c := through(t, proxy.Options{})
	p.SetToxics(proxy.ToServer, proxy.Toxics{HalfClose: true})
	end(t, c.server, nil)
	write(t, c.client, []byte("lost"))
	eventually(t, "the bytes to be lost", func() bool { return p.Stats().Swallowed[proxy.ToServer] == 4 })
	write(t, c.server, []byte("answer"))
	expect(t, c.client, []byte("answer"))
	if got := p.Stats().HalfClosed; got != [2]uint64{1, 0} {
		t.Errorf("got %v, want one direction", got)
	}
}

// TestReset does the same with the same seed, whatever else goes on.
func TestReset(t *testing.T) {
	survived := func(seed uint64) int {
		p, c := through(t, proxy.Options{Seed: seed})
		p.SetToxics(proxy.ToServer, proxy.Toxics{Reset: 0.1})
		for n := range 1000 {
			if _, err := c.client.Write([]byte("x")); err != nil {
				return n
			}
			if _, err := io.ReadFull(c.server, make([]byte, 1)); err != nil {
				end(t, c.client, syscall.ECONNRESET)
				eventually(t, "the reset to be witnessed", func() bool { return p.Stats().Resets == 1 })
				return n
			}
		}
		t.Fatal("no reset in 1000 chunks")
		return 0
	}
	a, b, other := survived(7), survived(7), survived(8)
	if a != b {
		t.Errorf("seed 7 let %d chunks through and then %d", a, b)
	}
	if a == other {
		t.Errorf("seeds 7 and 8 both let %d chunks through", a)
	}
}
