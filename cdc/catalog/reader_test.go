package catalog_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"penstock/cdc/catalog"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// source is a database with one connection, and a Reader that counts its own.
type source struct {
	t      *testing.T
	db     *pgx.Conn
	reader *catalog.Reader
	opened []*pgx.Conn
}

func newSource(t *testing.T) *source {
	s := &source{t: t}
	dsn := stacktest.Database(t)
	connect := func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, dsn) }
	var err error
	if s.db, err = connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.reader = catalog.New(func(ctx context.Context) (*pgx.Conn, error) {
		conn, err := connect(ctx)
		s.opened = append(s.opened, conn)
		return conn, err
	})
	t.Cleanup(func() {
		if err := s.reader.Close(context.Background()); err != nil {
			t.Error(err)
		}
		_ = s.db.Close(context.Background())
	})
	return s
}

func (s *source) exec(sql string) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// relation is a table as pgoutput would announce it.
func (s *source) relation(table string, identity schema.ReplicaIdentity) *schema.Relation {
	s.t.Helper()
	rel := &schema.Relation{Table: schema.TableName{Schema: "public", Name: table}, Identity: identity}
	rows, err := s.db.Query(s.t.Context(), `SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, $2::text = 'f' OR i.indrelid IS NOT NULL
		FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND a.attnum = ANY (i.indkey)
			AND (i.indisprimary AND $2 = 'd' OR i.indisreplident AND $2 = 'i')
		WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, table, string(identity))
	if err != nil {
		s.t.Fatal(err)
	}
	var c schema.Column
	_, err = pgx.ForEachRow(rows, []any{&rel.OID, &c.Name, &c.TypeOID, &c.TypeMod, &c.Identity}, func() error {
		rel.Columns = append(rel.Columns, c)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return rel
}

func (s *source) describe(rel *schema.Relation) {
	s.t.Helper()
	if err := s.reader.Describe(s.t.Context(), rel); err != nil {
		s.t.Fatal(err)
	}
}

func TestDescribe(t *testing.T) {
	s := newSource(t)
	s.exec(`CREATE TYPE mood AS ENUM ('sad', 'happy'); ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy';
		CREATE DOMAIN amount AS numeric(10, 2); CREATE DOMAIN price AS amount NOT NULL;
		CREATE TYPE pair AS (a int, b varchar(5));
		CREATE TABLE t (b int, id bigint GENERATED ALWAYS AS IDENTITY, a int DEFAULT 7, m mood[] NOT NULL, p price, c pair, r int4range,
			rs int4multirange, bx box[], twice int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (id, b))`)
	rel := s.relation("t", schema.IdentityDefault)
	s.describe(rel)

	if diff := cmp.Diff([]int{1, 0}, rel.Key); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	column := func(name string) schema.Column { return rel.Columns[rel.Index(name)] }
	for name, want := range map[string]schema.Column{
		"id": {NotNull: true}, "a": {Default: "7"}, "m": {NotNull: true}, "twice": {Generated: true}, "p": {NotNull: true},
	} {
		if got := column(name); got.NotNull != want.NotNull || got.Default != want.Default || got.Generated != want.Generated {
			t.Errorf("column %s: got %+v, want %+v", name, got, want)
		}
	}
	mood := column("m").Type
	if mood.Kind != schema.TypeArray || mood.Delimiter != ',' || mood.Elem.Kind != schema.TypeEnum {
		t.Errorf("mood[]: %+v of %+v", mood, mood.Elem)
	}
	if diff := cmp.Diff([]string{"sad", "ok", "happy"}, mood.Elem.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if base, mod := column("p").Type.Base(-1); base.Name != "numeric" || mod != 10<<16+2+4 {
		t.Errorf("price is a domain over %s, modifier %d", base.Name, mod)
	}
	pair := column("c").Type
	if pair.Kind != schema.TypeComposite || len(pair.Fields) != 2 || pair.Fields[1].Type.Name != "varchar" || pair.Fields[1].Mod != 9 {
		t.Errorf("pair: %+v", pair)
	}
	if r := column("r").Type; r.Kind != schema.TypeRange || r.Elem.Name != "int4" {
		t.Errorf("int4range: %+v", r)
	}
	if r := column("rs").Type; r.Kind != schema.TypeMultirange || r.Elem.Name != "int4range" || r.Elem.Elem.Name != "int4" {
		t.Errorf("int4multirange: %+v", r)
	}
	if b := column("bx").Type; b.Kind != schema.TypeArray || b.Delimiter != ';' {
		t.Errorf("box[]: %+v", b)
	}
}

func TestKeys(t *testing.T) {
	s := newSource(t)
	s.exec(`CREATE TABLE none (a int, b int NOT NULL)`)
	cases := []struct {
		name     string
		sql      string
		identity schema.ReplicaIdentity
		want     []int
	}{
		{"no key", "", schema.IdentityFull, nil},
		{"an index that is not unique", "CREATE INDEX a ON none (b)", schema.IdentityFull, nil},
		{"a unique index of what takes NULL", "CREATE UNIQUE INDEX b ON none (b, a)", schema.IdentityFull, nil},
		{"a unique index of a part of the rows", "CREATE UNIQUE INDEX c ON none (b) WHERE a > 0", schema.IdentityFull, nil},
		{"a unique index of an expression", "CREATE UNIQUE INDEX d ON none (b, (b + 1))", schema.IdentityFull, nil},
		{"a constraint that may be broken for a while", "ALTER TABLE none ADD CONSTRAINT e UNIQUE (b) DEFERRABLE", schema.IdentityFull, nil},
		{"a unique index", "CREATE UNIQUE INDEX none_b ON none (b)", schema.IdentityFull, []int{1}},
		{"a unique index, and no identity", "", schema.IdentityNothing, []int{1}},
		{"a unique index, and inserts are all that may be", "", schema.IdentityDefault, []int{1}},
		{"the first by name goes before it", "ALTER TABLE none ADD c int NOT NULL; CREATE UNIQUE INDEX f ON none (c, b) INCLUDE (a)", schema.IdentityFull, []int{2, 1}},
		{"unless it is the one that the table is clustered by", "CLUSTER none USING none_b", schema.IdentityFull, []int{1}},
		{"the index of the identity", "ALTER TABLE none REPLICA IDENTITY USING INDEX none_b", schema.IdentityIndex, []int{1}},
		{"a primary key goes before it", "ALTER TABLE none ADD PRIMARY KEY (a)", schema.IdentityIndex, []int{0}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s.exec(c.sql)
			rel := s.relation("none", c.identity)
			s.describe(rel)
			if diff := cmp.Diff(c.want, rel.Key); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheLogKnowsTheKey: under REPLICA IDENTITY DEFAULT it says which columns the
// primary key had, whatever it is now.
func TestTheLogKnowsTheKey(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"another primary key", "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (b)"},
		{"a unique index instead", "ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER b SET NOT NULL, ADD UNIQUE (b)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSource(t)
			s.exec("CREATE TABLE t (a int PRIMARY KEY, b int)")
			rel := s.relation("t", schema.IdentityDefault)
			s.exec(c.sql)
			s.describe(rel)
			if diff := cmp.Diff([]int{0}, rel.Key); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKeyWithAnotherNameNow: the log does not say under REPLICA IDENTITY FULL which
// columns the key has. A renamed one is found by its place, or not at all: it is
// never another column.
func TestKeyWithAnotherNameNow(t *testing.T) {
	for _, c := range []struct {
		name, sql string
		want      []int
	}{
		{"renamed", "ALTER TABLE t RENAME COLUMN id TO key", []int{1}},
		{"renamed, and others are new", "ALTER TABLE t RENAME COLUMN id TO key; ALTER TABLE t ADD COLUMN id2 int", []int{1}},
		{"renamed, and another has its name", "ALTER TABLE t RENAME COLUMN id TO key; ALTER TABLE t RENAME COLUMN other TO id", nil},
		{"renamed, and one before it is gone", "ALTER TABLE t RENAME COLUMN id TO key; ALTER TABLE t DROP COLUMN other", nil},
		{"another", "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (other)", []int{0}},
		{"new", "ALTER TABLE t DROP COLUMN id, ADD COLUMN key int PRIMARY KEY", nil},
		{"gone", "ALTER TABLE t DROP CONSTRAINT t_pkey", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSource(t)
			s.exec("CREATE TABLE t (other int, id int PRIMARY KEY, note text)")
			rel := s.relation("t", schema.IdentityFull)
			s.exec(c.sql)
			s.describe(rel)
			if diff := cmp.Diff(c.want, rel.Key); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsGoneStaysAsTheLogHasIt(t *testing.T) {
	s := newSource(t)
	s.exec("CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (a int PRIMARY KEY, m mood)")
	rel := s.relation("t", schema.IdentityDefault)
	s.exec("DROP TABLE t; DROP TYPE mood")
	s.describe(rel)
	if rel.Columns[0].Type == nil || rel.Columns[1].Type != nil {
		t.Errorf("types %v and %v, want int4 and none", rel.Columns[0].Type, rel.Columns[1].Type)
	}
	if diff := cmp.Diff([]int{0}, rel.Key); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
}

// TestALostConnectionIsReplaced: it may have been idle for days.
func TestALostConnectionIsReplaced(t *testing.T) {
	s := newSource(t)
	s.exec("CREATE TABLE t (a int PRIMARY KEY)")
	rel := s.relation("t", schema.IdentityDefault)
	s.describe(rel)
	pid := s.opened[0].PgConn().PID()
	var ended bool
	if err := s.db.QueryRow(t.Context(), "SELECT pg_terminate_backend($1, 5000)", pid).Scan(&ended); err != nil || !ended {
		t.Fatalf("end the connection: %t, %v", ended, err)
	}
	s.describe(rel)
	if len(s.opened) != 2 {
		t.Errorf("%d connections were opened, want 2", len(s.opened))
	}
}
