package cdc_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"penstock/cdc"
	"penstock/internal/fault"
	"penstock/internal/stack/stacktest"
	"penstock/schema"
	"penstock/schema/shape"
)

// people has a column that nobody may see, and a generated one that no log has.
const people = "CREATE TABLE t (id int PRIMARY KEY, email text, n int, age int GENERATED ALWAYS AS (n * 2) STORED)"

// TestMisspeltColumnsAreRefused before anything is created, all of them, each with its place.
func TestMisspeltColumnsAreRefused(t *testing.T) {
	salt := shape.Mask{Salt: []byte("s")}
	for name, test := range map[string]struct {
		publication string
		rules       shape.Rules
		parts       []string
	}{
		"a pattern to exclude": {"", shape.Rules{Exclude: []string{"n", "emial*"}}, []string{`exclude[1] (file:1:1): no column of table public.t matches "emial*"`}},
		"a pattern to include": {"", shape.Rules{Include: []string{"emial*", "id"}}, []string{`include[0] (file:1:1): no column of table public.t matches "emial*"`}},
		"a pattern to mask": {"", shape.Rules{Mask: map[string]shape.Mask{"emial*": salt}}, []string{
			`mask.emial* (file:1:1): no column of table public.t matches "emial*"`}},
		"a pattern to truncate": {"", shape.Rules{Truncate: map[string]int{"emial*": 1}}, []string{
			`truncate.emial* (file:1:1): no column of table public.t matches "emial*"`}},
		"names": {"", shape.Rules{
			Include: []string{"id", "in"}, Exclude: []string{"ex"}, Key: []string{"id", "ke"}, Partition: []string{"pa"},
			Mask: map[string]shape.Mask{"ma": salt}, Truncate: map[string]int{"Email": 1},
		}, []string{
			`include[1] (file:1:1): table public.t has no column "in"`, `exclude[0] (file:1:1): table public.t has no column "ex"`,
			`key[1] (file:1:1): table public.t has no column "ke"`, `partition[0] (file:1:1): table public.t has no column "pa"`,
			`mask.ma (file:1:1): table public.t has no column "ma"`, `truncate.Email (file:1:1): table public.t has no column "Email" (fix: write email`,
		}},
		"a number that is cut": {"", shape.Rules{Truncate: map[string]int{"n": 1}}, []string{"truncate.n (file:1:1): column n of table public.t has type int4"}},
		"every column":         {"", shape.Rules{Exclude: []string{"id", "email", "n", "age"}}, []string{"exclude (file:1:1): no column of table public.t is left"}},
		"a column that the publication leaves out": {
			"CREATE PUBLICATION p FOR TABLE t (id, n)", shape.Rules{Mask: map[string]shape.Mask{"email": salt}}, []string{`mask.email (file:1:1): table public.t has no column "email"`}},
		"a pattern of a column that is not sent": {
			"CREATE PUBLICATION p FOR TABLE t", shape.Rules{Exclude: []string{"ag?"}}, []string{`exclude[0] (file:1:1): no column of table public.t matches "ag?"`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), people, "t").plainly()
			if name == "every column" && s.one("SELECT (current_setting('server_version_num')::int < 180000)::text") == "true" {
				test.rules.Exclude = test.rules.Exclude[:3] // the last one is not sent
			}
			if test.publication != "" {
				s.exec(test.publication)
			}
			s.cfg.Place = func(_ schema.TableName, rule string) string { return rule + " (file:1:1)" }
			s.cfg.Tables[0].Rules = test.rules
			err := s.refusal()
			expect(t, err, fault.Usage, test.parts...)
			if strings.Contains(err.Error(), "REPLICA IDENTITY") {
				t.Errorf("a column that is not there is told of twice: %v", err)
			}
			if slots := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()"); slots != "0" {
				t.Errorf("%s slots were created", slots)
			}
		})
	}
}

