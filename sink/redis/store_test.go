package redis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/rueidis"

	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema/deadletter"
	"penstock/sink"
	"penstock/sink/engagement"
	"penstock/sink/redis"
	"penstock/sink/storetest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// open returns a store under a prefix of its own.
func open(t *testing.T, cfg redis.Config) (store *redis.Store, prefix string) {
	t.Helper()
	prefix = stacktest.Prefix(t)
	if cfg.Address = stacktest.Servers(t).Redis.Address; cfg.Plan == nil {
		cfg.Plan = storetest.Engagement(prefix).Plan
	}
	s, err := redis.Open(t.Context(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, prefix
}

func TestConformance(t *testing.T) {
	for i := range storetest.Specimens("") {
		specimen := storetest.Specimens(stacktest.Prefix(t))[i]
		storetest.Exercise(t, specimen, func(t *testing.T) storetest.Subject {
			t.Helper()
			empty := storetest.Specimens(stacktest.Prefix(t))[i] // the same but for the keys
			s, _ := open(t, redis.Config{Plan: empty.Plan})
			return s
		})
	}
}

func put(version int64, row engagement.Row) sink.Write { return storetest.Put(version, row.Slots()) }

func remove(version int64, row engagement.Row) []sink.Write {
	return storetest.Remove(storetest.Engagement("").Plan, version, row.Slots())
}

// seedRow is the first event of the walk-through.
func seedRow() engagement.Row {
	return engagement.Row{
		Event: engagement.Event{
			ID: 1, ContentID: engagement.Some(engagement.UUID{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11}),
			UserID: engagement.Some(engagement.UUID{0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa}),
			Type:   engagement.Some("play"), Time: 1_756_138_420_436_907, DurationMS: engagement.Some[int64](30_000), Device: engagement.Some("ios"),
		},
		Seconds: engagement.Some(30.0), Pct: engagement.Some(30.0 / 1800), ContentType: engagement.Some("podcast"), LengthSeconds: engagement.Some[int64](1800),
	}
}

func TestHashHasTheSeedsFields(t *testing.T) {
	s, _ := open(t, redis.Config{})
	if err := s.Apply(t.Context(), []sink.Write{put(7, seedRow())}); err != nil {
		t.Fatal(err)
	}
	hash, found, err := s.Hash(t.Context(), engagement.Key(1))
	if err != nil || !found {
		t.Fatalf("found %v, error %v", found, err)
	}
	want := map[string]string{
		"user_id": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "event_time_str": "2025-08-25 16:13:40.436907",
		"engagement_seconds_str": "30.0", "duration_ms_str": "30000", "event_id": "1",
		"content_id": "11111111-1111-1111-1111-111111111111",
		"event_type": "play", "device": "ios", "engagement_pct_str": "0.016666666666666666",
		"content_type": "podcast", "length_seconds_str": "1800", "_v": "00000000000000000007",
	}
	if diff := cmp.Diff(want, hash); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTombstoneExpiresAndAPutLastsForEver(t *testing.T) {
	s, prefix := open(t, redis.Config{TombstoneLife: time.Hour})
	client := rawClient(t)
	life := func() int64 {
		t.Helper()
		seconds, err := client.Do(t.Context(), client.B().Ttl().Key(prefix+"1").Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	if err := s.Apply(t.Context(), remove(10, seedRow())); err != nil {
		t.Fatal(err)
	}
	if seconds := life(); seconds < 3500 || seconds > 3600 {
		t.Errorf("tombstone lives %d s", seconds)
	}
	if _, found, err := s.Hash(t.Context(), engagement.Key(1)); err != nil || found {
		t.Errorf("tombstone: found %v, error %v", found, err)
	}
	if err := s.Apply(t.Context(), []sink.Write{put(11, seedRow())}); err != nil {
		t.Fatal(err)
	}
	if seconds := life(); seconds != -1 {
		t.Errorf("row lives %d s", seconds)
	}
}

func TestForeignKeyIsAFaultAndForeignHashIsReplaced(t *testing.T) {
	s, prefix := open(t, redis.Config{})
	client, key := rawClient(t), prefix+"1"
	do := func(args ...string) {
		t.Helper()
		if err := client.Do(t.Context(), client.B().Arbitrary(args...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	do("HSET", key, "event_id", "1", "left_over", "x") // as the Spark job wrote it, without a version
	if err := s.Apply(t.Context(), []sink.Write{put(1, seedRow())}); err != nil {
		t.Fatal(err)
	}
	if hash, _, err := s.Hash(t.Context(), engagement.Key(1)); err != nil || hash["left_over"] != "" || hash["_v"] == "" {
		t.Errorf("hash %v, error %v", hash, err)
	}
	do("DEL", key)
	do("SET", key, "x")
	err := s.Apply(t.Context(), []sink.Write{put(2, seedRow())})
	if err == nil || fault.KindOf(err) != fault.Runtime || !strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want a fault that names the key", err)
	}
	if refused, ok := errors.AsType[*sink.RecordError](err); !ok || refused.Reason != deadletter.Refused {
		t.Errorf("got %v, want the record's error: other keys are not met by it", err)
	}
}

// A server that goes away makes a call fail, for the sink's loop to judge, and the
// store works again once it is back.
func TestServerThatGoesAwayIsUnreachable(t *testing.T) {
	proxy := listen(t, "127.0.0.1:0", stacktest.Servers(t).Redis.Address)
	s, err := redis.Open(t.Context(), redis.Config{Address: proxy.address(), Plan: storetest.Engagement(stacktest.Prefix(t)).Plan}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	write := func() error { return s.Apply(t.Context(), []sink.Write{put(1, seedRow())}) }
	if err := write(); err != nil {
		t.Fatal(err)
	}
	proxy.close()
	if err := write(); fault.KindOf(err) != fault.Unreachable {
		t.Errorf("got %v, want a fault of kind unreachable", err)
	}
	listen(t, proxy.address(), stacktest.Servers(t).Redis.Address)
	patience := sink.Patience{Wait: 10 * time.Second}
	if err := patience.Do(t.Context(), "redis", func(context.Context) error { return write() }); err != nil {
		t.Error(err)
	}
}

// proxy stands before a server and can go away.
type proxy struct {
	listener net.Listener
	change   []func(io.Writer) io.Writer
	done     sync.WaitGroup // the accepting goroutine and two for each connection

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
}

// listen begins a proxy. What clients send goes through change, if it is given.
func listen(t *testing.T, at, target string, change ...func(io.Writer) io.Writer) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, change: change}
	p.done.Go(func() { p.accept(target) })
	t.Cleanup(p.close)
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept(target string) {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		out, err := net.Dial("tcp", target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, in, out)
		p.mu.Unlock()
		var toServer io.Writer = out
		for _, change := range p.change {
			toServer = change(toServer)
		}
		p.done.Go(func() { pipe(toServer, out, in) })
		p.done.Go(func() { pipe(in, in, out) })
	}
}

// pipe copies until either side closes, and closes the side that it copies to.
func pipe(to io.Writer, end io.Closer, from io.Reader) {
	_, _ = io.Copy(to, from)
	end.Close()
}

func (p *proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.done.Wait()
}

func TestOpenWhereNothingListens(t *testing.T) {
	_, err := redis.Open(t.Context(), redis.Config{Address: freeAddress(t), Wait: 100 * time.Millisecond}, nil)
	if fault.KindOf(err) != fault.Unreachable || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("got %v", err)
	}
}

func TestOpenWithWrongPassword(t *testing.T) {
	cfg := redis.Config{Address: stacktest.Servers(t).Redis.Address, Username: "nobody", Password: "wrong", Wait: time.Hour}
	_, err := redis.Open(t.Context(), cfg, nil)
	if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), "redis.password") {
		t.Errorf("got %v", err)
	}
}

func TestOpenReportsEveryProblem(t *testing.T) {
	_, err := redis.Open(t.Context(), redis.Config{TombstoneLife: 1, Database: -1}, nil)
	for _, part := range []string{"redis.address is empty", "at least 1 s", "must not be negative"} {
		if fault.KindOf(err) != fault.Usage || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q", err, part)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func rawClient(t *testing.T) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{stacktest.Servers(t).Redis.Address}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
