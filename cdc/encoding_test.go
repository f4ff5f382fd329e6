package cdc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/cdc/format"
	"penstock/internal/stack/stacktest"
	"penstock/schema/record"
)

// encoded creates a database in an encoding, and returns its DSN.
func encoded(t *testing.T, dsn, encoding string) string {
	t.Helper()
	db := connect(t, dsn)
	if _, err := db.Exec(t.Context(), fmt.Sprintf("CREATE DATABASE d_%s ENCODING '%[1]s' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'", encoding)); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/d_" + encoding
	return u.String()
}

// TestDatabasesThatAreNotUTF8: text arrives as UTF-8 where Postgres can tell what
// it is. Where it cannot, bytes that are no UTF-8 become U+FFFD and stop nothing.
func TestDatabasesThatAreNotUTF8(t *testing.T) {
	server := stacktest.Postgres(t, nil)
	t.Run("LATIN1", func(t *testing.T) {
		s := newTables(t, encoded(t, server.DSN(), "latin1"), "SET client_encoding = 'UTF8'", "tablé")
		s.exec("CREATE TABLE tablé (idé int PRIMARY KEY, v text NOT NULL DEFAULT 'ü')")
		s.cfg.Tables[0].Format = format.Format{Schemas: true}
		s.cfg.Messages.Topic = s.cfg.Name + ".messages"
		c := s.startStreaming()
		s.exec("INSERT INTO tablé VALUES (1, 'é§'); SELECT pg_logical_emit_message(true, 'préfixe', 'x')")
		var got struct {
			Schema struct {
				Fields []struct {
					Fields []struct{ Field, Default any }
				}
			}
			Payload struct {
				After  map[string]any
				Source struct{ Table string }
			}
		}
		record := s.read(s.cfg.Tables[0].Topic, 1)[0]
		if err := json.Unmarshal(record.Value, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]any{"idé": 1.0, "v": "é§"}, got.Payload.After); diff != "" || got.Payload.Source.Table != "tablé" {
			t.Errorf("table %s, row (-want +got):\n%s", got.Payload.Source.Table, diff)
		}
		if v := got.Schema.Fields[0].Fields[1]; v.Field != "v" || v.Default != "ü" {
			t.Errorf("got column %+v, want v with the default ü", v)
		}
		var key struct{ Payload map[string]any }
		if err := json.Unmarshal(record.Key, &key); err != nil || key.Payload["idé"] != 1.0 {
			t.Errorf("got key %s, %v", record.Key, err)
		}
		if key := string(s.read(s.cfg.Messages.Topic, 1)[0].Key); key != `{"prefix":"préfixe"}` {
			t.Errorf("got the message with key %s", key)
		}
		c.finish()
	})
	t.Run("SQL_ASCII", func(t *testing.T) {
		s := newTables(t, encoded(t, server.DSN(), "sql_ascii"), "CREATE TABLE t (id int PRIMARY KEY, v text)", "t").plainly()
		c := s.startStreaming()
		s.exec(`INSERT INTO t VALUES (1, E'UTF-8 \xc3\xa9'), (2, E'LATIN1 \xe9!'), (3, 'ASCII')`)
		want := []string{`{"id":1} {"id":1,"v":"UTF-8 é"}`, `{"id":2} {"id":2,"v":"LATIN1 \ufffd!"}`, `{"id":3} {"id":3,"v":"ASCII"}`}
		records := s.read(s.cfg.Tables[0].Topic, 3)
		if diff := cmp.Diff(want, rows(records)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		for i, want := range []string{"", `{"v":"` + base64.StdEncoding.EncodeToString([]byte("LATIN1 \xe9!")) + `"}`, ""} {
			if got := headerOf(records[i], record.HeaderOctets); got != want {
				t.Errorf("record %d has octets %s, want %s", i, got, want)
			}
		}
		c.finish()
		for i, f := range []format.Format{{}, {Schemas: true}, {Kind: format.Text}} {
			s.cfg.Tables[0].Format = f
			c := s.startStreaming()
			s.exec(fmt.Sprintf(`INSERT INTO t VALUES (%d, E'LATIN1 \xe9!')`, 4+i))
			envelope := steady(t, s.read(s.cfg.Tables[0].Topic, 4+i)[3+i].Value)
			if payload, wrapped := envelope["payload"].(map[string]any); wrapped {
				envelope = payload
			}
			if diff := cmp.Diff(map[string]any{"id": float64(4 + i), "v": "LATIN1 \ufffd!"}, envelope["after"]); diff != "" {
				t.Errorf("%s, schemas %t (-want +got):\n%s", f.Kind, f.Schemas, diff)
			}
			c.finish()
		}
	})
}

