package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema"
)

// checkCompacted refuses topics that are compacted and could not take every record: a
// broker refuses one without a key there, and the log holds what it was made of for ever.
// A pipeline's input topic is not to be compacted at all.
func checkCompacted(ctx context.Context, db *pgx.Conn, cfg *Config, known *layout) error {
	var problems []error
	bad := func(topic, what, why, fix string) {
		problems = append(problems, &fault.Error{Kind: fault.Usage, Where: "topic " + topic, What: "is compacted; " + what, Why: why,
			Fix: fix + "kafka-configs.sh --alter --entity-type topics --entity-name " + topic + " --add-config cleanup.policy=delete"})
	}
	const noKey = "a compacted topic takes no record without a key"
	for i := range cfg.Tables {
		t := &cfg.Tables[i]
		if !known.compacted[t.Topic] {
			continue
		}
		entry := "records.tables." + t.Name.String()
		if !slices.Contains(t.Skip, schema.OpTruncate) {
			bad(t.Topic, fmt.Sprintf("a TRUNCATE of table %s is a record without a key", t.Name), noKey, entry+".skipped.operations: [t]; or ")
		}
		keyed, err := hasKey(ctx, db, t)
		if err != nil {
			return err
		}
		if !keyed {
			bad(t.Topic, fmt.Sprintf("table %s has no key", t.Name), noKey, entry+".key: [columns of the key]; or ")
		}
	}
	for _, p := range cfg.Pipelines {
		if known.compacted[p.Topic] {
			bad(p.Topic, "it is the input of pipeline "+p.Name, "of the events with one join key only the last would be kept", "")
		}
	}
	return errors.Join(problems...)
}

// findKey has one row for a table that exists, true if some index can be the records' key.
const findKey = `SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident
		OR i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
			AND NOT EXISTS (SELECT FROM unnest(i.indkey) WITH ORDINALITY k(attnum, ord)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum WHERE k.ord <= i.indnkeyatts AND NOT a.attnotnull)))
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`

// hasKey reports whether the records of a table have a key, as far as the catalogue of
// now can tell. A table that is gone is not looked at.
func hasKey(ctx context.Context, db *pgx.Conn, t *Table) (bool, error) {
	if len(t.Rules.Key) > 0 {
		return true, nil
	}
	keyed := true
	err := db.QueryRow(ctx, findKey, t.Name.Schema, t.Name.Name).Scan(&keyed)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, postgresFault("describe the indexes of table "+t.Name.String(), err)
	}
	return keyed, nil
}

// unkeyedRefused is the fault of a record that was refused because its topic has become
// a compacted one; nil for any other refusal.
func unkeyedRefused(r *kgo.Record, err error) error {
	if r.Key != nil || !errors.Is(err, kerr.InvalidRecord) {
		return nil
	}
	return &fault.Error{
		Kind: fault.Refused, Where: fmt.Sprintf("topic %s, partition %d, %s", r.Topic, r.Partition, coordinates(r)), Err: err,
		What: "does not take the record, which has no key", Why: "its cleanup.policy has become compact while the capture ran",
		Fix: "start again: what is in the way is named then; or set the topic's cleanup.policy back to delete",
	}
}
