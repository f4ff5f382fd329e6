package schema_test

import (
	"testing"

	"penstock/schema"
)

func TestRelationIndex(t *testing.T) {
	r := schema.Relation{Columns: []schema.Column{{Name: "id"}, {Name: "title"}}}
	for name, want := range map[string]int{"id": 0, "title": 1, "ID": -1, "": -1} {
		if got := r.Index(name); got != want {
			t.Errorf("index of %q: got %d, want %d", name, got, want)
		}
	}
}

func TestReplicaIdentity(t *testing.T) {
	for identity, want := range map[schema.ReplicaIdentity]string{
		schema.IdentityDefault: "DEFAULT", schema.IdentityNothing: "NOTHING",
		schema.IdentityFull: "FULL", schema.IdentityIndex: "USING INDEX",
	} {
		if got := identity.String(); got != want || !identity.Valid() {
			t.Errorf("%c: got %s, valid %v, want %s", identity, got, identity.Valid(), want)
		}
	}
	if schema.ReplicaIdentity('x').Valid() {
		t.Error("identity x counts as valid")
	}
}
