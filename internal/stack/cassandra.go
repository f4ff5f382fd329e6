package stack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/apache/cassandra-gocql-driver/v2"
)

const cassandraVersion = "5.0.9" // as in pom/cassandra.xml

func cassandraKind() kind {
	return kind{
		name: "cassandra", env: "PENSTOCK_CASSANDRA",
		parse: parseLogin,
		locate: func(port int) access {
			return access{addresses: []string{loopback(port)}, username: "cassandra", password: "cassandra"}
		},
		ask: askCassandra,
		set: func(s *Servers, at access, about About) {
			s.Cassandra = Cassandra{at.addresses, at.username, at.password, about}
		},
		native:    nativeCassandra,
		cached:    func(h *home) bool { return h.cache.has(cassandraArtifact().name()) },
		needsJava: true,
		image:     cassandraImage,
	}
}

func cassandraArtifact() artifact { return artifact{pom: "cassandra", version: cassandraVersion} }

// askCassandra logs in: the port of a new node opens before its first user exists.
func askCassandra(ctx context.Context, at access) (version string, err error) {
	if err := reach(ctx, at); err != nil {
		return "", err
	}
	cluster := gocql.NewCluster(at.addresses...)
	cluster.Authenticator = gocql.PasswordAuthenticator{Username: at.username, Password: at.password}
	cluster.DisableInitialHostLookup = true // a container tells an address of its own network
	cluster.NumConns = 1
	cluster.ConnectTimeout, cluster.Timeout = askTimeout, askTimeout
	cluster.Logger = silentLogger{}
	session, err := cluster.CreateSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	err = session.Query("select release_version from system.local").ScanContext(ctx, &version)
	return version, err
}

func (h *home) cassandraSettings(in *Instance) map[string]string {
	storage := strconv.Itoa(in.ports[1])
	folder := func(name string) string { return strconv.Quote(filepath.Join(in.dir, name)) }
	return map[string]string{
		"cluster_name":               "penstock",
		"num_tokens":                 "1",
		"initial_token":              `"0"`,
		"auto_bootstrap":             "false",
		"partitioner":                "org.apache.cassandra.dht.Murmur3Partitioner",
		"endpoint_snitch":            "SimpleSnitch",
		"dynamic_snitch":             "false",
		"seed_provider":              `[{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{seeds: "127.0.0.1:` + storage + `"}]}]`,
		"listen_address":             "127.0.0.1",
		"rpc_address":                "127.0.0.1",
		"storage_port":               storage,
		"start_native_transport":     "true",
		"native_transport_port":      strconv.Itoa(in.ports[0]),
		"authenticator":              "PasswordAuthenticator",
		"authorizer":                 "CassandraAuthorizer",
		"role_manager":               "CassandraRoleManager",
		"roles_validity":             "10m",
		"permissions_validity":       "10m",
		"credentials_validity":       "10m",
		"roles_cache_active_update":  "false",
		"auth_cache_warming_enabled": "false",
		"data_file_directories":      "[" + folder("data") + "]",
		"commitlog_directory":        folder("commitlog"),
		"saved_caches_directory":     folder("saved_caches"),
		"hints_directory":            folder("hints"),
		"hinted_handoff_enabled":     "false",
		// The default, periodic, acknowledges a write before it is in the log: kill -9 of the node would lose it.
		"commitlog_sync":                      "batch",
		"commitlog_segment_size":              "8MiB",
		"commitlog_total_space":               "128MiB",
		"disk_access_mode":                    "mmap_index_only",
		"memtable_heap_space":                 "64MiB",
		"memtable_offheap_space":              "64MiB",
		"memtable_allocation_type":            "heap_buffers",
		"file_cache_size":                     "32MiB",
		"networking_cache_size":               "16MiB",
		"key_cache_size":                      "4MiB",
		"row_cache_size":                      "0MiB",
		"counter_cache_size":                  "0MiB",
		"prepared_statements_cache_size":      "4MiB",
		"index_summary_capacity":              "4MiB",
		"key_cache_save_period":               "0s",
		"concurrent_reads":                    "8",
		"concurrent_writes":                   "16",
		"concurrent_counter_writes":           "2",
		"concurrent_materialized_view_writes": "2",
		"concurrent_compactors":               "1",
		"memtable_flush_writers":              "1",
		"native_transport_max_threads":        "16",
		"auto_snapshot":                       "false",
		"batch_size_warn_threshold":           "64KiB",
		"batch_size_fail_threshold":           "640KiB",
		"write_request_timeout":               "10000ms",
		"read_request_timeout":                "10000ms",
		"request_timeout":                     "10000ms",
	}
}

