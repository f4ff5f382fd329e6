package stack

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/redis/rueidis"

	"penstock/internal/fault"
)

const redisVersion = "6.2" // of the program in the jar of pom/redis.xml; it tells its patch level itself

func redisKind() kind {
	return kind{
		name: "redis", env: "PENSTOCK_REDIS",
		parse:  parseAddresses,
		locate: func(port int) access { return access{addresses: []string{loopback(port)}} },
		ask:    askRedis,
		set:    func(s *Servers, at access, about About) { s.Redis = Redis{at.addresses[0], about} },
		native: nativeRedis,
		cached: func(h *home) bool {
			_, found := installedRedis()
			return found || h.cache.has(redisArtifact().name())
		},
		image: redisImage,
	}
}

func redisArtifact() artifact { return artifact{pom: "redis", version: redisVersion} }

func askRedis(ctx context.Context, at access) (string, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: at.addresses[:1], ForceSingleClient: true, DisableCache: true})
	if err != nil {
		return "", err
	}
	defer client.Close()
	info, err := client.Do(ctx, client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return "", err
	}
	return redisVersionOf(info), nil
}

// redisVersionOf reads INFO: Valkey tells the version of Redis it is compatible with, and its own under its own name.
func redisVersionOf(info string) string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	if v := fields["valkey_version"]; v != "" {
		return "valkey-" + v
	}
	return fields["redis_version"]
}

// installedRedis is the first of redis-server and valkey-server on the PATH.
func installedRedis() (bin string, found bool) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if bin, err := exec.LookPath(name); err == nil {
			return bin, true
		}
	}
	return "", false
}

func nativeRedis(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
	bin, found := installedRedis()
	version, from := "the installed one", bin // which one it is, the server tells
	if !found {
		dist, err := h.resolve(ctx, redisArtifact(), unpackRedis)
		if err != nil {
			return recipe{}, err
		}
		bin, version, from = filepath.Join(dist, "redis-server"), redisVersion, "binary by com.github.codemonstur:embedded-redis"
	}
	return recipe{
		version: version, from: from, ports: 1,
		configure: func(in *Instance) error {
			return writeSettings(redisConfig(in.dir), " ", overlay(h.redisSettings(in), settings))
		},
		command: func(in *Instance) *exec.Cmd {
			cmd := exec.Command(bin, redisConfig(in.dir))
			cmd.Dir = in.dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
			return cmd
		},
		stop: syscall.SIGTERM, atDeath: syscall.SIGKILL,
	}, nil
}

func (h *home) redisSettings(in *Instance) map[string]string {
	settings := map[string]string{
		"bind":       "127.0.0.1",
		"port":       strconv.Itoa(in.ports[0]),
		"dir":        strconv.Quote(in.dir),
		"daemonize":  "no",
		"save":       `""`,
		"appendonly": "no",
	}
	if h.opts.RedisAppendOnly {
		settings["appendonly"] = "yes"
	}
	return settings
}

func redisConfig(dir string) string { return filepath.Join(dir, "redis.conf") }

// unpackRedis puts the program for this processor into staging. The jar has one per system, named redis-server-VERSION-SYSTEM.
func unpackRedis(staging string) error {
	program := filepath.Join(staging, "redis-server")
	err := unpackJar(staging, func(file *zip.File) error {
		if !strings.HasPrefix(file.Name, "redis-server-") || !strings.HasSuffix(file.Name, "-linux-"+runtime.GOARCH) {
			return nil
		}
		return unzip(file, program)
	})
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return &fault.Error{
			Kind: fault.Usage, Where: "redis", What: "the jar has no redis-server for linux-" + runtime.GOARCH,
			Fix: "apt-get install -y redis-server",
		}
	}
	return nil
}

func unzip(file *zip.File, path string) error {
	r, err := file.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}
