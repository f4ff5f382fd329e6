package stack_test

import (
	"strings"
	"testing"

	"penstock/internal/stack"
	"penstock/internal/stack/stacktest"
)

func TestConnectTellsWhyAConnectorDoesNotRun(t *testing.T) {
	stacktest.NeedServers(t)
	kafka, err := stack.StartKafka(t.Context(), stack.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	connect, err := stack.StartConnect(t.Context(), stack.Options{}, kafka.Address(), nil)
	if err != nil {
		t.Fatal(err, kafka.Close())
	}
	t.Cleanup(func() {
		for _, in := range []interface{ Close() error }{connect, kafka} {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	nobody := map[string]string{
		"connector.class": stack.DebeziumConnector, "plugin.name": "pgoutput", "topic.prefix": "p",
		"database.hostname": "127.0.0.1", "database.port": "1", "database.user": "u", "database.password": "p", "database.dbname": "d",
	}
	for _, c := range []struct {
		name   string
		config map[string]string
		want   string // of the error
	}{
		{"an unknown class", map[string]string{"connector.class": "no.such.Class"}, "no.such.Class"},
		{"a database that is not there", nobody, "create connector"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := connect.Create(t.Context(), c.name, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	if err := connect.Delete(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("delete what is not there: got %v, want answer 404", err)
	}
}

func TestConnectClusterTakesConnectors(t *testing.T) {
	stacktest.NeedServers(t)
	kafka, err := stack.StartKafka(t.Context(), stack.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	connect, err := stack.StartConnectCluster(t.Context(), stack.Options{}, kafka.Address(), "alone", nil)
	if err != nil {
		t.Fatal(err, kafka.Close())
	}
	t.Cleanup(func() {
		for _, in := range []interface{ Close() error }{connect, kafka} {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	config, err := stack.SlotReader("postgres://u@127.0.0.1:1/d", "name", "slot", "publication")
	if err != nil {
		t.Fatal(err)
	}
	// The worker judges the configuration, and asks the database, only once it is a member of its cluster.
	if err := connect.Create(t.Context(), "nobody", config); err == nil || !strings.Contains(err.Error(), "create connector nobody: answer") {
		t.Errorf("a database that is not there: got %v, want the worker's answer", err)
	}
}
