package proxy_test

import (
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

// BenchmarkProxy shows what the proxy costs without toxics: frames there and back one by one, and a stream of large ones.
func BenchmarkProxy(b *testing.B) {
	frame := request(proxy.Produce, 1, 88)
	large := request(proxy.Produce, 1, 1<<20)
	for _, way := range []string{"direct", "proxied"} {
		open := func(b *testing.B) net.Conn {
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
		b.Run(way+"/frames", func(b *testing.B) {
			conn := open(b)
			answer := make([]byte, len(frame))
			for b.Loop() {
				if _, err := conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, answer); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(way+"/stream", func(b *testing.B) {
			conn := open(b)
			b.SetBytes(int64(len(large)))
			read := make(chan error, 1)
			go func() {
				_, err := io.CopyN(io.Discard, conn, int64(len(large)))
				for err == nil {
					read <- nil
					_, err = io.CopyN(io.Discard, conn, int64(len(large)))
				}
				close(read)
			}()
			for b.Loop() {
				if _, err := conn.Write(large); err != nil {
					b.Fatal(err)
				}
				<-read
			}
			conn.Close()
			for range read { // the reader ends with the connection
			}
		})
	}
}
