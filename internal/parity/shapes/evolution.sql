-- shape add_column: a column that comes between two transactions
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t ADD b integer;
INSERT INTO t VALUES (2, 'two', 2);
UPDATE t SET b = 1 WHERE id = 1;

-- shape add_column_default: a column that comes with a default
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t ADD b integer NOT NULL DEFAULT 7;
INSERT INTO t VALUES (2, 'two');
UPDATE t SET a = 'eins' WHERE id = 1;

-- shape add_column_in_transaction: the same in one transaction with rows before and after
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t ADD b integer;
INSERT INTO t VALUES (2, 'two', 2);
COMMIT;

-- shape drop_column: a column that goes
CREATE TABLE t (id integer PRIMARY KEY, a text, b integer);
-- changes
INSERT INTO t VALUES (1, 'one', 1);
ALTER TABLE t DROP b;
INSERT INTO t VALUES (2, 'two');

-- shape drop_column_in_transaction: the same in one transaction with rows before and after
CREATE TABLE t (id integer PRIMARY KEY, a text, b integer);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one', 1);
ALTER TABLE t DROP b;
INSERT INTO t VALUES (2, 'two');
COMMIT;

-- shape drop_add_column: a column that goes and comes back as another
CREATE TABLE t (id integer PRIMARY KEY, a text, b integer);
-- changes
INSERT INTO t VALUES (1, 'one', 1);
ALTER TABLE t DROP a;
ALTER TABLE t ADD a boolean;
INSERT INTO t VALUES (2, 2, true);

-- shape rename_column: a column that gets another name
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t RENAME a TO b;
INSERT INTO t VALUES (2, 'two');

-- shape rename_column_in_transaction: the same in one transaction with rows before and after
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t RENAME a TO b;
INSERT INTO t VALUES (2, 'two');
COMMIT;

-- shape rename_key: a key column that gets another name
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t RENAME id TO number;
INSERT INTO t VALUES (2, 'two');

-- shape retype_column: a column that gets another type
CREATE TABLE t (id integer PRIMARY KEY, a integer, b text);
-- changes
INSERT INTO t VALUES (1, 1, '1');
ALTER TABLE t ALTER a TYPE bigint, ALTER b TYPE numeric(5,2) USING b::numeric;
INSERT INTO t VALUES (2, 2, 2.5);

-- shape retype_column_in_transaction: the same in one transaction with rows before and after
CREATE TABLE t (id integer PRIMARY KEY, a integer);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 1);
ALTER TABLE t ALTER a TYPE text;
INSERT INTO t VALUES (2, 'two');
COMMIT;

-- shape change_length: a type modifier that changes
CREATE TABLE t (id integer PRIMARY KEY, a varchar(10), b numeric(5,2), c timestamp(3));
-- changes
INSERT INTO t VALUES (1, 'one', 1.5, '2024-02-29 12:34:56.789');
ALTER TABLE t ALTER a TYPE varchar(20), ALTER b TYPE numeric(6,3), ALTER c TYPE timestamp(6);
INSERT INTO t VALUES (2, 'two', 2.5, '2024-02-29 12:34:56.789012');

-- shape change_key: another primary key
CREATE TABLE t (id integer PRIMARY KEY, a text NOT NULL);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (a);
INSERT INTO t VALUES (2, 'two');
UPDATE t SET id = 3 WHERE a = 'one';

-- shape change_identity: another replica identity
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
UPDATE t SET a = 'eins';
ALTER TABLE t REPLICA IDENTITY FULL;
UPDATE t SET a = 'un';

-- shape change_nullability: a column that takes no NULL any more, and one that does
CREATE TABLE t (id integer PRIMARY KEY, a text, b text NOT NULL);
-- changes
INSERT INTO t VALUES (1, 'one', 'one');
ALTER TABLE t ALTER a SET NOT NULL, ALTER b DROP NOT NULL;
INSERT INTO t VALUES (2, 'two', NULL);

-- shape change_default: a default that changes
CREATE TABLE t (id integer PRIMARY KEY, a integer DEFAULT 1);
-- changes
INSERT INTO t VALUES (1);
ALTER TABLE t ALTER a SET DEFAULT 2;
INSERT INTO t VALUES (2);

-- shape drop_create_table: a table that goes and comes back with other columns
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
DROP TABLE t;
CREATE TABLE t (b boolean, code text PRIMARY KEY);
ALTER PUBLICATION {publication} ADD TABLE t;
INSERT INTO t VALUES (true, 'x');
UPDATE t SET b = false;

-- shape rename_table: a table that gets another name
-- publication gone
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t RENAME TO u;
INSERT INTO u VALUES (2, 'two');

-- shape new_table: a table that is made and published meanwhile
-- changes
CREATE TABLE t (id integer PRIMARY KEY, a text);
INSERT INTO t VALUES (1, 'unseen');
ALTER PUBLICATION {publication} ADD TABLE t;
INSERT INTO t VALUES (2, 'seen');

-- shape enum_value_added: an enum that gets a value
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE t (id integer PRIMARY KEY, m mood);
-- changes
INSERT INTO t VALUES (1, 'sad');
ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy';
INSERT INTO t VALUES (2, 'ok');

-- shape rewrite: what rewrites a table without changing a row
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
VACUUM FULL t;
CLUSTER t USING t_pkey;
UPDATE t SET a = 'eins';