// TestRulesOfColumnsThatAreGone: the log may still have what a rule hides, so that the
// capture starts, says what will be refused, delivers older rows masked, and refuses the
// first that has no such column.
func TestRulesOfColumnsThatAreGone(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, email text)", "t").plainly()
	s.cfg.Tables[0].Rules.Mask = map[string]shape.Mask{"em*": {Salt: []byte("s")}}
	s.startStreaming().finish()
	s.exec("INSERT INTO t VALUES (1, 'ada@example.org'); ALTER TABLE t RENAME COLUMN email TO mail")
	core, logs := observer.New(zapcore.WarnLevel)
	c := s.startWith(zap.New(core))
	masked := rows(s.read(s.cfg.Tables[0].Topic, 1))
	if len(masked) != 1 || !strings.HasPrefix(masked[0], `{"id":1} {"id":1,"email":"`) || strings.Contains(masked[0], "ada") {
		t.Errorf("got %q", masked)
	}
	warned := logs.FilterMessage("the configuration does not fit tables as they are now: their rows may be refused").All()
	if len(warned) != 1 {
		t.Errorf("%d warnings, want one: %v", len(warned), logs.All())
	}
	s.exec("INSERT INTO t VALUES (2, 'bob@example.org')")
	err := c.wait()
	expect(t, err, fault.Refused, "public.t, commit ", `no column of table public.t matches "em*"`, "at records.tables.public.t.mask.em*, and start again")
	if strings.Contains(err.Error(), "shape ") {
		t.Errorf("not plain: %v", err)
	}
	s.cfg.Tables[0].Rules = shape.Rules{Include: []string{"id"}}
	c = s.startStreaming()
	s.delivered("with what remains", masked[0], `{"id":2} {"id":2}`)
	c.finish()
}

// TestMisspeltKeyIsRefused with its own reason; where there is a slot, at the first row, since
// it may be right for older ones.
func TestMisspeltKeyIsRefused(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, email text)", "t").plainly()
	for _, kind := range []fault.Kind{fault.Usage, fault.Refused} {
		for _, rules := range []shape.Rules{{Key: []string{"idd"}}, {Partition: []string{"idd"}}} {
			s.cfg.Tables[0].Rules = rules
			err := s.refusal()
			expect(t, err, kind, `table public.t has no column "idd"`, "(fix: correct the name")
			if strings.Contains(err.Error(), "REPLICA IDENTITY") {
				t.Errorf("told of an identity: %v", err)
			}
		}
		s.cfg.Tables[0].Rules = shape.Rules{}
		s.startStreaming().finishAt(s)
		s.exec("INSERT INTO t VALUES (1, 'ada@example.org') ON CONFLICT DO NOTHING")
	}
}

// TestRenamedKeyColumn while nobody runs: what was written before is delivered by the old
// name, and what comes after by the new one.
func TestRenamedKeyColumn(t *testing.T) {
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, a text); ALTER TABLE t REPLICA IDENTITY FULL", "t").plainly()
	s.cfg.Tables[0].Rules = shape.Rules{Key: []string{"a"}}
	s.startStreaming().finishAt(s)
	for _, sql := range []string{"INSERT INTO t VALUES (1, 'x')", "ALTER TABLE t RENAME a TO b", "INSERT INTO t VALUES (2, 'y')"} {
		s.exec(sql)
	}
	expect(t, s.refusal(), fault.Refused, `has no column "a"`)
	s.delivered("by the old name", `{"a":"x"} {"id":1,"a":"x"}`)
	s.cfg.Tables[0].Rules = shape.Rules{Key: []string{"b"}}
	c := s.startStreaming()
	s.delivered("by the new one", `{"a":"x"} {"id":1,"a":"x"}`, `{"b":"y"} {"id":2,"b":"y"}`)
	c.finish()
}

// TestDroppedColumnsNeedNoRule: neither in the transaction that drops one that a rule names, nor
// behind a restart, nor when another column comes later. One that may be it under another
// name stays refused.
func TestDroppedColumnsNeedNoRule(t *testing.T) {
	for name, rules := range map[string]shape.Rules{
		"exclude": {Exclude: []string{"secret"}}, "pattern": {Exclude: []string{"sec*"}}, "mask": {Mask: map[string]shape.Mask{"secret": {Salt: []byte("s")}}},
		"truncate": {Truncate: map[string]int{"secret": 1}}, "include": {Include: []string{"id", "secret", "late", "more"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, secret text, late int, more int)", "t").plainly()
			s.cfg.Tables[0].Rules = rules
			c := s.startStreaming()
			s.exec("BEGIN; INSERT INTO t VALUES (1, 'aha', 1, 1); ALTER TABLE t DROP secret; INSERT INTO t VALUES (2, 2, 2); COMMIT")
			if got := rows(s.read(s.cfg.Tables[0].Topic, 2)); got[1] != `{"id":2} {"id":2,"late":2,"more":2}` || strings.Contains(got[0], "aha") && name != "include" {
				t.Errorf("got %q", got)
			}
			c.finish()
			c = s.startStreaming()
			s.exec("INSERT INTO t VALUES (3, 3, 3); ALTER TABLE t ADD again int; INSERT INTO t VALUES (4, 4, 4, 4)")
			if got := rows(s.read(s.cfg.Tables[0].Topic, 4)); !strings.HasPrefix(got[3], `{"id":4} {"id":4,"late":4`) {
				t.Errorf("got %q", got)
			}
			c.finish()
		})
	}
	s := newTables(t, stacktest.Database(t), "CREATE TABLE t (id int PRIMARY KEY, secret text)", "t").plainly()
	s.cfg.Tables[0].Rules = shape.Rules{Exclude: []string{"secret"}}
	c := s.startStreaming()
	s.exec("INSERT INTO t VALUES (1, 'aha'); ALTER TABLE t RENAME secret TO hidden; INSERT INTO t VALUES (2, 'aha')")
	expect(t, c.wait(), fault.Refused, `has no column "secret"`)
}

