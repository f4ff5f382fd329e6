package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"penstock/internal/parity"
)

// penstock is one build of the daemon, exactly once, in its default format and with its default settings.
type penstock struct {
	build Build
	alone bool // there is no other build
}

// Build is a daemon's program.
type Build struct {
	Name string // tells it apart
	Path string
}

func (p *penstock) name() string {
	if p.alone {
		return namePenstock
	}
	return namePenstock + ":" + p.build.Name
}

func (p *penstock) label() string {
	if p.alone {
		return "Penstock"
	}
	return "Penstock " + p.build.Name
}

func (p *penstock) writes() bool { return true }

func (*penstock) prepare(context.Context, *Rig) error { return nil }

func (p *penstock) read(ctx context.Context, t *trial) error {
	dir := filepath.Join(t.rig.dir, t.name)
	text := fmt.Sprintf("source: { dsn: %q, name: %s, slot: %[2]s, publication: %s, tables: [%s, %s] }\n"+
		"kafka: { brokers: [%q], partitions: %d, position_topic: %[2]s.position, transaction_topic: %[2]s.commits, dead_letter_topic: %[2]s.letters }\n"+
		"log: { format: json }\n",
		t.rig.postgres.DSN(), t.name, publication, table, endTable, t.rig.kafka.Address(), partitions)
	if err := errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(filepath.Join(dir, "penstock.yaml"), []byte(text), 0o600)); err != nil {
		return err
	}
	d := parity.StartDaemon(ctx, p.build.Path, dir, "--only", "capture")
	err := t.follow(ctx, func() error {
		if pid := d.PID(); pid != 0 {
			t.usage.watchNew(roleReader, pid)
		}
		return d.Alive()
	})
	return errors.Join(err, d.End())
}
