package e2e_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"penstock/internal/stack/stacktest"
)

// TestDemo runs the project's main job as a user does, on the shared servers.
func TestDemo(t *testing.T) {
	servers := stacktest.Servers(t)
	path, err := binary()
	if err != nil {
		t.Fatalf("build the daemon: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), path, "demo", "--once", "-o", "json")
	cmd.Env = append(os.Environ(),
		"PENSTOCK_POSTGRES="+servers.Postgres.DSN, "PENSTOCK_KAFKA="+strings.Join(servers.Kafka.Brokers, ","),
		"PENSTOCK_CASSANDRA="+servers.Cassandra.Username+":"+servers.Cassandra.Password+"@"+strings.Join(servers.Cassandra.Hosts, ","),
		"PENSTOCK_REDIS="+servers.Redis.Address)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.Bytes(), stderr.Bytes())
	}
	var out struct {
		OK     bool              `json:"ok"`
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &out); err != nil {
		t.Fatalf("%v\n%s", err, stdout.Bytes())
	}
	if !out.OK || len(out.Events) != 4 {
		t.Errorf("ok %v with %d events, want all 4 of the seed\n%s", out.OK, len(out.Events), stdout.Bytes())
	}
}
