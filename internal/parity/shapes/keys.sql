-- shape composite_key: a key of two columns
CREATE TABLE t (a integer, b text, c text, PRIMARY KEY (a, b));
-- changes
INSERT INTO t VALUES (1, 'x', 'one');
UPDATE t SET c = 'eins';
DELETE FROM t;

-- shape composite_key_order: a key whose columns stand in another order than in the table
CREATE TABLE t (a integer, b text, c text, PRIMARY KEY (c, a));
-- changes
INSERT INTO t VALUES (1, 'x', 'one');
UPDATE t SET b = 'y';
DELETE FROM t;

-- shape key_types: keys of types that are more than their text
-- also decimals
CREATE TABLE by_uuid (id uuid PRIMARY KEY);
CREATE TABLE by_numeric (id numeric(8,3) PRIMARY KEY);
CREATE TABLE by_moment (id timestamptz PRIMARY KEY, d date NOT NULL);
CREATE TABLE by_bytes (id bytea PRIMARY KEY);
CREATE TABLE by_array (id integer[] PRIMARY KEY);
CREATE TABLE by_range (id int4range PRIMARY KEY);
CREATE TABLE by_free_numeric (id numeric PRIMARY KEY);
-- changes
INSERT INTO by_uuid VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8');
INSERT INTO by_numeric VALUES (1.5);
INSERT INTO by_moment VALUES ('2024-02-29 00:00:00+00', '2024-02-29');
INSERT INTO by_bytes VALUES ('\x0001');
INSERT INTO by_array VALUES ('{1,2}');
INSERT INTO by_range VALUES ('[1,5)');
INSERT INTO by_free_numeric VALUES (1.50);

-- shape key_default: a key with a default value
CREATE TABLE t (id integer PRIMARY KEY DEFAULT 7, a text);
-- changes
INSERT INTO t (a) VALUES ('seven');

-- shape key_update: a changed key
-- also deletes
-- also transactions
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
UPDATE t SET id = 2;
UPDATE t SET id = 3, a = 'three';

-- shape key_update_full: a changed key with the whole row as identity
CREATE TABLE t (id integer PRIMARY KEY, a text);
ALTER TABLE t REPLICA IDENTITY FULL;
-- changes
INSERT INTO t VALUES (1, 'one');
UPDATE t SET id = 2, a = 'two';

-- shape key_update_part: a changed column of a key of two
CREATE TABLE t (a integer, b integer, c text, PRIMARY KEY (a, b));
-- changes
INSERT INTO t VALUES (1, 1, 'one');
UPDATE t SET b = 2;

-- shape key_swap: two rows swap their keys in one statement, which a deferrable key lets them
CREATE TABLE t (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, a text);
ALTER TABLE t REPLICA IDENTITY FULL;
-- changes
INSERT INTO t VALUES (1, 'one'), (2, 'two');
UPDATE t SET id = 3 - id;

-- shape key_shift: every key changes to the next row's
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (3, 'three'), (2, 'two'), (1, 'one');
UPDATE t SET id = id + 1;

-- shape key_reused: a key that is deleted and inserted again in one transaction
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
BEGIN;
DELETE FROM t WHERE id = 1;
INSERT INTO t VALUES (1, 'again');
COMMIT;

-- shape toast: values that an update leaves where they are, of every kind that can
-- also decimals
CREATE TYPE label AS ENUM ('a', 'b');
CREATE TABLE t (id integer PRIMARY KEY, n integer, text_ text, varchar_ varchar(1000), bpchar_ char(300), bytea_ bytea, json_ json, jsonb_ jsonb, xml_ xml, numeric_ numeric, numeric_p numeric(600,2), bits_ varbit, bits_n bit(3000), int_array integer[], int8_array bigint[], text_array text[], date_array date[], moment_array timestamptz[], numeric_array numeric(8,2)[], bool_array boolean[], uuid_array uuid[], enum_array label[], float_array double precision[], json_array jsonb[], bytea_array bytea[], tsvector_ tsvector, hstore_ public.hstore, citext_ public.citext, ltree_ public.ltree, polygon_ polygon, multirange_ int4multirange) WITH (toast_tuple_target = 128);
DO $$ DECLARE c name; BEGIN FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'toast.t'::regclass AND attnum > 0 AND attstorage IN ('x', 'm') LOOP EXECUTE format('ALTER TABLE toast.t ALTER %I SET STORAGE EXTERNAL', c); END LOOP; END $$;
-- changes
INSERT INTO t VALUES (1, 1, repeat('t', 200), repeat('v', 200), repeat('c', 200), decode(repeat('0102', 120), 'hex'), to_json(repeat('j', 200)), to_jsonb(repeat('b', 200)), XMLPARSE(CONTENT '<x>' || repeat('x', 200) || '</x>'), repeat('1', 500)::numeric, repeat('1', 500)::numeric, repeat('10', 1000)::varbit, repeat('10', 1500)::bit(3000), array_fill(1, '{60}'), array_fill(1::bigint, '{40}'), array_fill('x'::text, '{60}'), array_fill('2024-02-29'::date, '{60}'), array_fill('2024-02-29 00:00:00+00'::timestamptz, '{40}'), array_fill(1.5::numeric(8,2), '{40}'), array_fill(true, '{200}'), array_fill('6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid, '{20}'), array_fill('a'::label, '{60}'), array_fill(0.5::float8, '{40}'), array_fill('{"a": 1}'::jsonb, '{20}'), array_fill('\x0102'::bytea, '{40}'), (SELECT string_agg('w' || g, ' ')::tsvector FROM generate_series(1, 60) g), (SELECT string_agg('k' || g || '=>v', ',')::public.hstore FROM generate_series(1, 40) g), repeat('i', 200), (repeat('l.', 100) || 'l')::public.ltree, (SELECT ('(' || string_agg('(1,2)', ',') || ')')::polygon FROM generate_series(1, 30)), (SELECT ('{' || string_agg(format('[%s,%s)', g * 10, g * 10 + 1), ',') || '}')::int4multirange FROM generate_series(1, 40) g));
UPDATE t SET n = 2;
UPDATE t SET n = 3, text_ = 'short', jsonb_ = NULL, int_array = '{1}';
UPDATE t SET id = 2;
DELETE FROM t;

-- shape toast_full: the same with the whole row as identity
CREATE TABLE t (id integer PRIMARY KEY, n integer, a text, b bytea, c integer[]);
ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER c SET STORAGE EXTERNAL;
ALTER TABLE t REPLICA IDENTITY FULL;
-- changes
INSERT INTO t VALUES (1, 1, repeat('t', 2100), decode(repeat('01', 2100), 'hex'), array_fill(1, '{600}'));
UPDATE t SET n = 2;
UPDATE t SET a = 'short';
DELETE FROM t;

-- shape toast_key: an unchanged long value that is part of the key
CREATE TABLE t (id text PRIMARY KEY, n integer);
ALTER TABLE t ALTER id SET STORAGE EXTERNAL;
-- changes
INSERT INTO t VALUES (repeat('k', 2100), 1);
UPDATE t SET n = 2;
DELETE FROM t;

-- shape toast_not_null: the same in columns that take no NULL
CREATE TABLE t (id integer PRIMARY KEY, n integer, a text NOT NULL, b bytea NOT NULL, c integer[] NOT NULL, d numeric NOT NULL);
ALTER TABLE t ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER c SET STORAGE EXTERNAL;
-- changes
INSERT INTO t VALUES (1, 1, repeat('t', 2100), decode(repeat('01', 2100), 'hex'), array_fill(1, '{600}'), 1.5);
UPDATE t SET n = 2;
