package record_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock/schema"
	"penstock/schema/record"
)

func orders() *schema.Relation {
	return &schema.Relation{
		OID: 16384, Table: schema.TableName{Schema: "public", Name: "orders"}, Identity: schema.IdentityFull, Key: []int{2, 0},
		Columns: []schema.Column{
			{Name: "id", TypeOID: 20, TypeMod: -1, Type: &schema.Type{OID: 20, Schema: "pg_catalog", Name: "int8"}},
			{Name: `a <"note">`, TypeOID: 16400, TypeMod: 44, Type: &schema.Type{OID: 16400, Schema: "shop", Name: "mood"}},
			{Name: "gone", TypeOID: 16401, TypeMod: -1},
		},
	}
}

func TestRelationRoundTrip(t *testing.T) {
	want := record.RelationOf(orders(), 0x16_B374D848)
	value, err := record.AppendRelation([]byte("before "), &want)
	if err != nil {
		t.Fatal(err)
	}
	const text = `before {"lsn":"16/B374D848","columns":[{"name":"id","type":"int8","oid":20,"mod":-1},` +
		`{"name":"a <\"note\">","type":"shop.mood","oid":16400,"mod":44},{"name":"gone","type":"","oid":16401,"mod":-1}],"key":["gone","id"],"relid":16384}`
	if string(value) != text {
		t.Errorf("got  %s\nwant %s", value, text)
	}
	got, err := record.ParseRelation(want.Table, value[len("before "):])
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"", "{", `{}`, `{"columns":1}`, `{"lsn":"x","columns":[]}`} {
		if _, err := record.ParseRelation(want.Table, []byte(bad)); err == nil {
			t.Errorf("%q is no relation, and no error", bad)
		}
	}
	if _, err := record.ParseRelation(want.Table, []byte(`{"lsn":"0/1","columns":[],"key":null,"newer":{}}`)); err != nil {
		t.Errorf("a newer program's field: %v", err)
	}
}

func TestRelationKey(t *testing.T) {
	const capture = `cap"ture`
	table := schema.TableName{Schema: "a.b", Name: `c"d`}
	key, err := record.AppendRelationKey(nil, capture, table)
	if err != nil || string(key) != `{"capture":"cap\"ture","schema":"a.b","table":"c\"d"}` {
		t.Fatalf("got %s, %v", key, err)
	}
	if got, ok := record.ParseRelationKey(key, capture); !ok || got != table {
		t.Errorf("got %v, %t", got, ok)
	}
	if _, ok := record.ParseRelationKey(key, "another"); ok {
		t.Error("it is another capture's")
	}
	for _, other := range []string{"", capture, "{", "{}", "engagement", `["capture"]`} {
		if table, ok := record.ParseRelationKey([]byte(other), capture); ok {
			t.Errorf("%q is taken for the key of %v", other, table)
		}
	}
}

func TestSameRelation(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*schema.Relation)
		same   bool
	}{
		{"itself", func(*schema.Relation) {}, true},
		{"another object id and identity", func(r *schema.Relation) { r.OID, r.Identity = 7, schema.IdentityDefault }, true},
		{"what is no part of a row", func(r *schema.Relation) { r.Columns[0].NotNull, r.Columns[0].Default = true, "7" }, true},
		{"a type created anew", func(r *schema.Relation) { r.Columns[1].TypeOID = 9 }, true},
		{"a type of another name", func(r *schema.Relation) { r.Columns[1].Type = &schema.Type{Schema: "shop", Name: "temper"} }, true},
		{"another type", func(r *schema.Relation) {
			r.Columns[1].TypeOID, r.Columns[1].Type = 9, &schema.Type{Schema: "other", Name: "mood"}
		}, false},
		{"another type that nobody knows", func(r *schema.Relation) { r.Columns[2].TypeOID = 9 }, false},
		{"another modifier", func(r *schema.Relation) { r.Columns[1].TypeMod = 45 }, false},
		{"another name", func(r *schema.Relation) { r.Columns[0].Name = "ID" }, false},
		{"another order", func(r *schema.Relation) { r.Columns[0], r.Columns[1] = r.Columns[1], r.Columns[0] }, false},
		{"a column more", func(r *schema.Relation) { r.Columns = append(r.Columns, schema.Column{Name: "more"}) }, false},
		{"a column less", func(r *schema.Relation) { r.Columns, r.Key = r.Columns[:2], nil }, false},
		{"another key", func(r *schema.Relation) { r.Key = []int{0, 2} }, false},
		{"no key", func(r *schema.Relation) { r.Key = nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := orders()
			c.change(changed)
			before, now := record.RelationOf(orders(), 1), record.RelationOf(changed, 2)
			if before.Same(&now) != c.same || now.Same(&before) != c.same {
				t.Errorf("same is %t, want %t", !c.same, c.same)
			}
		})
	}
}

// TestWidestRelationFits into a record of a topic's usual 1 MB: Postgres allows 1,600
// columns, with names of 63 bytes.
func TestWidestRelationFits(t *testing.T) {
	rel := &schema.Relation{Table: schema.TableName{Schema: "s", Name: "t"}}
	kind := &schema.Type{Schema: strings.Repeat("<", 63), Name: strings.Repeat(`"`, 63)}
	for i := range 1600 {
		rel.Columns = append(rel.Columns, schema.Column{Name: fmt.Sprintf("%063d", i), TypeOID: 1 << 31, TypeMod: 1 << 30, Type: kind})
		rel.Key = append(rel.Key, i)
	}
	r := record.RelationOf(rel, 1)
	value, err := record.AppendRelation(nil, &r)
	if err != nil || len(value) > 1_000_000 {
		t.Errorf("%d bytes, %v", len(value), err)
	}
}

// TestColumnsThatAreGone are those that were dropped while none came, and are not back.
func TestColumnsThatAreGone(t *testing.T) {
	version := func(names ...string) *record.Relation {
		var r record.Relation
		for _, name := range names {
			r.Columns = append(r.Columns, record.Column{Name: name})
		}
		return &r
	}
	for _, c := range []struct {
		name     string
		versions []*record.Relation
		want     []string
	}{
		{"none", []*record.Relation{version("a", "b"), version("a", "b")}, nil},
		{"one", []*record.Relation{version("a", "b"), version("a")}, []string{"b"}},
		{"two, one after the other", []*record.Relation{version("a", "c", "b"), version("a", "c"), version("a")}, []string{"b", "c"}},
		{"still, when another comes", []*record.Relation{version("a", "b"), version("a"), version("a", "c")}, []string{"b"}},
		{"back", []*record.Relation{version("a", "b"), version("a"), version("a", "b")}, nil},
		{"maybe under another name", []*record.Relation{version("a", "b"), version("a", "c")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, v := range c.versions[1:] {
				v.Follow(c.versions[i])
			}
			if diff := cmp.Diff(c.want, c.versions[len(c.versions)-1].Gone); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
