package stack

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNoEngineCostsNothing(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	began := time.Now()
	if findEngine(t.Context()).answers() {
		t.Fatal("an engine answers where none is")
	}
	if took := time.Since(began); took > probeTimeout/2 {
		t.Errorf("looking for no engine took %s", took)
	}
}

// fakeEngine answers on a unix socket and notes what it is asked.
func fakeEngine(t *testing.T, answer http.HandlerFunc) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(answer)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_HOST", "unix://"+socket)
}

func TestEngineRemovesContainersOfDeadOwners(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	var removed []string
	fakeEngine(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			removed = append(removed, r.URL.Path)
		case strings.HasPrefix(r.URL.Path, "/containers/json"):
			dead, alive := strconv.Itoa(ended.Process.Pid), strconv.Itoa(os.Getpid())
			_, _ = w.Write([]byte(`[{"Id":"gone","Labels":{"penstock.owner":"` + dead + `"}},{"Id":"ours","Labels":{"penstock.owner":"` + alive + `"}}]`))
		case strings.HasPrefix(r.URL.Path, "/images/postgres:18"):
		case r.URL.Path != "/_ping":
			http.NotFound(w, r)
		}
	})
	e := findEngine(t.Context())
	if !e.answers() || !e.has(t.Context(), "postgres:18") || e.has(t.Context(), "cassandra:5.0") {
		t.Fatal("the engine answers wrongly")
	}
	if err := e.reap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(removed) != 1 || removed[0] != "/containers/gone" {
		t.Errorf("removed: got %v, want the dead owner's alone", removed)
	}
}
