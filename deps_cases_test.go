package penstock_test

import "testing"

// The laws themselves can be broken: each case breaks one or keeps them all.
func TestLawsAreBrokenBy(t *testing.T) {
	const pgx, gocql, kgo = "github.com/jackc/pgx/v5", "github.com/apache/cassandra-gocql-driver/v2", "github.com/twmb/franz-go/pkg/kgo"
	imports := func(path string, names ...string) pkg { return pkg{ImportPath: path, Imports: names, Deps: names} }
	tests := func(path string, names ...string) pkg { return pkg{ImportPath: path, XTestImports: names} }
	for _, c := range []struct {
		name string
		pkg  pkg
		want int
	}{
		{"a schema with a driver, twice: it is pure, and drivers live elsewhere", imports("penstock/schema", pgx), 2},
		{"a schema with the standard library", imports("penstock/schema", "encoding/binary", "vendor/golang.org/x/net/idna"), 0},
		{"a codec with the schema", imports("penstock/schema/record", "penstock/schema"), 0},
		{"a codec with the capture", imports("penstock/schema/record", "penstock/cdc"), 1},
		{"a codec with all of Protobuf", imports("penstock/schema/protobuf", "google.golang.org/protobuf/proto"), 1},
		{"a codec with Protobuf's wire format", imports("penstock/schema/protobuf", "google.golang.org/protobuf/encoding/protowire"), 0},
		{"a codec with Avro's library", imports("penstock/schema/avro", "penstock/schema/connect", "github.com/twmb/avro"), 0},
		{"a mapping with Avro's library, twice", imports("penstock/schema/debezium", "github.com/twmb/avro"), 2},
		{"a registry's client", imports("penstock/cdc/registry", "github.com/twmb/franz-go/pkg/sr"), 0},
		{"a registry's client with Kafka", imports("penstock/cdc/registry", kgo), 1},
		{"a capture with the registry's protocol", imports("penstock/cdc", "github.com/twmb/franz-go/pkg/sr"), 1},
		{"a shape with a format", imports("penstock/schema/shape", "penstock/schema/connect"), 1},
		{"an event with a driver, twice", imports("penstock/schema/cloudevents", "github.com/twmb/franz-go/pkg/kgo"), 2},
		{"a decoder with a logger, twice", imports("penstock/cdc/pgoutput", "go.uber.org/zap"), 2},
		{"a decoder with the schema", imports("penstock/cdc/pgoutput", "penstock/schema"), 0},
		{"a capture with the sink, directly and therefore also indirectly", imports("penstock/cdc", "penstock/sink"), 2},
		{"a capture with the sink, indirectly only", pkg{ImportPath: "penstock/cdc/slot", Deps: []string{"penstock/sink/redis"}}, 1},
		{"a capture's test with the sink", tests("penstock/cdc", "penstock/sink"), 1},
		{"a sink with the decoder", imports("penstock/sink/redis", "penstock/cdc/pgoutput"), 2},
		{"a sink with its store", imports("penstock/sink", "penstock/sink/redis"), 1},
		{"a store with the sink", imports("penstock/sink/redis", "penstock/sink"), 0},
		{"a store with the other store", imports("penstock/sink/redis", "penstock/sink/cassandra"), 1},
		{"a test with the command", tests("penstock/internal/stack", "penstock/cmd/penstock"), 1},
		{"the command's own test outside the package", tests("penstock/cmd/penstock", "penstock/cmd/penstock"), 0},
		{"a judge with the codec of the judged", imports("penstock/internal/chaos/ledger", "penstock/schema/record"), 1},
		{"a judge with both servers", imports("penstock/internal/chaos/ledger", pgx, kgo, "penstock/schema"), 0},
		{"a comparison with what it compares", imports("penstock/internal/parity", "penstock/schema/debezium"), 1},
		{"a format's test with the goldens", tests("penstock/schema/debezium", "penstock/internal/parity/golden", "penstock/internal/typecases"), 0},
		{"a format with the goldens", imports("penstock/schema/debezium", "penstock/internal/parity/golden"), 2},
		{"a format's test with the comparison", tests("penstock/schema/debezium", "penstock/internal/parity"), 1},
		{"a measurement with what it measures", imports("penstock/internal/bench", "penstock/cdc"), 1},
		{"a measurement with the comparison", imports("penstock/internal/bench", "penstock/internal/parity"), 0},
		{"a comparison with the measurement", imports("penstock/internal/parity", "penstock/internal/bench"), 1},
		{"a capture with the configuration file", imports("penstock/cdc", "penstock/internal/config"), 1},
		{"a daemon that starts servers", imports("penstock/sink", "penstock/internal/stack"), 1},
		{"a test that starts servers", tests("penstock/sink", "penstock/internal/stack/stacktest"), 0},
		{"a demo that starts servers", imports("penstock/cmd/penstock", "penstock/internal/stack"), 0},
		{"a demo with the servers of the tests", imports("penstock/cmd/penstock", "penstock/internal/stack/stacktest"), 1},
		{"a sink with Postgres", imports("penstock/sink", pgx), 1},
		{"a sink's test with Postgres", tests("penstock/sink", pgx), 0},
		{"a slot with Kafka", imports("penstock/cdc/slot", kgo), 1},
		{"a store with Kafka", imports("penstock/sink/cassandra", kgo), 1},
		{"a store with its driver", imports("penstock/sink/cassandra", gocql), 0},
		{"the other store with that driver", imports("penstock/sink/redis", gocql), 1},
		{"a demo that looks into a store by itself", imports("penstock/cmd/penstock", gocql), 0},
		{"a capture with a store's driver", imports("penstock/cdc", gocql), 1},
		{"a test with containers of its own", tests("penstock/cdc", "github.com/testcontainers/testcontainers-go/wait"), 1},
		{"flags below the command", tests("penstock/cdc", "github.com/spf13/cobra"), 1},
		{"a second YAML", imports("penstock/cmd/penstock", "github.com/goccy/go-yaml"), 1},
		{"a test's library in the code", imports("penstock/sink", "github.com/google/go-cmp/cmp", "testing"), 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var crimes []string
			for _, l := range laws {
				crimes = append(crimes, l.broken(c.pkg)...)
			}
			if len(crimes) != c.want {
				t.Errorf("got %d broken laws, want %d: %q", len(crimes), c.want, crimes)
			}
		})
	}
}

func TestMisplacedPackages(t *testing.T) {
	for _, c := range []struct {
		pkg  pkg
		want int
	}{
		{pkg{ImportPath: "penstock", Name: "penstock_test"}, 0},
		{pkg{ImportPath: "penstock/cdc/slot", Name: "slot"}, 0},
		{pkg{ImportPath: "penstock/internal/stack/stacktest", Name: "stacktest"}, 0},
		{pkg{ImportPath: "penstock/cdc/slot/status", Name: "status"}, 1},
		{pkg{ImportPath: "penstock/internal/util", Name: "util"}, 1},
		{pkg{ImportPath: "penstock/cdc/columns", Name: "types"}, 1},
	} {
		if crimes := misplaced(c.pkg); len(crimes) != c.want {
			t.Errorf("%s: got %q, want %d", c.pkg.ImportPath, crimes, c.want)
		}
	}
}
