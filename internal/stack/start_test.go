package stack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

// A killed owner must take all its servers along, under every uid, and what it left must go with the next start.
func TestServersEndWithKilledOwner(t *testing.T) {
	stacktest.Servers(t) // fills the cache
	isolate(t)
	const nobody = 65534
	users := map[string]*syscall.Credential{"own user": nil}
	if os.Getuid() == 0 {
		users["another user"] = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			owner, servers := startOwner(t, user)
			if servers.Redis.Origin != stack.FromNative || servers.Kafka.Version != "4.4.0" || !strings.HasPrefix(servers.Postgres.Version, "18.") {
				t.Errorf("got %s, want native servers of the default versions", servers)
			}
			children := descendants(t, owner.Process.Pid)
			if len(children) < 4 {
				t.Fatalf("got children %v, want four servers and what they started", children)
			}
			killHard(t, owner)
			began := time.Now()
			await(t, "the end of all servers", func() bool { return !slices.ContainsFunc(children, running) })
			t.Logf("%d processes gone %s after kill -9", len(children), time.Since(began).Round(time.Millisecond))
		})
	}
}

// startOwner starts this program in the role of an owner and returns when its servers run.
func startOwner(t *testing.T, user *syscall.Credential) (*exec.Cmd, stack.Servers) {
	t.Helper()
	cache := os.Getenv("PENSTOCK_CACHE")
	if cache == "" && os.Getuid() == 0 {
		cache = "/var/cache/penstock"
	}
	var errors bytes.Buffer
	bin := program(t)
	temp := filepath.Join(filepath.Dir(bin), "temp") // removed with the program, whoever owns what is in it
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if user != nil {
		if err := os.Chown(temp, int(user.Uid), int(user.Gid)); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Chmod(temp, 0o711); err != nil { // Postgres runs under another uid than root
		t.Fatal(err)
	}
	owner := exec.Command(bin)
	owner.Env = append(os.Environ(), roleEnv+"=hold", "PENSTOCK_CACHE="+cache, "TMPDIR="+temp)
	owner.Dir = "/"
	owner.Stderr = &errors
	owner.SysProcAttr = &syscall.SysProcAttr{Credential: user, Pdeathsig: syscall.SIGKILL}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Process.Kill() }) // mostly gone already
	var servers stack.Servers
	if err := json.NewDecoder(out).Decode(&servers); err != nil {
		_ = owner.Wait()
		t.Fatalf("owner: %v\n%s", err, errors.String())
	}
	return owner, servers
}

func TestPrivatePostgres(t *testing.T) {
	in := stacktest.Postgres(t, map[string]string{"wal_level": "replica"})
	ctx := t.Context()
	if got := ask(t, in, "show wal_level"); got != "replica" {
		t.Errorf("wal_level: got %s, want replica", got)
	}
	ask(t, in, "create table kept as select 42 as answer; select 'made'")
	first := in.PID()
	in.Kill()
	if err := in.Restart(ctx); err != nil {
		t.Fatalf("restart: %v", err)
	}
	if in.PID() == first {
		t.Errorf("pid %d after kill and restart is the old one", first)
	}
	if got := ask(t, in, "select answer::text from kept"); got != "42" {
		t.Errorf("row after kill -9: got %q, want 42", got)
	}
}

func ask(t *testing.T, in *stack.Instance, query string) (answer string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), in.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	results, err := conn.PgConn().Exec(t.Context(), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	last := results[len(results)-1]
	return string(last.Rows[0][0])
}

// A named folder keeps data and ports, and belongs to one stack at a time.
func TestNamedFolderKeepsData(t *testing.T) {
	stacktest.NeedServers(t)
	dir := filepath.Join(t.TempDir(), "data")
	options := stack.Options{Dir: dir, RedisAppendOnly: true}
	first, err := stack.StartRedis(t.Context(), options, nil)
	if err != nil {
		t.Fatal(err)
	}
	redisDo(t, first.Address(), "SET", "kept", "yes")
	if _, err := stack.StartRedis(t.Context(), options, nil); err == nil || !strings.Contains(err.Error(), "in use by another stack") {
		t.Errorf("second stack on the folder: got %v, want a refusal", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := stack.StartRedis(t.Context(), options, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := redisDo(t, second.Address(), "GET", "kept"); got != "yes" {
		t.Errorf("value after restart: got %q, want yes", got)
	}
	if first.Address() != second.Address() {
		t.Errorf("address after restart: got %s, want %s", second.Address(), first.Address())
	}
}
