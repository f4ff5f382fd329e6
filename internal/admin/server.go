package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"penstock/internal/fault"
)

// Server is the admin listener. It asks nobody who they are, and tells neither rows nor secrets.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// farewell is how long an answer under way may take when the server is stopped.
const farewell = time.Second

// Listen takes the address, host:port, on which [Server.Run] serves what is said of a daemon. Port 0 is
// any that is free. The error is a fault of kind Usage.
func Listen(ctx context.Context, address string, d *Daemon) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, listenFault(address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.metrics())
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { d.ready(w) })
	return &Server{listener, &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
	}}, nil
}

func listenFault(address string, err error) error {
	f := &fault.Error{
		Kind: fault.Usage, Where: "admin.listen", What: "cannot listen on " + address, Err: err,
		Fix: "name an address of this machine, such as 127.0.0.1:9090",
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		f.Why, f.Fix = "another process listens there, perhaps a daemon that was not stopped", "stop it, or name another port; 127.0.0.1:0 takes any that is free"
	case errors.Is(err, syscall.EACCES):
		f.Fix = "name a port from 1024 on, such as 127.0.0.1:9090"
	}
	return f
}

// Address is where it listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Run serves until ctx ends, lets answers under way end, and returns nil then.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(s.listener) }()
	select {
	case err := <-ended:
		return &fault.Error{Where: "admin.listen", What: "cannot go on listening on " + s.Address(), Err: err}
	case <-ctx.Done():
	}
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if s.http.Shutdown(bye) != nil {
		_ = s.http.Close() // it takes too long
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends a server that does not run.
func (s *Server) Close() { _ = s.listener.Close() }

// ready says of each part what it does.
func (d *Daemon) ready(w http.ResponseWriter) {
	status, text := http.StatusOK, &strings.Builder{}
	for _, p := range d.Parts() {
		word := "ok"
		if !p.Ready {
			status, word = http.StatusServiceUnavailable, p.Why
		}
		fmt.Fprintf(text, "%s %s: %s\n", p.Name, p.State, word)
	}
	answer(w, status, text.String())
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // whoever asked is gone, else
}
