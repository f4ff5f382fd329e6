package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
)

// ensurePublication creates the publication of a capture's first start, unless
// somebody has. Which of several has which tables is not for the capture to decide.
func (c *Capture) ensurePublication(ctx context.Context, db *pgx.Conn) error {
	names := c.cfg.Publications
	if len(names) > 1 || c.cfg.Match != nil {
		return c.checkPublications(ctx, db)
	}
	_, exists, err := slot.FindPublication(ctx, db, names[0])
	if err != nil {
		return postgresFault("describe publication "+names[0], err)
	}
	if exists {
		return c.checkPublications(ctx, db)
	}
	err = slot.CreatePublication(ctx, db, names[0], tableNames(&c.cfg))
	if isState(err, duplicateObject, uniqueViolation) { // another daemon's first start, at the same time
		return c.checkPublications(ctx, db)
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		f.Where = "source.publication " + names[0]
	}
	if err != nil {
		return postgresFault("create publication "+names[0], err)
	}
	c.log.Info("publication created", zap.String(keyPublication, names[0]))
	return nil
}

// checkPublications refuses publications that are missing, or that together leave
// out a captured table or an operation, send a table that nobody asked for, or
// contradict each other.
func (c *Capture) checkPublications(ctx context.Context, db *pgx.Conn) error {
	found, err := c.publications(ctx, db)
	if err != nil {
		return err
	}
	if err := publicationProblems(&c.cfg, found); err != nil {
		return err
	}
	return c.checkRoots(ctx, db, found)
}

// publications describes all of them.
func (c *Capture) publications(ctx context.Context, db *pgx.Conn) ([]slot.Publication, error) {
	var found []slot.Publication
	var missing []error
	for _, name := range c.cfg.Publications {
		p, exists, err := slot.FindPublication(ctx, db, name)
		switch {
		case err != nil:
			return nil, postgresFault("describe publication "+name, err)
		case exists:
			found = append(found, p)
		default:
			version, err := slot.ServerVersion(ctx, db)
			if err != nil {
				return nil, postgresFault("say its version", err)
			}
			missing = append(missing, c.missingPublication(name, version))
		}
	}
	return found, errors.Join(missing...)
}

func (c *Capture) missingPublication(name string, version int) error {
	bad := &fault.Error{
		Kind: fault.Usage, Where: "source.publication " + name,
		What: "the publication does not exist, but slot " + c.cfg.Slot + " does", Why: "the slot cannot tell which tables to send",
		Fix: slot.PublicationSQL(name, tableNames(&c.cfg), version),
	}
	if len(c.cfg.Publications) > 1 || c.cfg.Match != nil {
		bad.What, bad.Why = "the publication does not exist", "which tables it should have, also later, only you know"
		bad.Fix = fmt.Sprintf("create it before the slot is, or anything is written, such as "+
			"CREATE PUBLICATION %s FOR TABLES IN SCHEMA public WITH (publish_via_partition_root);",
			pgx.Identifier{name}.Sanitize())
	}
	return bad
}

// operations are those that a publication sends of its tables.
type operations struct{ insert, update, delete, truncate bool }

func (o operations) with(p *slot.Publication) operations {
	return operations{o.insert || p.Insert, o.update || p.Update, o.delete || p.Delete, o.truncate || p.Truncate}
}

// published is a table as all publications together send it: an operation that one
// of them has is sent.
type published struct {
	by         []*slot.Publication
	columns    []string
	operations operations
}

func publicationProblems(cfg *Config, found []slot.Publication) error {
	var problems []error
	place := "source.publication " + strings.Join(cfg.Publications, ", ")
	bad := func(what, why, fix string) {
		problems = append(problems, &fault.Error{Kind: fault.Usage, Where: place, What: what, Why: why, Fix: fix})
	}
	offered := map[schema.TableName]published{}
	for i := range found {
		p := &found[i]
		for _, t := range p.Tables {
			before, twice := offered[t.TableName]
			if twice && !slices.Equal(before.columns, t.Columns) {
				bad(fmt.Sprintf("%s and %s publish different columns of table %s", before.by[0].Name, p.Name, t.TableName),
					"Postgres then refuses to send any change of the table",
					"give the table the same column list in both, or leave it out of one: "+dropTable(p.Name, t.TableName))
			}
			offered[t.TableName] = published{append(before.by, p), t.Columns, before.operations.with(p)}
		}
	}
	for i := range cfg.Tables {
		t := &cfg.Tables[i]
		switch p, ok := offered[t.Name]; {
		case !ok && t.Matched: // it has left, as it may
		case !ok && slices.ContainsFunc(found, func(p slot.Publication) bool { return p.Torn }):
			problems = append(problems, &fault.Error{
				Kind: fault.Unreachable, Where: place, What: fmt.Sprintf("whether table %s is published cannot be told while others come and go", t.Name),
				Why: "Postgres may leave out of its list one that is there", Fix: "wait for what creates and drops tables",
			})
		case !ok:
			bad(fmt.Sprintf("does not publish table %s", t.Name), "what is written to it until it is added is never sent", cfg.addTable(t.Name))
		case p.operations != (operations{true, true, true, true}):
			bad(fmt.Sprintf("leaves out some operations of table %s", t.Name), "", fmt.Sprintf(
				"ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate');", pgx.Identifier{p.by[0].Name}.Sanitize()))
		}
	}
	for i := range found {
		for _, t := range found[i].Tables {
			if _, matched := cfg.matching(t.TableName); !matched && !slices.Contains(tableNames(cfg), t.TableName) {
				bad(fmt.Sprintf("also publishes table %s, which source.tables does not list", t.TableName), "a change of it would end the capture",
					"list it, or "+dropTable(found[i].Name, t.TableName)+" what is in the log by then has to be delivered: see source.matching")
			}
		}
	}
	return errors.Join(problems...)
}

func (c *Config) addTable(table schema.TableName) string {
	add := fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s;", pgx.Identifier{c.Publications[0]}.Sanitize(), quoteTable(table))
	if len(c.Publications) > 1 {
		add = "add it to the one that it belongs to, such as " + add
	}
	return add
}

func dropTable(publication string, table schema.TableName) string {
	return fmt.Sprintf("ALTER PUBLICATION %s DROP TABLE %s;", pgx.Identifier{publication}.Sanitize(), quoteTable(table))
}

const anyPartitioned = `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE (c.relispartition OR c.relkind = 'p') AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[])))`

// checkRoots refuses publications of which some send the changes of partitions
// under the root's name and some under their own: which name a change has would
// depend on both.
func (c *Capture) checkRoots(ctx context.Context, db *pgx.Conn, found []slot.Publication) error {
	other := slices.IndexFunc(found, func(p slot.Publication) bool { return p.ViaRoot != found[0].ViaRoot })
	if other < 0 {
		return nil
	}
	schemas, names := splitNames(tableNames(&c.cfg))
	var partitioned bool
	if err := db.QueryRow(ctx, anyPartitioned, schemas, names).Scan(&partitioned); err != nil {
		return postgresFault("look for partitions", err)
	}
	if !partitioned {
		return nil
	}
	return &fault.Error{
		Kind: fault.Usage, Where: "source.publication " + strings.Join(c.cfg.Publications, ", "),
		What: fmt.Sprintf("%s and %s differ in publish_via_partition_root", found[0].Name, found[other].Name),
		Why:  "whether a partition's changes come under its own name would depend on both",
		Fix:  fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = %t);", pgx.Identifier{found[other].Name}.Sanitize(), found[0].ViaRoot),
	}
}