func nativeCassandra(ctx context.Context, h *home, settings map[string]string) (recipe, error) {
	dist, j, archive, err := h.program(ctx, cassandraArtifact(), asItIs)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		version: cassandraVersion, from: "jars of org.apache.cassandra, " + j.String(), ports: 2,
		configure: func(in *Instance) error {
			if err := os.MkdirAll(filepath.Join(in.dir, "tmp"), 0o755); err != nil {
				return err
			}
			if err := copyConfig("logback.xml", in.dir); err != nil {
				return err
			}
			return writeSettings(filepath.Join(in.dir, "cassandra.yaml"), ": ", overlay(h.cassandraSettings(in), settings))
		},
		command: func(in *Instance) *exec.Cmd {
			flags := append(h.jvmFlags(256, 384), archive.flags()...)
			flags = append(flags, cassandraFlags(in.dir, j)...)
			return j.command(in.dir, dist, flags, "org.apache.cassandra.service.CassandraDaemon")
		},
		stop: syscall.SIGTERM, atDeath: syscall.SIGKILL, archive: archive,
	}, nil
}

// cassandraFlags take out what a node waits for that has no neighbours, and open what it needs of the runtime's insides.
func cassandraFlags(dir string, j java) []string {
	flags := []string{
		"-Xss256k", "-XX:MaxDirectMemorySize=128m", "-XX:+ExitOnOutOfMemoryError",
		"-Dcassandra.config=file://" + filepath.Join(dir, "cassandra.yaml"),
		"-Dcassandra.storagedir=" + dir, "-Dcassandra.logdir=" + dir,
		"-Dlogback.configurationFile=" + filepath.Join(dir, "logback.xml"),
		"-Djava.io.tmpdir=" + filepath.Join(dir, "tmp"), // native libraries are unpacked there
		"-Dcassandra-foreground=yes",
		"-Dcassandra.superuser_setup_delay_ms=0", // the default keeps the first login out for 10 s
		"-Dcassandra.auth_bcrypt_gensalt_log2_rounds=4",
		"-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=0",
		"-Dcassandra.shutdown_announce_in_ms=0",
		"-Dcassandra.skip_sync=true", // a killed node loses nothing by that, only a killed machine does
		"-Dcassandra.available_processors=2",
		"-Djdk.attach.allowAttachSelf=true", "-Dio.netty.tryReflectionSetAccessible=true",
	}
	if j.major > minJava {
		flags = append(flags, "-Djava.security.manager=allow")
	}
	for module := range strings.FieldsSeq(cassandraExports) {
		flags = append(flags, "--add-exports", module+"=ALL-UNNAMED")
	}
	for module := range strings.FieldsSeq(cassandraOpens) {
		flags = append(flags, "--add-opens", module+"=ALL-UNNAMED")
	}
	return flags
}

const (
	cassandraExports = `java.base/jdk.internal.misc java.base/java.lang.ref
		java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry java.rmi/sun.rmi.server java.sql/java.sql
		jdk.unsupported/sun.misc jdk.attach/sun.tools.attach`
	cassandraOpens = `java.base/java.lang.module java.base/jdk.internal.loader java.base/jdk.internal.ref
		java.base/jdk.internal.reflect java.base/jdk.internal.math java.base/jdk.internal.module java.base/jdk.internal.util.jar
		jdk.management/com.sun.management.internal java.base/sun.nio.ch java.base/java.io java.base/java.lang
		java.base/java.lang.reflect java.base/java.util java.base/java.nio java.base/java.util.concurrent
		java.base/java.util.concurrent.atomic`
)

// silentLogger keeps the driver quiet while a node that is coming up refuses it; the error comes back by itself.
type silentLogger struct{}

func (silentLogger) Error(string, ...gocql.LogField)   {}
func (silentLogger) Warning(string, ...gocql.LogField) {}
func (silentLogger) Info(string, ...gocql.LogField)    {}
func (silentLogger) Debug(string, ...gocql.LogField)   {}
