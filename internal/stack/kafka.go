package stack

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	kafkaVersion = "4.4.0" // as in pom/kafka.xml
	kafkaCluster = "4L6g3nShT-eMCtK--X86sw"
)

// SpareAddress in the listeners of [StartKafka] stands for [Instance.Spare].
const SpareAddress = "{spare}"

func kafkaKind() kind {
	return kind{
		name: "kafka", env: "PENSTOCK_KAFKA",
		parse:     parseAddresses,
		locate:    func(port int) access { return access{addresses: []string{loopback(port)}} },
		ask:       askKafka,
		set:       func(s *Servers, at access, about About) { s.Kafka = Kafka{at.addresses, about} },
		native:    nativeKafka,
		cached:    func(h *home) bool { return h.cache.has(kafkaArtifact().name()) },
		needsJava: true,
		image:     kafkaImage,
	}
}

func kafkaArtifact() artifact { return artifact{pom: "kafka", version: kafkaVersion} }

// askKafka returns the version that the broker's API tells: a broker does not say its patch level.
func askKafka(ctx context.Context, at access) (string, error) {
	if err := reach(ctx, at); err != nil {
		return "", err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(at.addresses...))
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	admin := kadm.NewClient(client)
	if _, err := admin.ListTopics(ctx); err != nil {
		return "", err
	}
	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		if v.Err == nil {
			return kafkaVersionOf(v.VersionGuess()), nil
		}
	}
	return "unknown", nil
}

// kafkaVersionOf reads kversion's guess, such as "v4.4" or "between v1.0 and v1.1". Ours is told in full.
func kafkaVersionOf(guess string) string {
	version := strings.ReplaceAll(guess, "v", "")
	if strings.HasPrefix(kafkaVersion, version+".") {
		return kafkaVersion
	}
	return version
}

// reach costs a client's long way to an error when nobody listens yet.
func reach(ctx context.Context, at access) error {
	var dialer net.Dialer
	var err error
	for _, address := range at.addresses {
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, "tcp", address); err == nil {
			return conn.Close()
		}
	}
	return err
}

func (h *home) kafkaSettings(in *Instance) map[string]string {
	controller := loopback(in.ports[1])
	return map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         "1@" + controller,
		"controller.listener.names":                        "CONTROLLER",
		"listeners":                                        "PLAINTEXT://" + in.Address() + ",CONTROLLER://" + controller,
		"advertised.listeners":                             "PLAINTEXT://" + in.Address(),
		"listener.security.protocol.map":                   "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name":                       "PLAINTEXT",
		"log.dirs":                                         filepath.Join(in.dir, "logs"),
		"num.partitions":                                   "1",
		"auto.create.topics.enable":                        "false",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "4",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "4",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"num.network.threads":                              "2",
		"num.io.threads":                                   "4",
		"log.retention.ms":                                 "-1",
		// The default of 128 MiB does not fit into a small heap.
		"log.cleaner.dedupe.buffer.size": "8388608",
		// How long the broker waits when the last transaction's markers are still on their way: small transactions back to
		// back are several times faster than with the default of 20.
		"add.partitions.to.txn.retry.backoff.ms": "1",
		// A killed broker is refused until its old session ends; the default is 9000.
		"broker.session.timeout.ms":    "3000",
		"broker.heartbeat.interval.ms": "500",
	}
}

// withListeners lays settings over ours. Listeners come beside ours instead: over those the broker speaks to itself, and we to it.
func (in *Instance) withListeners(ours, settings map[string]string) map[string]string {
	merged := overlay(ours, settings)
	for _, name := range []string{"listeners", "advertised.listeners", "listener.security.protocol.map"} {
		if more, ok := settings[name]; ok {
			merged[name] = ours[name] + "," + strings.ReplaceAll(more, SpareAddress, in.Spare())
		}
	}
	return merged
}

func nativeKafka(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
	dist, j, archive, err := h.program(ctx, kafkaArtifact(), asItIs)
	if err != nil {
		return recipe{}, err
	}
	template, err := h.kafkaTemplate(ctx, dist, j)
	if err != nil {
		archive.finish(false)
		return recipe{}, err
	}
	return recipe{
		version: kafkaVersion, from: "jars of org.apache.kafka, " + j.String(), ports: 3,
		configure: func(in *Instance) error {
			if err := createKafkaData(in.dir, template); err != nil {
				return err
			}
			return writeProperties(kafkaProperties(in.dir), in.withListeners(h.kafkaSettings(in), settings))
		},
		command: func(in *Instance) *exec.Cmd {
			flags := append(h.jvmFlags(256, 512), archive.flags()...)
			flags = append(flags, "-Dlog4j2.configurationFile="+filepath.Join(in.dir, "log4j2.properties"))
			return j.command(in.dir, dist, flags, "kafka.Kafka", kafkaProperties(in.dir))
		},
		stop: syscall.SIGTERM, atDeath: syscall.SIGKILL, archive: archive,
	}, nil
}

func kafkaProperties(dir string) string { return filepath.Join(dir, "server.properties") }

// createKafkaData copies the template's formatted log folder unless dir has one already, and always the logging settings.
func createKafkaData(dir, template string) error {
	logs := filepath.Join(dir, "logs")
	if _, err := os.Stat(logs); err != nil {
		if err := copyTree(filepath.Join(template, "logs"), logs, -1); err != nil {
			return err
		}
	}
	return copyConfig("log4j2.properties", dir)
}

// kafkaTemplate is a formatted log folder in the cache, made once: no port is in it, and formatting takes a Java of its own.
func (h *home) kafkaTemplate(ctx context.Context, dist string, j java) (string, error) {
	name := "kafka-template-" + kafkaVersion + "-" + key(dist, kafkaCluster)
	return h.cache.entry(ctx, name, nil, func(staging string) error {
		in := &Instance{dir: staging, ports: []int{firstPort, firstPort + 1}}
		if err := writeProperties(kafkaProperties(staging), h.kafkaSettings(in)); err != nil {
			return err
		}
		if err := copyConfig("log4j2.properties", staging); err != nil {
			return err
		}
		flags := append(h.jvmFlags(128, 128), "-Dlog4j2.configurationFile="+filepath.Join(staging, "log4j2.properties"))
		cmd := j.command(staging, dist, flags, "kafka.tools.StorageTool", "format", "-t", kafkaCluster, "-c", kafkaProperties(staging))
		if out, err := h.run(ctx, cmd); err != nil {
			return fmt.Errorf("format the log folder: %w:\n%s", err, out)
		}
		return publish(staging)
	})
}

// writeProperties writes settings as name=value lines.
func writeProperties(path string, settings map[string]string) error {
	return writeSettings(path, "=", settings)
}

func writeSettings(path, separator string, settings map[string]string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s%s%s\n", name, separator, settings[name])
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}
