package cdc

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/backfill"
	"penstock/cdc/catalog"
	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/shape"
)

// TestKeysAreReadBack: in every format and mode the key of a row of any type is read back as the text that
// Postgres has for it, or refused. A type of which two texts make one key has to be refused as a whole: who
// looks for the one would not find the other, and take its row for gone.
func TestKeysAreReadBack(t *testing.T) {
	cfg := Config{DSN: stacktest.Database(t)}
	db, err := cfg.connectSQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	rel, rows := stream(t, db, typesOn(t, db))
	if err := catalog.New(cfg.connectSQL).Describe(t.Context(), rel); err != nil {
		t.Fatal(err)
	}
	for name, f := range everyFormat(t) {
		t.Run(name, func(t *testing.T) {
			types, values := map[string]bool{}, 0
			for i := range rel.Columns {
				n := readBack(t, f, rel, rows, i)
				values += n
				types[rel.Columns[i].Name] = n > 0
			}
			for _, least := range []string{"uuid", "date", "text", "int8"} {
				if !types[least] && !(least == "date" && name == "protobuf, time connect") {
					t.Errorf("no value of %s is read back", least)
				}
			}
			t.Logf("%d values of %d columns", values, len(types))
		})
	}
}

// readBack has a column be the key, and returns of how many rows it was read back.
func readBack(t *testing.T, f format.Format, rel *schema.Relation, rows []schema.Tuple, column int) (values int) {
	t.Helper()
	keyed, name := *rel, rel.Columns[column].Name
	keyed.Key, keyed.Identity, keyed.Columns = []int{column}, schema.IdentityFull, slices.Clone(rel.Columns)
	keyed.Columns[column].NotNull = true
	o, err := newOwnRows(t.Context(), &Config{}, &Table{Topic: "t", Format: f}, &keyed)
	if isRefusal(err) {
		return 0
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	texts := map[string]string{}
	for _, row := range rows {
		text := string(row[column].Data)
		key, err := o.encoder.AppendKey(nil, o.shape.Tuple(nil, row))
		if err != nil || row[column].Kind != schema.Text {
			continue // the stream would not deliver it either
		}
		if was, known := texts[string(key)]; known && was != text {
			t.Errorf("%s: %q and %q have the key %q", name, was, text, key)
		}
		texts[string(key)] = text
		got, err := o.key(string(key))
		if isRefusal(err) {
			continue
		}
		if want := backfill.AppendKey(nil, row, keyed.Key); err != nil || string(got) != string(want) {
			t.Errorf("%s: %q was read back as %q, want %q, %v", name, key, got, want, err)
		}
		values++
	}
	return values
}

func isRefusal(err error) bool {
	_, refused := errors.AsType[*backfill.Refusal](err)
	return refused
}

func TestKeysThatRulesMake(t *testing.T) {
	text := &schema.Type{OID: typeText, Schema: "pg_catalog", Name: "text", Kind: schema.TypeBase, Mod: -1}
	rel := &schema.Relation{Identity: schema.IdentityDefault, Key: []int{0}, Columns: []schema.Column{
		{Name: "id", TypeOID: typeText, TypeMod: -1, Type: text, Identity: true, NotNull: true}, {Name: "other", TypeOID: typeText, TypeMod: -1, Type: text},
	}}
	open := func(rules shape.Rules) (*ownRows, error) {
		return newOwnRows(t.Context(), &Config{}, &Table{Topic: "t", Rules: rules}, rel)
	}
	for name, rules := range map[string]shape.Rules{
		"masked": {Mask: map[string]shape.Mask{"id": {Salt: []byte("s")}}}, "cut": {Truncate: map[string]int{"id": 3}}, "another": {Key: []string{"other"}},
	} {
		if _, err := open(rules); !isRefusal(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, err := open(shape.Rules{Exclude: []string{"other"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.key(`{"id":7}`); !isRefusal(err) {
		t.Errorf("a key of another format: %v", err)
	}
	key, err := o.key(`{"id":"7"}`)
	if row := keyRow(rel, key); err != nil || !slices.Equal(row[0].Data, []byte("7")) || row[1].Kind != schema.Null {
		t.Errorf("got %q, %+v, %v", key, row, err)
	}
}

func TestWhatAValueSays(t *testing.T) {
	for value, op := range map[string]string{
		`{"before":{"op":"d"},"op":"c"}`: "c", `{"op":"d"}`: "d", `{"schema":{},"payload":{"op":"d"}}`: "d", `{"data":{"payload":{"op":"u"}}}`: "u",
		`no JSON`: "", `{}`: "",
	} {
		if got := opOf([]byte(value)); got != op {
			t.Errorf("%s: %q, want %q", value, got, op)
		}
	}
}

// TestARecordWithoutAKey is a truncation, or of what cannot be told: a row of a time when the table had no key.
func TestARecordWithoutAKey(t *testing.T) {
	o := &ownRows{table: &Table{}}
	for value, want := range map[string]struct{ truncated, fails bool }{
		`{"op":"t"}`: {truncated: true}, `of Avro`: {truncated: true}, `{"op":"c"}`: {fails: true},
	} {
		_, _, truncated, err := o.about(&kgo.Record{Value: []byte(value)})
		if truncated != want.truncated || (err != nil) != want.fails {
			t.Errorf("%s: truncated %v, %v, want %+v", value, truncated, err, want)
		}
	}
}
