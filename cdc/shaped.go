package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/catalog"
	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/shape"
)

// loggedColumns are the columns of tables that the log has: by the column lists of the
// publications, and of generated columns those that [withheld] does not list. identity
// tells those that old rows hold.
const loggedColumns = `
WITH published AS MATERIALIZED (
	SELECT p.schemaname, p.tablename, to_jsonb(p) -> 'attnames' AS columns
	FROM pg_publication_tables p WHERE p.pubname = ANY ($3) AND (p.schemaname, p.tablename) IN (SELECT * FROM unnest($1::text[], $2::text[])))
SELECT n.nspname, c.relname, c.oid, c.relreplident::text, a.attname, a.atttypid, a.atttypmod,
	` + inIdentity + ` AS identity,
	a.attgenerated <> '' AS generated,
	CASE WHEN p.lists THEN p.listed AND (a.attgenerated = '' OR $4)
		ELSE a.attgenerated = '' OR $4 AND a.attgenerated = 's' AND NOT EXISTS (SELECT FROM pg_publication p WHERE p.pubname = ANY ($3)) END AS sent
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT coalesce(bool_or(p.columns IS NOT NULL), false) AS lists, coalesce(bool_or(p.columns ? a.attname), false) AS listed
	FROM published p WHERE p.schemaname = n.nspname AND p.tablename = c.relname) p
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
	AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY c.oid, a.attnum`

// checkColumns compiles the rules of the tables' columns as they are now, and looks for join
// columns and for those that decide where rows lie, so that a misspelt or unfit one is told before anything is
// created. Once there is a slot it may still send rows of tables as they were, which the
// rules may be for: then they are compiled when a row comes, and here is only told what
// is going to be refused.
func (c *Capture) checkColumns(ctx context.Context, db *pgx.Conn) error {
	relations, err := c.describeShaped(ctx, db)
	if err != nil {
		return err
	}
	problems, err := c.unheldColumns(ctx, db)
	if err != nil {
		return err
	}
	for _, rel := range relations {
		i := slices.IndexFunc(c.cfg.Tables, func(t Table) bool { return t.Name == rel.Table })
		if _, err := shape.Compile(rel, c.cfg.Tables[i].Rules); err != nil {
			problems = append(problems, c.cfg.shapeFaults(rel.Table, err)...)
		}
		problems = append(problems, c.cfg.unjoined(rel)...)
		problems = append(problems, c.cfg.undeclared(rel)...)
	}
	misfits := errors.Join(problems...)
	if misfits == nil {
		return nil
	}
	_, exists, err := slot.Find(ctx, db, c.cfg.Slot)
	switch {
	case err != nil:
		return postgresFault("describe slot "+c.cfg.Slot, err)
	case !exists:
		return misfits
	case c.misfits != misfits.Error(): // not at every look of a standby
		c.misfits = misfits.Error()
		c.log.Warn("the configuration does not fit tables as they are now: their rows may be refused", zap.Error(misfits))
	}
	return nil
}

// unjoined are the faults of join columns that a table does not have.
func (c *Config) unjoined(rel *schema.Relation) (faults []error) {
	for _, p := range c.Pipelines {
		for i, key := range []string{"stream", "lookup"} {
			side := []JoinSide{p.Stream, p.Lookup}[i]
			if side.Table != rel.Table || rel.Index(side.Column) >= 0 {
				continue
			}
			var names []string
			for i := range rel.Columns {
				names = append(names, rel.Columns[i].Name)
			}
			faults = append(faults, &fault.Error{
				Kind: fault.Usage, Where: "pipelines." + p.Name + "." + key + ".column",
				What: fmt.Sprintf("table %s has no column %q, or the publication does not send it", rel.Table, side.Column),
				Why:  "the columns that are sent are " + strings.Join(names, ", "), Fix: "name one of them, or add it to the publication's column list",
			})
		}
	}
	return faults
}

