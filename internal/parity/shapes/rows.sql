-- shape identity_default: insert, update and delete with the primary key as identity
-- also deletes
CREATE TABLE t (id integer PRIMARY KEY, a text, b integer NOT NULL);
-- changes
INSERT INTO t VALUES (1, 'one', 1);
UPDATE t SET a = 'eins' WHERE id = 1;
DELETE FROM t WHERE id = 1;

-- shape identity_full: the same with the whole row as identity
CREATE TABLE t (id integer PRIMARY KEY, a text, b integer NOT NULL);
ALTER TABLE t REPLICA IDENTITY FULL;
-- changes
INSERT INTO t VALUES (1, 'one', 1);
UPDATE t SET a = 'eins' WHERE id = 1;
DELETE FROM t WHERE id = 1;

-- shape identity_index: the same with another index than the primary key's as identity
-- publication indexed
CREATE TABLE t (id integer PRIMARY KEY, a text, code text NOT NULL);
CREATE UNIQUE INDEX t_code ON t (code);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_code;
-- changes
INSERT INTO t VALUES (1, 'one', 'x');
UPDATE t SET a = 'eins' WHERE id = 1;
UPDATE t SET code = 'y' WHERE id = 1;
UPDATE t SET id = 2 WHERE id = 1;
DELETE FROM t WHERE id = 2;

-- shape identity_index_alone: an index as identity, and no primary key
CREATE TABLE t (a text, code text NOT NULL, area integer NOT NULL);
CREATE UNIQUE INDEX t_code ON t (area, code);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_code;
-- changes
INSERT INTO t VALUES ('one', 'x', 1);
UPDATE t SET a = 'eins';
UPDATE t SET code = 'y';
DELETE FROM t;

-- shape identity_nothing: inserts are all that may be
CREATE TABLE t (id integer PRIMARY KEY, a text);
ALTER TABLE t REPLICA IDENTITY NOTHING;
-- changes
INSERT INTO t VALUES (1, 'one'), (2, NULL);

-- shape no_key: no primary key, so inserts are all that may be
CREATE TABLE t (a text, b integer);
-- changes
INSERT INTO t VALUES ('one', 1), ('one', 1), (NULL, NULL);

-- shape no_key_full: no primary key and the whole row as identity
CREATE TABLE t (a text, b integer);
ALTER TABLE t REPLICA IDENTITY FULL;
-- changes
INSERT INTO t VALUES ('one', 1), (NULL, 2);
UPDATE t SET a = 'eins' WHERE b = 1;
DELETE FROM t;

-- shape no_key_unique: no primary key but a unique index, which is not the identity
CREATE TABLE t (a text NOT NULL UNIQUE, b integer);
-- changes
INSERT INTO t VALUES ('one', 1);

-- shape multi_row: statements that change several rows
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');
UPDATE t SET a = upper(a);
DELETE FROM t WHERE id > 1;

-- shape upsert: ON CONFLICT that inserts, that updates, and that does nothing
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one') ON CONFLICT (id) DO UPDATE SET a = excluded.a;
INSERT INTO t VALUES (1, 'eins'), (2, 'zwei') ON CONFLICT (id) DO UPDATE SET a = excluded.a;
INSERT INTO t VALUES (1, 'un') ON CONFLICT DO NOTHING;

-- shape merge: MERGE that inserts, updates and deletes
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one'), (2, 'two');
MERGE INTO t USING (VALUES (1, 'eins'), (2, NULL), (3, 'drei')) AS s (id, a) ON t.id = s.id WHEN MATCHED AND s.a IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.a);

-- shape update_unchanged: an update that sets what is there already
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
UPDATE t SET a = a;
UPDATE t SET id = id;

-- shape update_unchanged_full: the same with the whole row as identity
CREATE TABLE t (id integer PRIMARY KEY, a text);
ALTER TABLE t REPLICA IDENTITY FULL;
-- changes
INSERT INTO t VALUES (1, 'one');
UPDATE t SET a = a;

