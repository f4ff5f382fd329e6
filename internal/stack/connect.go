package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DebeziumVersion is the connector's that [StartConnect] offers; as in pom/debezium.xml.
const DebeziumVersion = "3.6.1.Final"

// DebeziumConnector is the class of Debezium's Postgres connector, the value of connector.class.
const DebeziumConnector = "io.debezium.connector.postgresql.PostgresConnector"

const (
	standalone    = "ConnectStandalone"    // the class of a worker that is no cluster
	connectHeap   = 512                    // MiB
	connectorWait = 2 * time.Minute        // until a connector's task runs
	connectorLook = 100 * time.Millisecond // between two looks at it
	maxAnswer     = 8 << 20                // bytes of one answer: a task's trace is long
)

// Connect is a private native Kafka Connect worker that offers Debezium's Postgres connector. It is no part of a stack:
// who compares with Debezium starts one.
type Connect struct{ *Instance }

// StartConnect starts a standalone worker on the broker with settings (as in worker.properties) over the usual ones. Its
// connectors end with it, and it ends with Close or with this process.
func StartConnect(ctx context.Context, opts Options, broker string, settings map[string]string) (*Connect, error) {
	return startWorker(ctx, opts, standalone, overlay(map[string]string{"bootstrap.servers": broker}, settings))
}

// StartConnectCluster is StartConnect with a distributed worker, alone in the cluster group, whose topics begin with that
// name. Only such a worker can deliver exactly once: exactly.once.source.support.
func StartConnectCluster(ctx context.Context, opts Options, broker, group string, settings map[string]string) (*Connect, error) {
	return startWorker(ctx, opts, "ConnectDistributed", overlay(map[string]string{
		"bootstrap.servers": broker, "group.id": group,
		"config.storage.topic": group + ".config", "config.storage.replication.factor": "1",
		"offset.storage.topic": group + ".offsets", "offset.storage.replication.factor": "1", "offset.storage.partitions": "1",
		"status.storage.topic": group + ".status", "status.storage.replication.factor": "1", "status.storage.partitions": "1",
	}, settings))
}

func startWorker(ctx context.Context, opts Options, class string, settings map[string]string) (*Connect, error) {
	in, err := startPrivate(ctx, opts, connectKind(class), settings)
	if err != nil {
		return nil, err
	}
	return &Connect{in}, nil
}

func connectKind(class string) kind {
	return kind{
		name:   "connect",
		locate: func(port int) access { return access{addresses: []string{loopback(port)}} },
		ask:    askConnect,
		native: func(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
			return nativeConnect(ctx, h, class, settings)
		},
		cached:    func(h *home) bool { return h.cache.has(debeziumArtifact().name()) },
		needsJava: true,
	}
}

func debeziumArtifact() artifact { return artifact{pom: "debezium", version: DebeziumVersion} }

// askConnect returns the worker's version once its herder takes requests too, which is later than the first answer.
func askConnect(ctx context.Context, at access) (string, error) {
	var worker struct {
		Version string `json:"version"`
	}
	if err := callConnect(ctx, at, http.MethodGet, "/", nil, &worker); err != nil {
		return "", err
	}
	return worker.Version, callConnect(ctx, at, http.MethodGet, "/connectors", nil, nil)
}

func connectSettings(in *Instance) map[string]string {
	converter := "org.apache.kafka.connect.json.JsonConverter"
	return map[string]string{
		"listeners":                               "http://" + in.Address(),
		"offset.flush.interval.ms":                "1000",
		"key.converter":                           converter,
		"value.converter":                         converter,
		"key.converter.schemas.enable":            "false",
		"value.converter.schemas.enable":          "false",
		"plugin.discovery":                        "service_load", // all is on one class path
		"topic.creation.enable":                   "true",
		"connector.client.config.override.policy": "All",
	}
}

func nativeConnect(ctx context.Context, h *home, class string, settings map[string]string) (recipe, error) {
	dist, j, archive, err := h.program(ctx, debeziumArtifact(), asItIs)
	if err != nil {
		return recipe{}, err
	}
	worker := func(in *Instance) string { return filepath.Join(in.dir, "worker.properties") }
	return recipe{
		version: DebeziumVersion, from: "jars of io.debezium and org.apache.kafka, " + j.String(), ports: 1,
		configure: func(in *Instance) error {
			if err := copyConfig("log4j2.properties", in.dir); err != nil {
				return err
			}
			ours := connectSettings(in)
			if class == standalone {
				ours["offset.storage.file.filename"] = filepath.Join(in.dir, "offsets")
			}
			return writeProperties(worker(in), overlay(ours, settings))
		},
		command: func(in *Instance) *exec.Cmd {
			flags := append(h.jvmFlags(connectHeap, 4*connectHeap), archive.flags()...)
			flags = append(flags, "-Dlog4j2.configurationFile="+filepath.Join(in.dir, "log4j2.properties"))
			return j.command(in.dir, dist, flags, "org.apache.kafka.connect.cli."+class, worker(in))
		},
		stop: syscall.SIGTERM, atDeath: syscall.SIGKILL, archive: archive,
	}, nil
}

