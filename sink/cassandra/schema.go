package cassandra

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"penstock/internal/fault"
	"penstock/sink/plan"
)

// createSchema creates what is absent, so that a role without the right to create
// works where everything is there, and checks what is there.
func (s *Store) createSchema(ctx context.Context, session *gocql.Session, cfg Config) error {
	created := false
	for _, t := range s.cql.all() {
		keyspace := keyspaceOf(t.Table, cfg.Keyspace)
		have, err := s.columnsOf(ctx, session, keyspace, t.Table.Name)
		if err != nil {
			return err
		}
		if len(have) > 0 {
			if err := s.check(t, have); err != nil {
				return err
			}
			continue
		}
		if cfg.Existing {
			return &fault.Error{
				Kind: fault.Usage, Where: "cassandra at " + s.address, What: "there is no table " + t.name, Fix: "start the sink, which creates it: penstock run",
			}
		}
		if err := s.create(ctx, session, cfg, keyspace, t.create()); err != nil {
			return err
		}
		created = true
	}
	more, err := s.createTotals(ctx, session, cfg)
	if err != nil {
		return err
	}
	if !created && !more {
		return nil
	}
	if err := session.AwaitSchemaAgreement(ctx); err != nil {
		return s.fault("await schema agreement", err)
	}
	return nil
}

// create creates a table, and its keyspace before it.
func (s *Store) create(ctx context.Context, session *gocql.Session, cfg Config, keyspace, table string) error {
	for _, statement := range []string{"CREATE KEYSPACE IF NOT EXISTS " + quoted(keyspace) + " WITH replication = " + cfg.Replication, table} {
		if err := session.Query(statement).Idempotent(true).ExecContext(ctx); err != nil {
			return s.fault("create a table of keyspace "+keyspace, err)
		}
	}
	return nil
}

// createTotals does for the tables of totals what [Store.createSchema] does, and reports
// whether it created any.
func (s *Store) createTotals(ctx context.Context, session *gocql.Session, cfg Config) (created bool, err error) {
	if s.cql.totals == nil || cfg.Existing {
		return false, nil // who only looks at the rows needs no totals
	}
	for name, statement := range s.cql.totals.creates(s.plan.Totals) {
		have, err := s.columnsOf(ctx, session, cfg.Keyspace, name)
		if err != nil {
			return created, err
		}
		if len(have) == 0 {
			if err := s.create(ctx, session, cfg, cfg.Keyspace, statement); err != nil {
				return created, err
			}
			created = true
			continue
		}
		for _, c := range totalsColumns {
			if have[c.name].cql != c.cql {
				return created, &fault.Error{
					Kind: fault.Usage, Where: "cassandra at " + s.address, What: fmt.Sprintf("table %s has no column %s %s", name, c.name, c.cql),
					Why: "totals could not be written", Fix: "drop it, and let totals be counted anew; it is made by " + statement,
				}
			}
		}
	}
	return created, nil
}

func (s *statements) all() []*table {
	all := []*table{&s.history, &s.days, &s.lookups}
	for i := range s.views {
		all = append(all, &s.views[i])
	}
	return all
}

// existing is a column as the server has it.
type existing struct {
	cql, kind, order string // kind is partition_key, clustering, regular or static
	position         int    // within the kind; -1 for a regular column
}

// columnsOf reads the columns of a table, none when there is no such table.
func (s *Store) columnsOf(ctx context.Context, session *gocql.Session, keyspace, name string) (map[string]existing, error) {
	const query = "SELECT column_name, type, kind, clustering_order, position FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?"
	scanner := session.Query(query, keyspace, name).Idempotent(true).IterContext(ctx).Scanner()
	columns := make(map[string]existing)
	for scanner.Next() {
		var column string
		var e existing
		if err := scanner.Scan(&column, &e.cql, &e.kind, &e.order, &e.position); err != nil {
			return nil, s.fault("read the schema", err)
		}
		columns[column] = e
	}
	if err := scanner.Err(); err != nil {
		return nil, s.fault("read the schema", err)
	}
	return columns, nil
}

// check holds a table that exists against what the plan needs. Columns that the
// plan does not know are somebody else's.
func (s *Store) check(t *table, have map[string]existing) error {
	keys := 0
	for _, e := range have {
		if e.kind == "partition_key" || e.kind == "clustering" {
			keys++
		}
	}
	wrong := func(what string) error {
		return &fault.Error{
			Kind: fault.Usage, Where: "cassandra at " + s.address, What: fmt.Sprintf("table %s is not as the pipeline needs it: %s", t.name, what),
			Why: "its rows could not be written, or not be found again",
			Fix: "ALTER TABLE it, or drop it, or name another table; it is made by " + t.create(),
		}
	}
	if keys != t.Partition+t.Clustering {
		return wrong(fmt.Sprintf("its key has %d columns, not %d", keys, t.Partition+t.Clustering))
	}
	for i, c := range t.Columns {
		want := existing{cql: c.CQL(), kind: "regular", order: "none", position: -1}
		switch {
		case i < t.Partition:
			want.kind, want.position = "partition_key", i
		case i < t.Partition+t.Clustering:
			want.kind, want.position, want.order = "clustering", i-t.Partition, order(t.Descending[i-t.Partition])
		}
		got, found := have[c.Name]
		switch {
		case !found:
			return wrong(fmt.Sprintf("it has no column %s %s", c.Name, want.cql))
		case got.cql != want.cql:
			return wrong(fmt.Sprintf("column %s is %s, not %s", c.Name, got.cql, want.cql))
		case got != want:
			return wrong(fmt.Sprintf("column %s is %s %d %s, not %s %d %s", c.Name, got.kind, got.position, got.order, want.kind, want.position, want.order))
		}
	}
	if got := have[plan.VersionColumn]; got.cql != "bigint" || got.kind != "regular" {
		return wrong("it has no column " + plan.VersionColumn + " bigint")
	}
	return nil
}