-- shape all_null: nothing but NULL, and back
CREATE TABLE t (id integer PRIMARY KEY, a text, b integer, c timestamptz, d numeric(5,2), e integer[], f jsonb);
-- changes
INSERT INTO t VALUES (1);
UPDATE t SET a = '', b = 0, c = 'epoch', d = 0, e = '{}', f = 'null';
UPDATE t SET a = NULL, b = NULL, c = NULL, d = NULL, e = NULL, f = NULL;

-- shape defaults: columns with default values of many types, which the schema tells
-- also decimals
CREATE TABLE t (id integer PRIMARY KEY, bool_ boolean NOT NULL DEFAULT true, int2_ smallint DEFAULT 2, int4_ integer NOT NULL DEFAULT -4, int8_ bigint DEFAULT 8, float4_ real DEFAULT 0.25, float8_ double precision NOT NULL DEFAULT 1.5, numeric_ numeric DEFAULT 1.50, numeric_10_2 numeric(10,2) NOT NULL DEFAULT 12.3, money_ money DEFAULT 1.5, text_ text NOT NULL DEFAULT 'it''s', varchar_ varchar(10) DEFAULT 'x', bpchar_ char(3) DEFAULT 'a', bytea_ bytea DEFAULT '\x0102', uuid_ uuid DEFAULT '6ba7b810-9dad-11d1-80b4-00c04fd430c8', json_ json DEFAULT '{"a": 1}', jsonb_ jsonb NOT NULL DEFAULT '{"a": 1}', date_ date DEFAULT '2024-02-29', time_ time DEFAULT '12:34:56.5', timetz_ timetz DEFAULT '12:34:56+02', timestamp_ timestamp NOT NULL DEFAULT '2024-02-29 12:34:56.789', timestamp_3 timestamp(3) DEFAULT '2024-02-29 12:34:56.789', timestamptz_ timestamptz DEFAULT '2024-02-29 12:34:56+02', interval_ interval DEFAULT '1 day 2 hours', inet_ inet DEFAULT '10.0.0.1', bit_ bit(1) DEFAULT B'1', bits_ bit(5) DEFAULT B'10110', point_ point DEFAULT '(1,2)', array_ integer[] DEFAULT '{1,2}', text_array text[] NOT NULL DEFAULT '{}', range_ int4range DEFAULT '[1,5)', xml_ xml DEFAULT '<a/>', moment timestamptz DEFAULT now(), today date NOT NULL DEFAULT CURRENT_DATE, random_ uuid DEFAULT gen_random_uuid(), sum_ integer DEFAULT 1 + 2, null_ text DEFAULT NULL, negative_ integer DEFAULT '-7'::integer, oid_ oid DEFAULT 5);
-- changes
INSERT INTO t (id, moment, today, random_) VALUES (1, 'epoch', 'epoch', '6ba7b810-9dad-11d1-80b4-00c04fd430c8');
INSERT INTO t (id, int2_, int8_, text_, numeric_, moment, random_, timestamp_3, today) VALUES (2, NULL, NULL, '', NULL, NULL, NULL, NULL, 'epoch');

-- shape not_null: the same types without a default and without NULL
-- also decimals
CREATE TABLE t (id bigint PRIMARY KEY, bool_ boolean NOT NULL, int2_ smallint NOT NULL, numeric_ numeric NOT NULL, numeric_10_2 numeric(10,2) NOT NULL, text_ text NOT NULL, bytea_ bytea NOT NULL, json_ json NOT NULL, date_ date NOT NULL, timestamptz_ timestamptz NOT NULL, interval_ interval NOT NULL, point_ point NOT NULL, array_ integer[] NOT NULL, uuid_ uuid NOT NULL);
-- changes
INSERT INTO t VALUES (1, true, 2, 1.5, 2.5, 'x', '\x01', '{}', '2024-02-29', '2024-02-29 00:00:00+00', '1 day', '(1,2)', '{1}', '6ba7b810-9dad-11d1-80b4-00c04fd430c8');
UPDATE t SET int2_ = 3;
DELETE FROM t;

