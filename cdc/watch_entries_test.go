package cdc

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

// TestTheWatchRemembersTheAttemptBefore: a table that was out of the publication while
// the stream was lost is found at the first look of the next attempt, however often that ends early.
func TestTheWatchRemembersTheAttemptBefore(t *testing.T) {
	table := schema.TableName{Schema: "public", Name: "t"}
	c := &Capture{log: zap.NewNop(), cfg: Config{DSN: stacktest.Database(t), Publications: []string{"p"}, Tables: []Table{{Name: table}}, Watch: time.Hour}}
	db, err := c.cfg.connectSQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	look := func() error {
		ctx, stop := context.WithTimeout(t.Context(), time.Second) // the watch goes on after a look that finds nothing
		defer stop()
		return c.watch(ctx)
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t")
	if err := look(); err != nil || len(c.entries) != 2 {
		t.Fatalf("got %v, entries %v; want the publication and its table", err, c.entries)
	}
	before := append([]slot.Entry{}, c.entries...)
	exec("ALTER PUBLICATION p DROP TABLE t")
	exec("ALTER PUBLICATION p ADD TABLE t")
	for range 2 {
		if err := look(); fault.KindOf(err) != fault.Refused {
			t.Fatalf("got %v, want a refusal", err)
		}
	}
	c.entries = before
	c.cfg.Tables[0].Matched = true
	if err := look(); fault.KindOf(err) != fault.Refused {
		t.Errorf("the same table, captured for its name: got %v, want a refusal", err)
	}
	exec("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY); ALTER PUBLICATION p ADD TABLE t")
	if err := look(); err != nil {
		t.Errorf("another table of the name: got %v", err)
	}
}
