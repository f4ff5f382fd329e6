package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"penstock/cdc"
	"penstock/internal/admin"
	"penstock/internal/fault"
)

// get asks a server, and returns the status and the body.
func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestServer(t *testing.T) {
	d := admin.NewDaemon(admin.Build{Version: "v1"}, nil)
	d.Captures(func() cdc.Stats { return cdc.Stats{State: cdc.Waiting} })
	s, err := admin.Listen(t.Context(), "127.0.0.1:0", d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/metrics":       {200, `penstock_component_state{component="capture",state="waiting"} 1`},
		"/livez":         {200, "ok\n"},
		"/readyz":        {503, "capture waiting: it does not stream\n"},
		"/":              {404, "404"},
		"/debug/pprof/":  {404, "404"},
		"/metrics/other": {404, "404"},
	} {
		if status, body := get(t, s.Address(), path); status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: %d\n%s", path, status, body)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	again, err := admin.Listen(t.Context(), s.Address(), d)
	if err != nil {
		t.Fatalf("the port is not free again: %v", err)
	}
	again.Close()
}

// TestAnAnswerUnderWayDoesNotHoldTheStop: a client that has sent half a request.
func TestAnAnswerUnderWayDoesNotHoldTheStop(t *testing.T) {
	s, err := admin.Listen(t.Context(), "127.0.0.1:0", admin.NewDaemon(admin.Build{}, nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\n")); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	stop()
	if err := <-ended; err != nil || time.Since(begun) > 4*time.Second {
		t.Errorf("ended after %s with %v", time.Since(begun), err)
	}
}

func TestListenFaults(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct{ address, says string }{
		"taken":          {taken.Addr().String(), "address already in use (fix: stop it, or name another port; 127.0.0.1:0 takes any that is free)"},
		"not ours":       {"192.0.2.1:9090", "(fix: name an address of this machine, such as 127.0.0.1:9090)"},
		"no such name":   {"nowhere.invalid:9090", "(fix: name an address of this machine, such as 127.0.0.1:9090)"},
		"nothing at all": {"x", "(fix: name an address of this machine, such as 127.0.0.1:9090)"},
	} {
		s, err := admin.Listen(t.Context(), c.address, admin.NewDaemon(admin.Build{}, nil))
		if err == nil {
			s.Close()
		}
		if fault.KindOf(err) != fault.Usage || err == nil || !strings.HasPrefix(err.Error(), "admin.listen: cannot listen on "+c.address) || !strings.HasSuffix(err.Error(), c.says) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
