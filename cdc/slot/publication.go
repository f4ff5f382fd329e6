package slot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/fault"
	"penstock/schema"
)

// Publication is which changes a database offers to subscribers.
type Publication struct {
	Name string `json:"name"`
	// Tables are the tables as their rows will be announced: with ViaRoot the roots
	// of partitioned tables, else their partitions.
	Tables    []PublishedTable `json:"tables"`
	AllTables bool             `json:"all_tables"` // also the tables made later
	Insert    bool             `json:"insert"`
	Update    bool             `json:"update"`
	Delete    bool             `json:"delete"`
	Truncate  bool             `json:"truncate"`
	ViaRoot   bool             `json:"via_root"`
	// Row is another whenever somebody has altered the publication itself, such as its operations.
	Row string `json:"-"`
	// Torn says that tables came and went whenever Tables were listed: one that is missing
	// may be there.
	Torn bool `json:"-"`
	// Entries are what the publication is made of: itself, and the tables and
	// schemas that were added to it. One that is taken out and put back is another.
	Entries []Entry `json:"-"`
}

// PublishedTable is a table of a publication.
type PublishedTable struct {
	schema.TableName
	Columns []string `json:"columns"` // that are sent; nil before Postgres 15, which sends all
}

// Entry is one thing that a publication is made of.
type Entry struct {
	Publication string
	OID         uint32
	Self        bool             // the publication itself
	RelID       uint32           // of the table; zero if the entry is none
	Table       schema.TableName // likewise; of a schema's entry only Schema is set
}

// String names the entry.
func (e Entry) String() string {
	switch {
	case e.Self:
		return "publication " + e.Publication
	case e.RelID == 0:
		return fmt.Sprintf("schema %s in publication %s", e.Table.Schema, e.Publication)
	}
	return fmt.Sprintf("table %s in publication %s", e.Table, e.Publication)
}

// FindPublication returns the named publication of db's database and whether there
// is one.
func FindPublication(ctx context.Context, db DB, name string) (Publication, bool, error) {
	p := Publication{Name: name}
	err := db.QueryRow(ctx, `
		SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, xmin::text
		FROM pg_publication WHERE pubname = $1`, name,
	).Scan(&p.AllTables, &p.Insert, &p.Update, &p.Delete, &p.Truncate, &p.ViaRoot, &p.Row)
	if errors.Is(err, pgx.ErrNoRows) {
		return Publication{}, false, nil
	}
	if err == nil {
		p.Tables, p.Torn, err = publishedTables(ctx, db, name)
	}
	if err == nil {
		p.Entries, err = entries(ctx, db, name)
	}
	if err != nil {
		return Publication{}, false, explain(ctx, db, err, publicationPlace(name))
	}
	return p, true, nil
}

// publishedTables looks again if tables came or went meanwhile: Postgres leaves out
// one that is dropped while it makes the list, also if its successor comes in the same
// transaction, so that no other session ever misses the table.
func publishedTables(ctx context.Context, db DB, name string) (tables []PublishedTable, torn bool, err error) {
	const tries = 5 // where somebody makes tables all the time, there is no quiet moment
	for range tries {
		before, err := whichTables(ctx, db)
		if err != nil {
			return nil, false, err
		}
		listed, failed := listPublished(ctx, db, name)
		after, err := whichTables(ctx, db)
		if err != nil || before == after {
			return listed, false, cmp.Or(failed, err)
		}
		if failed == nil {
			tables, torn = listed, true
		} else if !isState(failed, internalError) { // of a table that was dropped under its eyes
			return nil, false, failed
		}
	}
	if !torn {
		return nil, false, &fault.Error{
			Kind: fault.Unreachable, Where: publicationPlace(name), What: "its tables cannot be listed while others are dropped",
			Fix: "wait for what creates and drops them",
		}
	}
	return tables, true, nil
}

// whichTables is another whenever a table is created or dropped.
func whichTables(ctx context.Context, db DB) (digest string, err error) {
	err = db.QueryRow(ctx, `
		SELECT count(*) || ' ' || coalesce(sum(oid::bigint), 0)
		FROM pg_class WHERE relkind IN ('r', 'p') AND relpersistence <> 't'`).Scan(&digest)
	return digest, err
}

