package parity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/parity/golden"
	"penstock/schema"
)

// runPenstock lets the daemon at the path binary read a copy of the slot to the
// marker at its end, and returns what it wrote, topic after topic. Its topics are
// removed.
func (r *Rig) runPenstock(ctx context.Context, p Pass, binary string) (records []golden.Record, err error) {
	closing := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("pass %s not done within %s", p.Name, passTimeout))
	defer cancel()
	slot, err := r.copySlot(ctx, p)
	if err != nil {
		return nil, err
	}
	dir, err := r.writeConfig(ctx, p, slot)
	if err != nil {
		return nil, err
	}
	d := startDaemon(ctx, binary, dir, "")
	err = r.awaitMarker(ctx, p.Name, d.Alive)
	err = errors.Join(err, d.End(), r.dropSlot(closing, slot))
	records, readErr := r.read(closing, p)
	return records, errors.Join(err, readErr, r.removeTopics(closing, p))
}

// writeConfig writes the daemon's configuration for the pass into a folder of its own, and returns that.
func (r *Rig) writeConfig(ctx context.Context, p Pass, slot string) (dir string, err error) {
	dir = filepath.Join(r.dir, p.Name)
	text, err := r.penstockConfig(ctx, p, slot)
	if err != nil {
		return dir, err
	}
	return dir, errors.Join(os.MkdirAll(dir, 0o750), os.WriteFile(filepath.Join(dir, "penstock.yaml"), []byte(text), 0o600))
}

// startDaemon starts the capture alone. accept is the operator's word, empty for none.
func startDaemon(ctx context.Context, binary, dir, accept string) *Daemon {
	args := []string{"--only", "capture"}
	if accept != "" {
		args = append(args, "--accept", accept)
	}
	return StartDaemon(ctx, binary, dir, args...)
}

// penstockConfig is the daemon's configuration file for the pass. source.name is Debezium's topic.prefix.
func (r *Rig) penstockConfig(ctx context.Context, p Pass, slot string) (string, error) {
	tables, err := r.published(ctx, p.Content)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "source:\n  dsn: %q\n  name: %s\n  slot: %s\n  publication: %s\n  tables:\n", r.postgres.DSN(), p.Name, slot, p.Content)
	for _, table := range tables {
		fmt.Fprintf(&text, "    - '\"%s\".\"%s\"'\n", table.Schema, strings.NewReplacer("'", "''", `"`, `""`).Replace(table.Name))
	}
	fmt.Fprintf(&text, "kafka:\n  brokers: [%q]\n  partitions: 1\n", r.kafka.Address())
	commits, counted := "of-penstock."+p.Name+".commits", p.Content == Transactions
	if counted {
		commits = p.Name + "." + transactionTable
	}
	fmt.Fprintf(&text, "  position_topic: of-penstock.%s.position\n  transaction_topic: %s\n", p.Name, commits)
	if p.messages() || counted {
		fmt.Fprintf(&text, "  message_topic: %s.%s\n", p.Name, messageTable)
	}
	if p.beats() {
		fmt.Fprintf(&text, "  heartbeat: %sms\n", p.Settings[heartbeatEvery])
	}
	text.WriteString(recordsConfig(p))
	return text.String(), nil
}

// recordsConfig is the part of the configuration that says how records look; empty for the defaults.
func recordsConfig(p Pass) string {
	var text strings.Builder
	if p.Schemas {
		text.WriteString("  schemas: true\n")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Settings)) {
		switch value := p.Settings[name]; name {
		case includeUnknown: // Penstock drops no column, and so has no such key
		case heartbeatEvery: // it is of the section kafka
		case "skipped.operations":
			fmt.Fprintf(&text, "  %s: [%s]\n", name, value)
		default:
			fmt.Fprintf(&text, "  %s: %s\n", name, value)
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "records:\n" + text.String()
}

// published are the tables of a content, as it is now.
func (r *Rig) published(ctx context.Context, content Content) ([]schema.TableName, error) {
	rows, err := r.db.Query(ctx, "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1, 2", string(content))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[schema.TableName])
}
