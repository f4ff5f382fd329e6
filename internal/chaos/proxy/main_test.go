package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"penstock/internal/chaos/proxy"
	"penstock/internal/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

const patience = 10 * time.Second

// listen starts a proxy that has to end without a trace and without having met anything that it does not understand.
func listen(t *testing.T, opts proxy.Options) *proxy.Proxy {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	p, err := proxy.Listen(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
	})
	return p
}

// pair is a client and what the server has of it.
type pair struct {
	client, server *net.TCPConn
}

// server is a listener whose connections the test reads and writes itself.
func server(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	bound(t, conn)
	return conn.(*net.TCPConn)
}

// connect returns a connection through p to l.
func connect(t *testing.T, p *proxy.Proxy, l *net.TCPListener) pair {
	t.Helper()
	client := dial(t, p.Addr())
	if err := l.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	bound(t, conn)
	return pair{client, conn}
}

// turnedAway wants a new client to be reset, while it connects or just after.
func turnedAway(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err == nil {
		defer conn.Close()
		bound(t, conn)
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %v, want a reset", err)
	}
}

// greet returns when a byte has gone through: only then does the proxy hold both sides.
func greet(t *testing.T, c pair) {
	t.Helper()
	write(t, c.client, []byte("a"))
	expect(t, c.server, []byte("a"))
}

// through returns a proxy and a connection through it.
func through(t *testing.T, opts proxy.Options) (*proxy.Proxy, pair) {
	t.Helper()
	l := server(t)
	opts.Target = l.Addr().String()
	p := listen(t, opts)
	return p, connect(t, p, l)
}

func bound(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, to io.Writer, data []byte) {
	t.Helper()
	if _, err := to.Write(data); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly want.
func expect(t *testing.T, from io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil {
		t.Fatalf("read %d of %d bytes: %v", n, len(want), err)
	}
	if string(got) != string(want) {
		t.Fatalf("got %d bytes that differ from what was written: %.40x, want %.40x", len(got), got, want)
	}
}

// end reads to the end, which has to be as wanted: nil for FIN.
func end(t *testing.T, from io.Reader, want error) {
	t.Helper()
	if rest, err := io.ReadAll(from); !errors.Is(err, want) || len(rest) > 0 {
		t.Fatalf("got %d bytes and %v, want the end with %v", len(rest), err, want)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}
