package slot

import (
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
	Tables    []schema.TableName `json:"tables"`
	AllTables bool               `json:"all_tables"` // also the tables made later
	Insert    bool               `json:"insert"`
	Update    bool               `json:"update"`
	Delete    bool               `json:"delete"`
	Truncate  bool               `json:"truncate"`
	ViaRoot   bool               `json:"via_root"`
}

// FindPublication returns the named publication of db's database and whether there
// is one.
func FindPublication(ctx context.Context, db DB, name string) (Publication, bool, error) {
	p := Publication{Name: name}
	err := db.QueryRow(ctx, `
		SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
		FROM pg_publication WHERE pubname = $1`, name,
	).Scan(&p.AllTables, &p.Insert, &p.Update, &p.Delete, &p.Truncate, &p.ViaRoot)
	if errors.Is(err, pgx.ErrNoRows) {
		return Publication{}, false, nil
	}
	if err == nil {
		p.Tables, err = publishedTables(ctx, db, name)
	}
	if err != nil {
		return Publication{}, false, explain(ctx, db, err, publicationPlace(name))
	}
	return p, true, nil
}

func publishedTables(ctx context.Context, db DB, name string) ([]schema.TableName, error) {
	rows, err := db.Query(ctx, `
		SELECT schemaname, tablename FROM pg_publication_tables
		WHERE pubname = $1 ORDER BY schemaname, tablename`, name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[schema.TableName])
}

// CreatePublication publishes all changes of the tables, those of partitions under
// the partitioned table's name. An existing publication is refused. Create it
// before the slot: a slot cannot decode what was written before its publication
// existed.
func CreatePublication(ctx context.Context, db DB, name string, tables []schema.TableName) error {
	if name == "" || len(tables) == 0 {
		return &fault.Error{
			Kind:  fault.Usage,
			Where: publicationPlace(name),
			What:  "needs a name and at least one table",
		}
	}
	_, err := db.Exec(ctx, PublicationSQL(name, tables))
	switch {
	case err == nil:
		return nil
	case isState(err, duplicateObject):
		return existingPublication(name, err)
	case isState(err, undefinedTable), isState(err, undefinedSchema):
		return missingTables(ctx, db, name, tables, err)
	case isState(err, insufficientPrivilege):
		return mayNotPublish(ctx, db, name, tables, err)
	}
	return explain(ctx, db, err, publicationPlace(name))
}

// PublicationSQL is the statement that [CreatePublication] runs, for whoever wants
// to run it by hand.
func PublicationSQL(name string, tables []schema.TableName) string {
	return fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish_via_partition_root = true)",
		pgx.Identifier{name}.Sanitize(), strings.Join(quoted(tables), ", "))
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
