package redis_test

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/redis"
	"penstock/sink/storetest"
	"penstock/sink/totals"
)

// forgetful asks the server for a script that it does not know, instead of any, while on is set: a
// server that was replaced, or flushed its scripts, after they were loaded.
type forgetful struct {
	io.Writer

	on *atomic.Bool
}

func (f forgetful) Write(p []byte) (int, error) {
	command := []byte("EVALSHA\r\n$40\r\n")
	if at := bytes.Index(p, command); at >= 0 && f.on.Load() {
		p = bytes.Clone(p)
		copy(p[at+len(command):], strings.Repeat("0", 40))
	}
	return f.Writer.Write(p)
}

func TestScriptsThatTheServerLostAreNoEnd(t *testing.T) {
	on := new(atomic.Bool)
	front := listen(t, "127.0.0.1:0", stacktest.Servers(t).Redis.Address, func(w io.Writer) io.Writer { return forgetful{w, on} })
	s, err := redis.Open(t.Context(), redis.Config{Address: front.address(), Plan: storetest.Engagement(stacktest.Prefix(t)).Plan}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	writes := []sink.Write{put(1, seedRow())}
	on.Store(true)
	if err := s.Apply(t.Context(), writes); fault.KindOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "NOSCRIPT") {
		t.Errorf("got %v, want a fault of kind unreachable", err)
	}
	on.Store(false)
	if err := s.Apply(t.Context(), writes); err != nil {
		t.Error(err)
	}
	if _, found, err := s.Hash(t.Context(), engagement.Key(1)); err != nil || !found {
		t.Errorf("found %v, error %v", found, err)
	}
}

// A server with all of its connections taken answers so.
func TestFullServerIsWaitedFor(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	t.Cleanup(answering.Wait)
	t.Cleanup(func() { listener.Close() })
	answering.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			commands := make([]byte, 4096)
			n, _ := conn.Read(commands)
			_, _ = io.WriteString(conn, strings.Repeat("-ERR max number of clients reached\r\n", bytes.Count(commands[:n], []byte("*"))))
			conn.Close()
		}
	})
	_, err = redis.Open(t.Context(), redis.Config{Address: listener.Addr().String(), Wait: 100 * time.Millisecond}, nil)
	if fault.KindOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "max number of clients") {
		t.Errorf("got %v, want a fault of kind unreachable", err)
	}
}

func TestTotalOfManyTypes(t *testing.T) {
	const kinds = 20_000
	s := openCounting(t)
	specimen := storetest.Engagement("")
	v := totals.Value{ID: totals.ID{Join: specimen.Join(1), Hour: totals.Whole}, Version: 1}
	v.Events, v.ByKind = kinds, make(map[string]int64)
	for i := range kinds {
		v.ByKind[strconv.Itoa(i)] = int64(i)
	}
	if err := s.Apply(t.Context(), []sink.Write{{Action: sink.PutTotals, Version: v.Version, Totals: &v}}); err != nil {
		t.Fatal(err)
	}
	hash, _, err := s.Total(t.Context(), v.Join)
	if err != nil {
		t.Fatal(err)
	}
	for i := range kinds {
		if got := hash["events:"+strconv.Itoa(i)]; got != strconv.Itoa(i) {
			t.Fatalf("type %d has %q events", i, got)
		}
	}
	if got := hash["events"]; got != strconv.Itoa(kinds) {
		t.Errorf("%q events in all", got)
	}
}
