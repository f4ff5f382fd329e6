package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"penstock/internal/fault"
)

func postgresKind() kind {
	return kind{
		name: "postgres", env: "PENSTOCK_POSTGRES",
		parse: parseDSN,
		locate: func(port int) access {
			return access{dsn: fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", loopback(port))}
		},
		ask:    askPostgres,
		set:    func(s *Servers, at access, about About) { s.Postgres = Postgres{at.dsn, about} },
		native: nativePostgres,
		cached: func(h *home) bool { return h.cache.has(postgresArtifact(h.opts).name()) },
		image:  postgresImage,
	}
}

func askPostgres(ctx context.Context, at access) (version string, err error) {
	conn, err := pgx.Connect(ctx, at.dsn)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	err = conn.QueryRow(ctx, "select split_part(current_setting('server_version'), ' ', 1)").Scan(&version)
	return version, err
}

func postgresArtifact(o Options) artifact {
	platform := "linux-" + runtime.GOARCH
	if runtime.GOARCH == "arm64" {
		platform += "v8"
	}
	return artifact{"postgres", o.PostgresVersion,
		[]string{"server.version=" + o.PostgresVersion, "server.platform=" + platform}}
}

// postgresSettings are those of a small server that logical replication can be tried on. Temporary data is not synced: a
// killed server loses nothing by that, only a killed machine does. (synchronous_commit stays on: without it a slot would
// see a commit late.)
func (h *home) postgresSettings() map[string]string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": "",
		"wal_level":               "logical",
		"max_replication_slots":   "24",
		"max_wal_senders":         "24",
		"max_connections":         "200",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
	}
	if h.temporary {
		settings["fsync"], settings["full_page_writes"] = "off", "off"
	}
	if h.opts.Throughput {
		settings["shared_buffers"], settings["max_wal_size"] = "256MB", "4GB"
	}
	return settings
}

func nativePostgres(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
	dist, err := h.resolve(ctx, postgresArtifact(h.opts), unpackPostgres)
	if err != nil {
		return recipe{}, err
	}
	uid, err := postgresUser()
	if err != nil {
		return recipe{}, err
	}
	template, err := h.postgresTemplate(ctx, dist, uid)
	if err != nil {
		return recipe{}, err
	}
	settings = overlay(h.postgresSettings(), settings)
	return recipe{
		version: h.opts.PostgresVersion, from: "binaries by io.zonky.test.postgres", ports: 1,
		configure: func(in *Instance) error { return createPostgresData(in.dir, template, uid) },
		command: func(in *Instance) *exec.Cmd {
			args := []string{"-D", in.dir, "-p", strconv.Itoa(in.ports[0])}
			for _, name := range slices.Sorted(maps.Keys(settings)) {
				args = append(args, "-c", name+"="+settings[name])
			}
			return postgresCommand(uid, in.dir, filepath.Join(dist, "bin", "postgres"), args...)
		},
		stop:    syscall.SIGINT,  // fast: clients are sent away
		atDeath: syscall.SIGQUIT, // at once: waits for nobody, the next start recovers
	}, nil
}

// createPostgresData copies the template unless dir has data already.
func createPostgresData(dir, template string, uid int) error {
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return nil
	}
	if err := copyTree(template, dir, uid); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700) // Postgres refuses a folder that others may enter
}

// postgresTemplate is a freshly made cluster in the cache, made once: a copy is there in a fraction of initdb's time.
func (h *home) postgresTemplate(ctx context.Context, dist string, uid int) (string, error) {
	name := "postgres-template-" + h.opts.PostgresVersion + "-" + key(dist, "1")
	return h.cache.entry(ctx, name, nil, func(staging string) error {
		if uid >= 0 {
			if err := os.Chown(staging, uid, uid); err != nil {
				return err
			}
		}
		cmd := postgresCommand(uid, staging, filepath.Join(dist, "bin", "initdb"), "-D", staging, "-U", "postgres",
			"--auth=trust", "--no-sync", "--no-instructions", "--wal-segsize=1", "--encoding=UTF8",
			"--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
		if out, err := h.run(ctx, cmd); err != nil {
			return fmt.Errorf("initdb: %w:\n%s", err, out)
		}
		return publish(staging)
	})
}

// postgresUser is the uid to run Postgres under, which refuses to run as root; -1: our own.
func postgresUser() (int, error) {
	if os.Getuid() != 0 {
		return -1, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return strconv.Atoi(u.Uid)
		}
	}
	return 0, &fault.Error{
		Kind: fault.Usage, Where: "postgres", What: "refuses to run as root, and there is no user postgres or nobody",
		Fix: "useradd --system postgres",
	}
}

func postgresCommand(uid int, dir, bin string, args ...string) *exec.Cmd {
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	if uid >= 0 {
		id := uint32(uid)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	}
	return cmd
}

// overlay returns defaults with the settings of over in their place.
func overlay(defaults, over map[string]string) map[string]string {
	merged := maps.Clone(defaults)
	maps.Copy(merged, over)
	return merged
}
