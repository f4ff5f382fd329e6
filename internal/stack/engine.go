package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	probeTimeout = time.Second // an engine on this machine answers within milliseconds
	ownerLabel   = "penstock.owner"
)

// engine is a Docker engine on a socket of this machine. A remote one (tcp://) is not used: servers listen on the loopback.
type engine struct {
	socket string // where it answers; empty: nowhere
	tried  []string
	client *http.Client
}

// findEngine asks every place where an engine may listen; without one it costs a few failed connects.
func findEngine(ctx context.Context) *engine {
	e := &engine{}
	for _, socket := range engineSockets() {
		e.tried = append(e.tried, socket)
		e.client = &http.Client{Timeout: probeTimeout, Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		}}
		if e.call(ctx, http.MethodGet, "/_ping", nil) == nil {
			e.socket = socket
			return e
		}
	}
	return e
}

func engineSockets() []string {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		if socket, ok := strings.CutPrefix(host, "unix://"); ok {
			return []string{socket}
		}
		return nil
	}
	sockets := []string{"/var/run/docker.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "docker.sock"))
	}
	if dir, err := os.UserHomeDir(); err == nil {
		sockets = append(sockets, filepath.Join(dir, ".docker", "run", "docker.sock"))
	}
	return sockets
}

func (e *engine) answers() bool { return e != nil && e.socket != "" }

func (e *engine) String() string {
	if len(e.tried) == 0 {
		return "a unix socket (DOCKER_HOST names another kind of address)"
	}
	return strings.Join(e.tried, ", ")
}

// has tells whether the engine has the image already.
func (e *engine) has(ctx context.Context, image string) bool {
	return e.call(ctx, http.MethodGet, "/images/"+image+"/json", nil) == nil
}

// prepare sets what testcontainers reads from the environment, once, and removes what dead owners left. Without its helper
// image containers outlive a killed owner until the next start here.
func (e *engine) prepare(ctx context.Context) error {
	defaults := map[string]string{"TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1"} // else /.dockerenv makes it dial a gateway
	if !e.has(ctx, ryukImage) {
		defaults["TESTCONTAINERS_RYUK_DISABLED"] = "true"
	}
	for name, value := range defaults {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return e.reap(ctx)
}

// reap removes the containers of owners that are dead: the engine does not know that they ended.
func (e *engine) reap(ctx context.Context) error {
	filter := url.QueryEscape(`{"label":["` + ownerLabel + `"]}`)
	var found []struct {
		ID     string `json:"Id"`
		Labels map[string]string
	}
	if err := e.call(ctx, http.MethodGet, "/containers/json?all=1&filters="+filter, &found); err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	for _, c := range found {
		pid, err := strconv.Atoi(c.Labels[ownerLabel])
		if err != nil || syscall.Kill(pid, 0) != syscall.ESRCH {
			continue
		}
		if err := e.call(ctx, http.MethodDelete, "/containers/"+c.ID+"?force=1&v=1", nil); err != nil {
			return fmt.Errorf("remove container %s of dead pid %d: %w", c.ID, pid, err)
		}
	}
	return nil
}

func (e *engine) call(ctx context.Context, method, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, nil)
	if err != nil {
		return err
	}
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}