// TestMisspeltJoinColumnsAreRefused before anything is created.
func TestMisspeltJoinColumnsAreRefused(t *testing.T) {
	for name, plant := range map[string]func(*source){
		"a name": func(s *source) { s.cfg.Pipelines[0].Stream.Column = "contentid" },
		"a column that the publication leaves out": func(s *source) {
			s.exec("CREATE TABLE others (id bigint PRIMARY KEY, content_id text); ALTER TABLE others REPLICA IDENTITY FULL")
			s.exec("CREATE PUBLICATION p FOR TABLE content, others (id)")
			s.cfg.Tables[1].Name.Name, s.cfg.Pipelines[0].Stream.Table.Name = "others", "others"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			plant(s)
			side := s.cfg.Pipelines[0].Stream
			expect(t, s.refusal(), fault.Usage, "pipelines.metrics.stream.column: table "+side.Table.String()+` has no column "`+side.Column+`"`)
			if slots := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()"); slots != "0" {
				t.Errorf("%s slots were created", slots)
			}
		})
	}
}

// TestDeclarationsAreHeldAgainstTheCatalogue before anything is created.
func TestDeclarationsAreHeldAgainstTheCatalogue(t *testing.T) {
	column := func(name string, types ...string) cdc.JoinColumn { return cdc.JoinColumn{Name: name, Types: types} }
	for name, c := range map[string]struct {
		stream, lookup cdc.JoinSide // of which columns and key count
		want           []string
	}{
		"as it is": {
			stream: cdc.JoinSide{Key: []string{"id"}, Columns: []cdc.JoinColumn{
				{Name: "id", Types: []string{"int2", "int4", "int8"}, NotNull: true}, column("content_id"),
			}},
			lookup: cdc.JoinSide{Key: []string{"id"}, Columns: []cdc.JoinColumn{{Name: "id", NotNull: true}}},
		},
		"other types": {
			stream: cdc.JoinSide{Columns: []cdc.JoinColumn{column("id"), column("content_id", "int8"), column("zebra", "int8"), {Name: "content_id", NotNull: true}}},
			lookup: cdc.JoinSide{Key: []string{"slug"}, Columns: []cdc.JoinColumn{column("id", "float8", "uuid")}},
			want: []string{
				"pipelines.metrics.stream.columns.id: column id of public.events is int8",
				"pipelines.metrics.stream.columns.content_id: column content_id of public.events is text",
				`pipelines.metrics.stream.columns.zebra: table public.events has no column "zebra"`,
				"pipelines.metrics.stream.columns.content_id: column content_id of public.events takes NULL",
				"pipelines.metrics.lookup.columns.id: column id of public.content is text",
				"pipelines.metrics.lookup.column: the key of public.content is (id), not (slug)",
			},
		},
		"another key": {
			stream: cdc.JoinSide{Key: []string{"content_id", "id"}, Columns: []cdc.JoinColumn{column("id", "int8")}},
			want:   []string{"pipelines.metrics.stream.key: the key of public.events is (id), not (content_id, id)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t)
			p := &s.cfg.Pipelines[0]
			p.Stream.Columns, p.Stream.Key, p.Lookup.Columns, p.Lookup.Key = c.stream.Columns, c.stream.Key, c.lookup.Columns, c.lookup.Key
			if len(c.want) == 0 {
				capture := s.start()
				capture.finish()
				return
			}
			expect(t, s.refusal(), fault.Usage, c.want...)
			if slots := s.one("SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()"); slots != "0" {
				t.Errorf("%s slots were created", slots)
			}
		})
	}
}
