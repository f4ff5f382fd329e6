package proxy_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"penstock/internal/chaos/proxy"
)

func TestBytesGoBothWays(t *testing.T) {
	p, c := through(t, proxy.Options{})
	up, down := make([]byte, 3<<20), make([]byte, 2<<20) // more than sockets and buffers hold
	_, _ = rand.Read(up)
	_, _ = rand.Read(down)
	var both sync.WaitGroup
	both.Go(func() { _, _ = c.client.Write(up) })
	both.Go(func() { _, _ = c.server.Write(down) })
	both.Go(func() { expect(t, c.client, down) })
	expect(t, c.server, up)
	both.Wait()
	if got := p.Stats(); got.Accepted != 1 {
		t.Errorf("got %+v", got)
	}
	// What has arrived is counted after it was passed on.
	eventually(t, "every byte is counted", func() bool {
		return p.Stats().Bytes == [2]uint64{uint64(len(up)), uint64(len(down))}
	})
}

// The end of one side is the other's, in kind, and what came before it arrives.
func TestEndIsPassedOn(t *testing.T) {
	t.Run("FIN of one direction", func(t *testing.T) {
		_, c := through(t, proxy.Options{})
		write(t, c.client, []byte("last"))
		if err := c.client.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expect(t, c.server, []byte("last"))
		end(t, c.server, nil)
		write(t, c.server, []byte("answer"))
		expect(t, c.client, []byte("answer"))
		c.server.Close()
		end(t, c.client, nil)
	})
	t.Run("RST of the client", func(t *testing.T) {
		_, c := through(t, proxy.Options{})
		write(t, c.client, []byte("last"))
		expect(t, c.server, []byte("last"))
		_ = c.client.SetLinger(0)
		c.client.Close()
		end(t, c.server, syscall.ECONNRESET)
	})
	t.Run("RST of the server", func(t *testing.T) {
		_, c := through(t, proxy.Options{})
		write(t, c.server, []byte("last"))
		expect(t, c.client, []byte("last"))
		_ = c.server.SetLinger(0)
		c.server.Close()
		end(t, c.client, syscall.ECONNRESET)
	})
	// As of a process that is killed: the kernel answers what still comes with RST.
	t.Run("a client that is gone", func(t *testing.T) {
		p, c := through(t, proxy.Options{})
		c.client.Close()
		end(t, c.server, nil)
		eventually(t, "the server to feel it", func() bool {
			_, err := c.server.Write([]byte("answer"))
			return err != nil
		})
		if p.Stats().Resets != 0 {
			t.Error("that was no fault")
		}
	})
}

func TestTargetMayBeUnknownAndMayMove(t *testing.T) {
	p := listen(t, proxy.Options{})
	turnedAway(t, p)
	gone := server(t)
	gone.Close()
	p.SetTarget(gone.Addr().String())
	turnedAway(t, p)
	for range 2 {
		l := server(t)
		p.SetTarget(l.Addr().String())
		c := connect(t, p, l)
		write(t, c.client, []byte("hello"))
		expect(t, c.server, []byte("hello"))
	}
	if got := p.Stats(); got.Accepted != 3 || got.Refused != 1 || got.Unreachable != 1 {
		t.Errorf("got %+v, want 3 accepted, 1 refused, 1 unreachable", got)
	}
}

func TestRefuse(t *testing.T) {
	l := server(t)
	p := listen(t, proxy.Options{Target: l.Addr().String()})
	p.Refuse(true)
	turnedAway(t, p)
	p.Refuse(false)
	connect(t, p, l)
	if got := p.Stats(); got.Refused != 1 || got.Accepted != 1 {
		t.Errorf("got %+v, want one of each", got)
	}
}

func TestResetAll(t *testing.T) {
	l := server(t)
	p := listen(t, proxy.Options{Target: l.Addr().String()})
	a, b := connect(t, p, l), connect(t, p, l)
	greet(t, a)
	greet(t, b)
	if n := p.ResetAll(); n != 2 || p.Stats().Resets != 2 {
		t.Errorf("%d connections reset, %d witnessed, want 2", n, p.Stats().Resets)
	}
	for _, c := range []pair{a, b} {
		end(t, c.client, syscall.ECONNRESET)
		end(t, c.server, syscall.ECONNRESET)
	}
	c := connect(t, p, l)
	write(t, c.client, []byte("hello"))
	expect(t, c.server, []byte("hello"))
}

// A sender may not run ahead of a receiver that does not read by more than buffers and sockets hold.
func TestBackPressure(t *testing.T) {
	_, c := through(t, proxy.Options{})
	_ = c.client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	sent, err := io.Copy(c.client, io.LimitReader(rand.Reader, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes sent, %v; want the sender to wait", sent, err)
	}
	_ = c.client.CloseWrite()
	got, err := io.Copy(io.Discard, c.server)
	if err != nil || got < sent { // the write that waited may have gone in part
		t.Errorf("%d bytes and %v, want the %d sent", got, err, sent)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	l := server(t)
	for _, how := range []string{"close", "context"} {
		t.Run(how, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p, err := proxy.Listen(ctx, proxy.Options{Target: l.Addr().String()})
			if err != nil {
				t.Fatal(err)
			}
			c := connect(t, p, l)
			greet(t, c)
			p.SetToxics(proxy.ToServer, proxy.Toxics{Stall: true})
			write(t, c.client, bytes.Repeat([]byte("x"), 100<<10))
			if how == "context" {
				cancel()
				end(t, c.client, syscall.ECONNRESET)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			end(t, c.server, syscall.ECONNRESET)
			if conn, err := net.Dial("tcp", p.Addr()); err == nil {
				conn.Close()
				t.Error("it still listens")
			}
			if err := p.Close(); err != nil {
				t.Errorf("closed twice: %v", err)
			}
		})
	}
}