// headerOf is a header's value; empty without one.
func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// TestSettingsOfTheRoleChangeNothing: neither a value nor a default of the schema.
func TestSettingsOfTheRoleChangeNothing(t *testing.T) {
	s := newTables(t, stacktest.Database(t), `
		CREATE TYPE pair AS (at timestamptz, ratio float8);
		CREATE TABLE t (
			d date DEFAULT '2020-02-01', ts timestamp DEFAULT '2020-02-01 03:04:05.678', tz timestamptz DEFAULT '2020-02-01 03:04:05+01',
			i interval DEFAULT '1 year 2 days 03:04:05', b bytea DEFAULT '\xdeadbeef', f float8 DEFAULT 0.1::float8 + 0.2::float8, r float4 DEFAULT 1.1,
			tzs timestamptz[], ivs interval[], days daterange, bytes bytea[], p pair, m money DEFAULT 1234.5)`, "t")
	insert := `INSERT INTO t (tzs, ivs, days, bytes, p) VALUES (ARRAY['2020-02-01 03:04:05+01'::timestamptz], ARRAY['-1 year 2 days'::interval],
		'[2020-02-01,2020-03-01)', ARRAY['\x00ff'::bytea], ROW('2020-02-01 03:04:05+01'::timestamptz, 1.0::float8 / 3))`
	for i, f := range []format.Format{{Kind: format.JSON}, {Schemas: true}, {Kind: format.Text}} {
		s.cfg.Tables[0].Format = f
		c := s.startStreaming()
		s.exec(insert)
		s.read(s.cfg.Tables[0].Topic, 2*i+1)
		c.finish()
		database, role := s.one("SELECT quote_ident(current_database())"), s.one("SELECT quote_ident(current_user)")
		for setting, value := range map[string]string{
			"DateStyle": "German", "IntervalStyle": "iso_8601", "bytea_output": "escape", "TimeZone": "Asia/Kolkata", "extra_float_digits": "-15",
			"client_encoding": "LATIN1", "search_path": "pg_catalog", "client_min_messages": "error",
		} {
			s.exec(fmt.Sprintf("ALTER DATABASE %s SET %s = '%s'", database, setting, value))
			s.exec(fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET %s = '%s'", role, database, setting, value))
		}
		c = s.startStreaming()
		s.exec(insert)
		records := s.read(s.cfg.Tables[0].Topic, 2*i+2)
		c.finish()
		s.exec(fmt.Sprintf("ALTER DATABASE %[2]s RESET ALL; ALTER ROLE %[1]s IN DATABASE %[2]s RESET ALL", role, database))
		before, after := steady(t, records[2*i].Value), steady(t, records[2*i+1].Value)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s, before and after the settings (-before +after):\n%s", f.Kind, diff)
		}
	}
}

// steady reads a value without what every record has of its own.
func steady(t *testing.T, value []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(value, &all); err != nil {
		t.Fatal(err)
	}
	envelope := all
	if payload, wrapped := all["payload"].(map[string]any); wrapped {
		envelope = payload
	}
	for _, own := range []string{"source", "ts_ms", "ts_us", "ts_ns"} {
		delete(envelope, own)
	}
	return all
}