-- shape stops_not_a_number: a value that the precise decimal mode cannot say, in a column that takes no NULL
-- publication unsayable
CREATE TABLE t (id integer PRIMARY KEY, v numeric NOT NULL);
-- changes
INSERT INTO t VALUES (1, 'NaN'), (2, 1);

-- shape stops_zone_seconds: a time zone with seconds
-- publication stops
CREATE TABLE t (id integer PRIMARY KEY, v timetz);
-- changes
INSERT INTO t VALUES (1, '10:00:00+01:02:03'), (2, '10:00:00+01:02');

-- shape identity_column: GENERATED ALWAYS and BY DEFAULT AS IDENTITY
CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint GENERATED BY DEFAULT AS IDENTITY (START 100), a text);
-- changes
INSERT INTO t (a) VALUES ('one'), ('two');
INSERT INTO t (id, a) OVERRIDING SYSTEM VALUE VALUES (10, 'ten');

-- shape serial: a sequence behind a column
CREATE TABLE t (id serial PRIMARY KEY, n smallserial, b bigserial, a text);
-- changes
INSERT INTO t (a) VALUES ('one'), ('two');

-- shape generated_stored: a generated column in a publication that does not send it
CREATE TABLE t (id integer PRIMARY KEY, a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED);
-- changes
INSERT INTO t VALUES (1, 21);
UPDATE t SET a = 4;
DELETE FROM t;

-- shape generated_published: a generated column in a publication that sends it
-- publication rooted
CREATE TABLE t (id integer PRIMARY KEY, a integer, twice integer GENERATED ALWAYS AS (a * 2) STORED);
-- changes
INSERT INTO t VALUES (1, 21);
UPDATE t SET a = 4;
DELETE FROM t;

-- shape generated_virtual: a generated column that nothing stores
-- since 18
CREATE TABLE t (id integer PRIMARY KEY, a integer, twice integer GENERATED ALWAYS AS (a * 2) VIRTUAL);
-- changes
INSERT INTO t VALUES (1, 21);
UPDATE t SET a = 4;

-- shape large_row: a row that does not fit on a page
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, repeat('0123456789', 3000));

-- shape copy: rows by COPY
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
COPY t FROM PROGRAM 'echo 1,one; echo 2,; echo 3,three' (FORMAT csv);

-- shape inherited: rows of a table and of one that inherits from it
CREATE TABLE parent (id integer PRIMARY KEY, a text);
CREATE TABLE child (PRIMARY KEY (id), b text) INHERITS (parent);
-- changes
INSERT INTO parent VALUES (1, 'one');
INSERT INTO child VALUES (2, 'two', 'zwei');
UPDATE parent SET a = upper(a);

-- shape trigger: what a trigger changes and writes elsewhere
CREATE TABLE t (id integer PRIMARY KEY, a text);
CREATE TABLE log (id integer PRIMARY KEY, said text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := upper(NEW.a); INSERT INTO trigger.log VALUES (NEW.id, NEW.a); RETURN NEW; END';
CREATE TRIGGER note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
-- changes
INSERT INTO t VALUES (1, 'one'), (2, 'two');

-- shape foreign_key: deletes and key changes that cascade
CREATE TABLE parent (id integer PRIMARY KEY, a text);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
-- changes
INSERT INTO parent VALUES (1, 'one'), (2, 'two');
INSERT INTO child VALUES (10, 1), (20, 2);
UPDATE parent SET id = 3 WHERE id = 1;
DELETE FROM parent WHERE id = 2;

-- shape several_tables: one statement that writes to two tables
-- also transactions
CREATE TABLE t (id integer PRIMARY KEY, a text);
CREATE TABLE u (id integer PRIMARY KEY, a text);
-- changes
WITH moved AS (INSERT INTO t VALUES (1, 'one') RETURNING *) INSERT INTO u SELECT * FROM moved;
