-- shape insert_delete: a row that lives for one transaction
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one');
UPDATE t SET a = 'eins';
DELETE FROM t;
COMMIT;

-- shape several_updates: a row that one transaction changes again and again
CREATE TABLE t (id integer PRIMARY KEY, a integer);
-- changes
INSERT INTO t VALUES (1, 0);
BEGIN;
UPDATE t SET a = a + 1;
UPDATE t SET a = a + 1;
UPDATE t SET a = a + 1;
COMMIT;

-- shape savepoint: a part of a transaction that is rolled back
-- also transactions
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one');
SAVEPOINT s;
INSERT INTO t VALUES (2, 'never');
ROLLBACK TO s;
INSERT INTO t VALUES (3, 'three');
SAVEPOINT s;
INSERT INTO t VALUES (4, 'four');
RELEASE s;
COMMIT;

-- shape rolled_back: a transaction that is not committed
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'never');
ROLLBACK;
INSERT INTO t VALUES (2, 'two');

-- shape empty_transaction: transactions that change nothing which is published
-- also transactions
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
COMMIT;
SELECT pg_current_xact_id();
UPDATE t SET a = 'nobody';
INSERT INTO t VALUES (1, 'one');

-- shape prepared: a transaction in two phases, which comes when it is committed
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'prepared');
PREPARE TRANSACTION 'parity';
INSERT INTO t VALUES (2, 'meanwhile');
COMMIT PREPARED 'parity';

-- shape prepared_rolled_back: a transaction in two phases that is rolled back
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'never');
PREPARE TRANSACTION 'parity';
ROLLBACK PREPARED 'parity';
INSERT INTO t VALUES (2, 'two');

-- shape interleaved: a transaction that commits while another is open
-- also transactions
CREATE TABLE t (id integer PRIMARY KEY, a text);
CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public;
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'first begun');
SELECT public.dblink_exec(format('host=127.0.0.1 port=%s user=postgres dbname=%s', current_setting('port'), current_database()), 'INSERT INTO interleaved.t VALUES (2, ''first committed'')');
INSERT INTO t VALUES (3, 'second committed');
COMMIT;

-- shape many_rows: a transaction of some rows
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 40) g;

-- shape origin: changes that came from elsewhere
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
SELECT pg_replication_origin_create('parity_origin');
SELECT pg_replication_origin_session_setup('parity_origin');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/12345', '2024-02-29 12:34:56+00');
INSERT INTO t VALUES (1, 'elsewhere');
COMMIT;
SELECT pg_replication_origin_session_reset();
INSERT INTO t VALUES (2, 'here');
SELECT pg_replication_origin_drop('parity_origin');

-- shape message: messages within a transaction and without one
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one');
SELECT pg_logical_emit_message(true, 'within', 'in the transaction');
INSERT INTO t VALUES (2, 'two');
COMMIT;
SELECT pg_logical_emit_message(false, 'without', 'on its own');
SELECT pg_logical_emit_message(true, 'alone', 'a transaction of its own');
SELECT pg_logical_emit_message(false, 'bytes', '\x0001ff'::bytea);
SELECT pg_logical_emit_message(false, '', '');

-- shape message_rolled_back: messages of a transaction that is not committed
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
SELECT pg_logical_emit_message(true, 'rolled back', 'never');
SELECT pg_logical_emit_message(false, 'kept', 'although rolled back');
INSERT INTO t VALUES (1, 'never');
ROLLBACK;
INSERT INTO t VALUES (2, 'two');