// describeShaped describes the tables that have rules, as the log announces them, and of
// those that are only joined the columns.
func (c *Capture) describeShaped(ctx context.Context, db *pgx.Conn) ([]*schema.Relation, error) {
	named := map[schema.TableName]bool{} // and whether their types and keys are needed
	for i := range c.cfg.Tables {
		t := &c.cfg.Tables[i]
		joined, declared := c.cfg.joins(t.Name)
		if ruled := !t.Rules.IsZero(); ruled || joined {
			named[t.Name] = ruled || declared
		}
	}
	if len(named) == 0 {
		return nil, nil
	}
	version, err := slot.ServerVersion(ctx, db)
	if err != nil {
		return nil, postgresFault("say its version", err)
	}
	schemas, names := splitNames(slices.Collect(maps.Keys(named)))
	rows, err := db.Query(ctx, loggedColumns, schemas, names, c.cfg.Publications, version >= slot.GeneratedFrom)
	if err != nil {
		return nil, postgresFault("describe columns", err)
	}
	var relations []*schema.Relation
	var rel schema.Relation
	var column schema.Column
	var identity string
	var generated, sent bool
	if _, err := pgx.ForEachRow(rows, []any{
		&rel.Table.Schema, &rel.Table.Name, &rel.OID, &identity, &column.Name, &column.TypeOID, &column.TypeMod, &column.Identity, &generated, &sent,
	}, func() error {
		if len(relations) == 0 || relations[len(relations)-1].OID != rel.OID {
			relations = append(relations, &schema.Relation{OID: rel.OID, Table: rel.Table, Identity: schema.ReplicaIdentity(identity[0])})
		}
		// That a generated column is not sent is told by checkGenerated, with what mends it.
		if sent || generated && len(c.cfg.namedAt(rel.Table, column.Name)) > 0 {
			last := relations[len(relations)-1]
			last.Columns = append(last.Columns, column)
		}
		return nil
	}); err != nil {
		return nil, postgresFault("describe columns", err)
	}
	reader := catalog.New(func(context.Context) (*pgx.Conn, error) { return db, nil })
	for _, rel := range relations {
		if !named[rel.Table] {
			continue
		}
		if err := reader.Describe(ctx, rel); err != nil {
			return nil, postgresFault("describe relation "+rel.Table.String(), err)
		}
	}
	return relations, nil
}

// shapeFaults words the problems of [shape.Compile] with their places.
func (c *Config) shapeFaults(table schema.TableName, err error) []error {
	var faults []error
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, problem := range joined.Unwrap() {
		if p, ok := errors.AsType[*shape.Problem](problem); ok {
			problem = &fault.Error{Kind: fault.Usage, Where: c.place(table, c.entry(table, p)), What: p.What, Why: p.Why, Fix: p.Fix}
		}
		faults = append(faults, problem)
	}
	return faults
}

// entry names the entry of a rule that a problem is of: key[1], or mask.email.
func (c *Config) entry(table schema.TableName, p *shape.Problem) string {
	i := slices.IndexFunc(c.Tables, func(t Table) bool { return t.Name == table })
	if i < 0 || p.Entry == "" {
		return p.Rule
	}
	r := &c.Tables[i].Rules
	lists := map[string][]string{"include": r.Include, "exclude": r.Exclude, "key": r.Key, "partition": r.Partition}
	list, ok := lists[p.Rule]
	if !ok {
		return p.Rule + "." + p.Entry
	}
	return fmt.Sprintf("%s[%d]", p.Rule, max(0, slices.Index(list, p.Entry)))
}

// place says where a rule of a table is configured.
func (c *Config) place(table schema.TableName, rule string) string {
	if c.Place != nil {
		return c.Place(table, rule)
	}
	return "records.tables." + table.String() + "." + rule
}

// unshapable refuses rows of a relation that the rules do not fit: the first of what is wrong.
func unshapable(e *schema.Event, cfg *Config, err error) error {
	first := cfg.shapeFaults(e.Relation.Table, err)[0]
	f, ok := errors.AsType[*fault.Error](first)
	if !ok {
		return fmt.Errorf("%s: %w", place(e), first)
	}
	if f.Why != "" { // what a row's error says in a log, it says in one line
		f.What, f.Why = f.What+": "+f.Why, ""
	}
	f.Kind, f.Where, f.Fix = fault.Refused, place(e), fmt.Sprintf("%s, at %s, and start again; if the table was changed, rows from before may "+
		"still come: what keeps a column of theirs back has to stay, or include names what remains", f.Fix, f.Where)
	return f
}