// listPublished reads a view that has column lists from Postgres 15 on.
func listPublished(ctx context.Context, db DB, name string) ([]PublishedTable, error) {
	rows, err := db.Query(ctx, `
		SELECT schemaname, tablename, ARRAY (SELECT jsonb_array_elements_text(to_jsonb(p) -> 'attnames'))
		FROM pg_publication_tables p WHERE pubname = $1 ORDER BY schemaname, tablename`, name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (t PublishedTable, err error) {
		err = row.Scan(&t.Schema, &t.Name, &t.Columns)
		return t, err
	})
}

// internalError is what Postgres calls a table that is gone when its columns are looked up.
const internalError = "XX000"

// entries asks the dependencies, which tell of tables and schemas alike on every version.
func entries(ctx context.Context, db DB, name string) ([]Entry, error) {
	rows, err := db.Query(ctx, `
		SELECT p.oid, true, 0::oid, '', '' FROM pg_publication p WHERE p.pubname = $1
		UNION ALL SELECT d.objid, false, coalesce(c.oid, 0), coalesce(n.nspname, (pg_identify_object_as_address(d.classid, d.objid, 0)).object_names[1], ''),
			coalesce(c.relname, '')
		FROM pg_depend d JOIN pg_publication p ON p.oid = d.refobjid
			LEFT JOIN pg_publication_rel r ON r.oid = d.objid AND d.classid = 'pg_publication_rel'::regclass
			LEFT JOIN pg_class c ON c.oid = r.prrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE p.pubname = $1 AND d.refclassid = 'pg_publication'::regclass
		ORDER BY 2 DESC, 1`, name) // itself first
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
		e.Publication = name
		err = row.Scan(&e.OID, &e.Self, &e.RelID, &e.Table.Schema, &e.Table.Name)
		return e, err
	})
}

// CreatePublication publishes all changes of the tables, those of partitions under
// the partitioned table's name. An existing publication is refused. Create it
// before the slot: a slot cannot decode what was written before its publication
// existed. From Postgres 18 on, stored generated columns are published too; no version
// can publish virtual ones.
func CreatePublication(ctx context.Context, db DB, name string, tables []schema.TableName) error {
	if name == "" || len(tables) == 0 {
		return &fault.Error{
			Kind:  fault.Usage,
			Where: publicationPlace(name),
			What:  "needs a name and at least one table",
		}
	}
	version, err := ServerVersion(ctx, db)
	create := PublicationSQL(name, tables, version)
	if err == nil {
		_, err = db.Exec(ctx, create)
	}
	switch {
	case err == nil:
		return nil
	case isState(err, duplicateObject):
		return existingPublication(name, err)
	case isState(err, undefinedTable), isState(err, undefinedSchema):
		return missingTables(ctx, db, name, tables, err)
	case isState(err, insufficientPrivilege):
		return mayNotPublish(ctx, db, name, create, tables, err)
	}
	return explain(ctx, db, err, publicationPlace(name))
}

// ServerVersion is the server's server_version_num, 180006 for 18.6. Errors are pgx's own.
func ServerVersion(ctx context.Context, db DB) (version int, err error) {
	err = db.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version)
	return version, err
}

// GeneratedFrom is the server_version_num from which generated columns can be published.
const GeneratedFrom = 180000

// PublicationSQL is the statement that [CreatePublication] runs on a server of that
// server_version_num, for whoever wants to run it by hand.
func PublicationSQL(name string, tables []schema.TableName, version int) string {
	generated := ""
	if version >= GeneratedFrom {
		generated = ", publish_generated_columns = stored"
	}
	return fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish_via_partition_root = true%s)",
		pgx.Identifier{name}.Sanitize(), strings.Join(quoted(tables), ", "), generated)
}

// quoted spells the tables as SQL does.
func quoted(tables []schema.TableName) []string {
	names := make([]string, len(tables))
	for i, table := range tables {
		names[i] = pgx.Identifier{table.Schema, table.Name}.Sanitize()
	}
	return names
}

// publicationPlace is how faults name a publication.
func publicationPlace(name string) string { return fmt.Sprintf("publication %q", name) }
