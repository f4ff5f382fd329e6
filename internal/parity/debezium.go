package parity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"penstock/internal/parity/golden"
	"penstock/internal/stack"
)

// passTimeout bounds one reader's way through the slot.
const passTimeout = 5 * time.Minute

// runDebezium lets the real connector read a copy of the slot to the marker at its
// end, and returns what it wrote, topic after topic. Its topics are removed, so
// that the next reader can have the same.
func (r *Rig) runDebezium(ctx context.Context, p Pass) (records []golden.Record, err error) {
	closing := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, passTimeout, fmt.Errorf("pass %s not done within %s", p.Name, passTimeout))
	defer cancel()
	slot, err := r.copySlot(ctx, p)
	if err != nil {
		return nil, err
	}
	config, err := r.connectorConfig(p, slot)
	if err != nil {
		return nil, err
	}
	err = r.connect.Create(ctx, p.Name, config)
	if err == nil {
		err = r.awaitMarker(ctx, p.Name, func() error {
			_, err := r.connect.Running(ctx, p.Name)
			return err
		})
	}
	// A deleted connector has written all that it will write.
	err = errors.Join(err, r.connect.Delete(closing, p.Name), r.dropSlot(closing, slot))
	records, readErr := r.read(closing, p)
	return records, errors.Join(err, readErr, r.removeTopics(closing, p))
}

func (r *Rig) connectorConfig(p Pass, slot string) (map[string]string, error) {
	config, err := stack.SlotReader(r.postgres.DSN(), p.Name, slot, string(p.Content))
	if err != nil {
		return nil, err
	}
	converter := "org.apache.kafka.connect.json.JsonConverter"
	config["key.converter"], config["key.converter.schemas.enable"] = converter, fmt.Sprint(p.Schemas)
	config["value.converter"], config["value.converter.schemas.enable"] = converter, fmt.Sprint(p.Schemas)
	if p.Content == Stops || p.Content == Unsayable {
		config["event.processing.failure.handling.mode"] = "warn" // the other passes would end there
	}
	maps.Copy(config, p.Settings)
	return config, nil
}

// copySlot gives the pass a slot that stands where the base stands.
func (r *Rig) copySlot(ctx context.Context, p Pass) (string, error) {
	slot := "parity_" + strings.ReplaceAll(p.Name, "-", "_")
	_, err := r.db.Exec(ctx, "SELECT pg_copy_logical_replication_slot($1, $2)", baseSlot, slot)
	if err != nil {
		return "", fmt.Errorf("copy slot %s: %w", baseSlot, err)
	}
	return slot, nil
}

func (r *Rig) dropSlot(ctx context.Context, slot string) error { return DropSlot(ctx, r.db, slot) }

// DropSlot waits for the slot's reader to be gone.
func DropSlot(ctx context.Context, db *pgx.Conn, slot string) error {
	return Eventually(ctx, func() (bool, error) {
		tag, err := db.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
			WHERE slot_name = $1 AND NOT active`, slot)
		return err == nil && tag.RowsAffected() == 1, err
	})
}
