package stack

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

const (
	registryVersion = "2.6.13.Final" // as in pom/registry.xml
	registryHeap    = 192            // MiB
)

// registryPath is where the registry speaks Confluent's protocol.
const registryPath = "/apis/ccompat/v7"

// Registry is a private native schema registry (Apicurio) that speaks Confluent's protocol. It is no part of a stack: who
// needs one starts it.
type Registry struct{ *Instance }

// StartRegistry starts a registry with settings (as in its application.properties) over the usual ones. It ends with Close
// or with this process; its schemas survive Restart.
func StartRegistry(ctx context.Context, opts Options, settings map[string]string) (*Registry, error) {
	in, err := startPrivate(ctx, opts, registryKind(), settings)
	if err != nil {
		return nil, err
	}
	return &Registry{in}, nil
}

// URL is the base of Confluent's REST protocol, the same after Restart.
func (r *Registry) URL() string { return "http://" + r.Address() + registryPath }

func registryKind() kind {
	return kind{
		name:      "registry",
		locate:    func(port int) access { return access{addresses: []string{loopback(port)}} },
		ask:       askRegistry,
		native:    nativeRegistry,
		cached:    func(h *home) bool { return h.cache.has(registryArtifact().name()) },
		needsJava: true,
	}
}

func registryArtifact() artifact { return artifact{pom: "registry", version: registryVersion} }

// askRegistry returns the server's version once it lists its subjects too.
func askRegistry(ctx context.Context, at access) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var subjects []string
	if err := readJSON(ctx, "http://"+at.addresses[0]+registryPath+"/subjects", &subjects); err != nil {
		return "", err
	}
	var about struct {
		Version string `json:"version"`
	}
	return about.Version, readJSON(ctx, "http://"+at.addresses[0]+"/apis/registry/v2/system/info", &about)
}

func readJSON(ctx context.Context, url string, into any) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into)
}

func registrySettings(in *Instance) map[string]string {
	return map[string]string{
		"quarkus.http.host":           "127.0.0.1",
		"quarkus.http.port":           fmt.Sprint(in.ports[0]),
		"quarkus.banner.enabled":      "false",
		"quarkus.datasource.jdbc.url": "jdbc:h2:file:" + filepath.Join(in.dir, "registry"),
	}
}

func nativeRegistry(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
	dist, j, archive, err := h.program(ctx, registryArtifact(), unpackRegistry)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		version: registryVersion, from: "archive of io.apicurio, " + j.String(), ports: 1,
		configure: func(in *Instance) error {
			dir := filepath.Join(in.dir, "config") // where the server looks, below its working folder
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			return writeProperties(filepath.Join(dir, "application.properties"), overlay(registrySettings(in), settings))
		},
		command: func(in *Instance) *exec.Cmd {
			flags := append(h.jvmFlags(registryHeap, registryHeap), archive.flags()...)
			return j.command(in.dir, dist, flags, "io.quarkus.runner.GeneratedMain")
		},
		stop: syscall.SIGTERM, atDeath: syscall.SIGKILL, archive: archive,
	}, nil
}

// unpackRegistry puts the jars of the only archive in staging/jars in its place.
func unpackRegistry(staging string) error {
	jars := filepath.Join(staging, "jars")
	archives, err := filepath.Glob(filepath.Join(jars, "*.tar.gz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("expected one archive, got %d", len(archives))
	}
	file, err := os.Open(archives[0])
	if err != nil {
		return err
	}
	plain, err := gzip.NewReader(file)
	if err == nil {
		err = untar(plain, staging)
	}
	if err := errors.Join(err, file.Close(), os.RemoveAll(jars)); err != nil {
		return fmt.Errorf("unpack %s: %w", archives[0], err)
	}
	if err := os.Rename(filepath.Join(staging, "lib"), jars); err != nil {
		return err
	}
	runners, err := filepath.Glob(filepath.Join(staging, "*-runner.jar"))
	if err != nil || len(runners) != 1 {
		return fmt.Errorf("expected one program in the archive, got %d", len(runners))
	}
	return os.Rename(runners[0], filepath.Join(jars, filepath.Base(runners[0])))
}