// SlotReader is the configuration of Debezium's connector with which it reads what the slot of the database dsn has of a
// publication, and nothing that was there before, into topics of one partition whose names begin with name.
func SlotReader(dsn, name, slot, publication string) (map[string]string, error) {
	at, err := url.Parse(dsn)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"connector.class":   DebeziumConnector,
		"tasks.max":         "1",
		"database.hostname": at.Hostname(), "database.port": at.Port(), "database.user": at.User.Username(),
		"database.password": "none", "database.dbname": strings.TrimPrefix(at.Path, "/"),
		"topic.prefix": name,
		"plugin.name":  "pgoutput", "slot.name": slot, "slot.drop.on.stop": "false",
		"publication.name": publication, "publication.autocreate.mode": "disabled",
		"snapshot.mode":                             "no_data",
		"statistics.metrics.enabled":                "false", // fills the log, and no record
		"topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "1",
	}, nil
}

// Create makes a connector of that configuration and returns when its task runs. The error of one that does not holds
// what Java has to say of it.
func (c *Connect) Create(ctx context.Context, name string, config map[string]string) error {
	request := map[string]any{"name": name, "config": config}
	ctx, cancel := context.WithTimeoutCause(ctx, connectorWait, fmt.Errorf("does not run within %s", connectorWait))
	defer cancel()
	tick := time.NewTicker(connectorLook)
	defer tick.Stop()
	for created := false; ; {
		if !created {
			err := callConnect(ctx, c.access(), http.MethodPost, "/connectors", request, nil)
			refused, answered := errors.AsType[*connectError](err)
			rebalancing := answered && refused.code == http.StatusConflict // of a cluster; it passes
			if err != nil && !rebalancing {
				return fmt.Errorf("create connector %s: %w", name, err)
			}
			created = !rebalancing
		}
		running, err := c.Running(ctx, name)
		if err != nil || running {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("connector %s: %w", name, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// Running reports whether the connector and its task run. The error of a failed one is its trace.
func (c *Connect) Running(ctx context.Context, name string) (bool, error) {
	type state struct {
		State string `json:"state"`
		Trace string `json:"trace"`
	}
	var status struct {
		Connector state   `json:"connector"`
		Tasks     []state `json:"tasks"`
	}
	err := callConnect(ctx, c.access(), http.MethodGet, "/connectors/"+url.PathEscape(name)+"/status", nil, &status)
	if missing, ok := errors.AsType[*connectError](err); ok && missing.code == http.StatusNotFound {
		return false, nil // the status comes after the connector
	}
	if err != nil {
		return false, fmt.Errorf("status of connector %s: %w", name, err)
	}
	running := len(status.Tasks) > 0
	for _, s := range append(status.Tasks, status.Connector) {
		if s.State == "FAILED" {
			return false, fmt.Errorf("connector %s: %s", name, strings.TrimSpace(s.Trace))
		}
		running = running && s.State == "RUNNING"
	}
	return running, nil
}

// Stop ends the connector's task, which first writes down how far it has come.
func (c *Connect) Stop(ctx context.Context, name string) error {
	if err := callConnect(ctx, c.access(), http.MethodPut, "/connectors/"+url.PathEscape(name)+"/stop", nil, nil); err != nil {
		return fmt.Errorf("stop connector %s: %w", name, err)
	}
	return nil
}

// Offset is the source offset that a connector of one partition has written down last; an error if it has none.
func (c *Connect) Offset(ctx context.Context, name string) (map[string]any, error) {
	var answer struct {
		Offsets []struct {
			Offset map[string]any `json:"offset"`
		} `json:"offsets"`
	}
	if err := callConnect(ctx, c.access(), http.MethodGet, "/connectors/"+url.PathEscape(name)+"/offsets", nil, &answer); err != nil {
		return nil, fmt.Errorf("offsets of connector %s: %w", name, err)
	}
	if len(answer.Offsets) == 0 {
		return nil, fmt.Errorf("connector %s has written down no offset", name)
	}
	return answer.Offsets[0].Offset, nil
}

// Delete ends the connector. Its slot and its topics stay.
func (c *Connect) Delete(ctx context.Context, name string) error {
	if err := callConnect(ctx, c.access(), http.MethodDelete, "/connectors/"+url.PathEscape(name), nil, nil); err != nil {
		return fmt.Errorf("delete connector %s: %w", name, err)
	}
	return nil
}

// connectError is an answer that is none of success.
type connectError struct {
	code int
	text string
}

func (e *connectError) Error() string { return fmt.Sprintf("answer %d: %s", e.code, e.text) }

// callConnect sends body as JSON unless it is nil, and decodes the answer into result unless that is nil.
func callConnect(ctx context.Context, at access, method, path string, body, result any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+at.addresses[0]+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return &connectError{response.StatusCode, string(answer)}
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer, result)
}
