package proxy_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"penstock/internal/chaos/proxy"
)

// echo answers every byte with itself.
func echo(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, conn)
			conn.Close()
		}
	}()
	b.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// open returns a connection to an echo, which the proxy is part of when asked for.
func open(b *testing.B, way string) net.Conn {
	b.Helper()
	addr := echo(b)
	if way == "proxied" {
		p, err := proxy.Listen(b.Context(), proxy.Options{Protocol: proxy.Kafka, Target: addr})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = p.Close() })
		addr = p.Addr()
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// BenchmarkFrames shows what the proxy adds to the time of small frames there and back, one by one.
func BenchmarkFrames(b *testing.B) {
	frame := request(proxy.Produce, 1, 88)
	answer := make([]byte, len(frame))
	for _, way := range []string{"direct", "proxied"} {
		b.Run(way, func(b *testing.B) {
			conn := open(b, way)
			for b.Loop() {
				if _, err := conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStream shows what it takes from the bandwidth of large frames there and back.
func BenchmarkStream(b *testing.B) {
	frame := request(proxy.Produce, 1, 1<<20)
	for _, way := range []string{"direct", "proxied"} {
		b.Run(way, func(b *testing.B) {
			conn := open(b, way)
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				sent := make(chan error, 1) // so that the sender ends in any case
				go func() {
					_, err := conn.Write(frame)
					sent <- err
				}()
				_, err := io.CopyN(io.Discard, conn, int64(len(frame)))
				if err := errors.Join(err, <-sent); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
