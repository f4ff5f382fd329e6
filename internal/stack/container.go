package stack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// ryukImage is what testcontainers would start to remove containers after us. Where the engine lacks it, engine.reap does so.
const ryukImage = "testcontainers/ryuk:0.14.0"

// image is how a server's upstream image is started.
type image struct {
	name string
	port int // inside
	// env and cmd know the port on the loopback: Kafka tells it to its clients.
	env func(port int) map[string]string
	cmd []string
}

func postgresImage(o Options) image {
	cmd := []string{"postgres"}
	for _, setting := range []string{"wal_level=logical", "max_replication_slots=24", "max_wal_senders=24",
		"max_connections=200", "timezone=UTC", "fsync=off"} {
		cmd = append(cmd, "-c", setting)
	}
	major, _, _ := strings.Cut(o.PostgresVersion, ".")
	return image{name: "postgres:" + major, port: 5432, cmd: cmd, env: func(int) map[string]string {
		return map[string]string{"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_USER": "postgres"}
	}}
}

func kafkaImage(Options) image {
	return image{name: "apache/kafka:" + kafkaVersion, port: 9092, env: func(port int) map[string]string {
		return map[string]string{
			"KAFKA_NODE_ID":                                          "1",
			"KAFKA_PROCESS_ROLES":                                    "broker,controller",
			"KAFKA_LISTENERS":                                        "PLAINTEXT://:9092,CONTROLLER://:9093",
			"KAFKA_ADVERTISED_LISTENERS":                             "PLAINTEXT://" + loopback(port),
			"KAFKA_CONTROLLER_LISTENER_NAMES":                        "CONTROLLER",
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"KAFKA_CONTROLLER_QUORUM_VOTERS":                         "1@localhost:9093",
			"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":                 "1",
			"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":                     "4",
			"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR":         "1",
			"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":                    "1",
			"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":             "4",
			"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
			"KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR":            "1",
			"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":                 "0",
			"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                        "false",
			"KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE":                   "8388608",
			"KAFKA_ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MS":           "1",
			"KAFKA_HEAP_OPTS":                                        "-Xmx512m",
		}
	}}
}

func cassandraImage(Options) image {
	return image{name: "cassandra:5.0", port: 9042, env: func(int) map[string]string {
		return map[string]string{
			"MAX_HEAP_SIZE": "384M", "HEAP_NEWSIZE": "96M", "CASSANDRA_NUM_TOKENS": "1",
			"JVM_OPTS": "-Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=0",
		}
	}, cmd: []string{"bash", "-c", cassandraEntry}}
}

// cassandraEntry asks for a password and a log that acknowledges only what it has, as the native node does, and goes on
// as the image would.
const cassandraEntry = `
for f in /etc/cassandra/cassandra.yaml /opt/cassandra/conf/cassandra.yaml; do
  [ -f "$f" ] || continue
  sed -i -e 's/^\( *class_name *: *\)AllowAllAuthenticator/\1PasswordAuthenticator/' \
    -e 's/^authenticator: *AllowAllAuthenticator/authenticator: PasswordAuthenticator/' \
    -e 's/^commitlog_sync: *periodic/commitlog_sync: batch/' -e '/^commitlog_sync_period/d' "$f"
done
exec docker-entrypoint.sh cassandra -f`

func redisImage(o Options) image {
	appendOnly := "no"
	if o.RedisAppendOnly {
		appendOnly = "yes"
	}
	return image{name: "redis:7", port: 6379, env: func(int) map[string]string { return nil },
		cmd: []string{"redis-server", "--save", "", "--appendonly", appendOnly}}
}

// runningContainer is a server in a container that we started.
type runningContainer struct {
	container testcontainers.Container
	at        access
	about     About
}

// Close removes the container with its data.
func (c *runningContainer) Close() error { return testcontainers.TerminateContainer(c.container) }

// startContainer starts the kind's image on a free port of the loopback and returns when the server answers a login.
func (h *home) startContainer(ctx context.Context, k kind, e *engine) (*runningContainer, error) {
	img := k.image(h.opts)
	if e.has(ctx, img.name) {
		h.report.say(k.name, "starting a container of %s", img.name)
	} else {
		h.report.say(k.name, "pulling %s", img.name)
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	c, err := testcontainers.Run(ctx, img.name, img.options(ports[0])...)
	if err != nil {
		return nil, errors.Join(err, testcontainers.TerminateContainer(c))
	}
	run := &runningContainer{container: c, at: k.locate(ports[0])}
	version, err := awaitContainer(ctx, k, run)
	if err != nil {
		return nil, errors.Join(err, run.Close())
	}
	run.about = About{version, FromContainer}
	h.report.say(k.name, "%s answers at %s", version, run.at)
	return run, nil
}

func (i image) options(port int) []testcontainers.ContainerCustomizer {
	inside := strconv.Itoa(i.port) + "/tcp"
	options := []testcontainers.ContainerCustomizer{
		testcontainers.WithEnv(i.env(port)),
		testcontainers.WithExposedPorts(inside),
		testcontainers.WithLabels(map[string]string{ownerLabel: strconv.Itoa(os.Getpid())}),
		testcontainers.WithHostConfigModifier(func(host *container.HostConfig) {
			host.PortBindings = network.PortMap{network.MustParsePort(inside): {
				{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(port)},
			}}
		}),
		testcontainers.WithLogger(log.NewNoopLogger()),
	}
	if i.cmd != nil {
		options = append(options, testcontainers.WithCmd(i.cmd...))
	}
	return options
}

func awaitContainer(ctx context.Context, k kind, run *runningContainer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		version, err := k.ask(ctx, run.at)
		if err == nil {
			return version, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("container does not answer within %s: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}
