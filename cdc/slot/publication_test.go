package slot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
)

func TestAPublicationIsCreatedAndFound(t *testing.T) {
	db := setup(t)
	db.exec(t, `
		CREATE TABLE orders (id int PRIMARY KEY);
		CREATE SCHEMA "My Shop";
		CREATE TABLE "My Shop"."Lines" (id int PRIMARY KEY) PARTITION BY RANGE (id);
		CREATE TABLE "My Shop".lines_1 PARTITION OF "My Shop"."Lines" FOR VALUES FROM (1) TO (9)`)
	tables := []schema.TableName{{Schema: "My Shop", Name: "Lines"}, {Schema: "public", Name: "orders"}}
	if err := slot.CreatePublication(t.Context(), db, `the "shop"`, tables); err != nil {
		t.Fatal(err)
	}
	got, found, err := slot.FindPublication(t.Context(), db, `the "shop"`)
	if err != nil || !found {
		t.Fatalf("found %t, error %v", found, err)
	}
	if len(got.Entries) != 3 || got.Entries[0].String() != `publication the "shop"` {
		t.Errorf("entries %v, want the publication and its two tables", got.Entries)
	}
	got.Entries, got.Row = nil, ""
	id := []string{"id"}
	want := slot.Publication{
		Name: `the "shop"`, Tables: []slot.PublishedTable{{tables[0], id}, {tables[1], id}}, Insert: true, Update: true, Delete: true, Truncate: true, ViaRoot: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestATableMadeAnewIsNeverAway: it is dropped and created in one transaction, over
// and over, while its publication is looked at. It is there, or it cannot be told.
func TestATableMadeAnewIsNeverAway(t *testing.T) {
	db := setup(t)
	db.exec(t, "CREATE TABLE other (id int); CREATE TABLE orders (id int PRIMARY KEY); CREATE PUBLICATION everything FOR ALL TABLES")
	other, err := pgx.Connect(t.Context(), db.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	const times = 500
	made := make(chan error, 1)
	go func() {
		for range times {
			if _, err := other.Exec(t.Context(), "DROP TABLE orders; CREATE TABLE orders (id int PRIMARY KEY)"); err != nil {
				made <- err
				return
			}
		}
		made <- other.Close(t.Context())
	}()
	for looks := 0; ; looks++ {
		got, _, err := slot.FindPublication(t.Context(), db, "everything")
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Tables) != 2 && !got.Torn {
			t.Fatalf("look %d: tables %v, want other and orders", looks, got.Tables)
		}
		select {
		case err := <-made:
			if got, _, last := slot.FindPublication(t.Context(), db, "everything"); err != nil || last != nil || got.Torn || len(got.Tables) != 2 {
				t.Fatalf("in the end: %v, %v, %+v", err, last, got)
			}
			return
		default:
		}
	}
}

func TestPublicationsOfOthersAreReadAsTheyAre(t *testing.T) {
	db := setup(t)
	db.exec(t, `
		CREATE TABLE orders (id int PRIMARY KEY);
		CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, delete');
		CREATE PUBLICATION nothing`)
	want := map[string]slot.Publication{
		"everything": {
			Name: "everything", Tables: []slot.PublishedTable{{schema.TableName{Schema: "public", Name: "orders"}, []string{"id"}}},
			AllTables: true, Insert: true, Delete: true,
		},
		"nothing": {Name: "nothing", Tables: []slot.PublishedTable{}, Insert: true, Update: true, Delete: true, Truncate: true},
	}
	for name, want := range want {
		got, found, err := slot.FindPublication(t.Context(), db, name)
		if err != nil || !found {
			t.Fatalf("%s: found %t, error %v", name, found, err)
		}
		got.Entries, got.Row = nil, ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if _, found, err := slot.FindPublication(t.Context(), db, "missing"); err != nil || found {
		t.Errorf("missing publication: found %t, error %v", found, err)
	}
}

func TestAPublicationThatCannotBeIsRefusedWithTheReason(t *testing.T) {
	cases := []struct {
		name   string
		setup  string
		asRole bool
		tables []schema.TableName
		kind   fault.Kind
		what   string // {role} and {database} are those of the session
	}{
		{
			name: "exists", setup: "CREATE TABLE a (id int); CREATE PUBLICATION shop", tables: tables("public.a"),
			kind: fault.Refused, what: "the publication exists already",
		},
		{
			name: "missing tables and schema", setup: "CREATE TABLE a (id int)", tables: tables("public.b", "public.a", "x.c"),
			kind: fault.Usage, what: `no such table: "public"."b", "x"."c"`,
		},
		{
			name: "may not create", setup: "CREATE TABLE a (id int)", tables: tables("public.a"), asRole: true,
			kind: fault.Usage, what: "role {role} may not create in database {database}",
		},
		{
			name: "not the owner", tables: tables("public.a"), asRole: true,
			setup: "CREATE TABLE a (id int); DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO PUBLIC', current_database()); END $$",
			kind:  fault.Usage, what: `role {role} does not own "public"."a"`,
		},
		{
			name: "not a table", setup: "CREATE VIEW a AS SELECT 1 AS id", tables: tables("public.a"),
			kind: fault.Runtime, what: "Postgres refused",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db := setup(t)
			db.exec(t, c.setup)
			what := c.what
			if c.asRole {
				var database string
				if err := db.QueryRow(t.Context(), "SELECT current_database()").Scan(&database); err != nil {
					t.Fatal(err)
				}
				what = strings.NewReplacer(
					"{role}", fmt.Sprintf("%q", db.role(t, "writer")),
					"{database}", fmt.Sprintf("%q", database),
				).Replace(what)
			}
			err := slot.CreatePublication(t.Context(), db, "shop", c.tables)
			if f := asFault(t, err); f.Kind != c.kind || f.What != what {
				t.Errorf("got kind %d, %q\nwant kind %d, %q\n(%v)", f.Kind, f.What, c.kind, what, err)
			} else if c.name == "not the owner" && !strings.Contains(f.Fix, `create it: CREATE PUBLICATION "shop" FOR TABLE "public"."a"`) {
				t.Errorf("fix %q has no statement", f.Fix)
			}
		})
	}
}

// tables reads names such as public.orders.
func tables(names ...string) []schema.TableName {
	parsed := make([]schema.TableName, len(names))
	for i, name := range names {
		parsed[i].Schema, parsed[i].Name, _ = strings.Cut(name, ".")
	}
	return parsed
}
