-- shape truncate_one: TRUNCATE of a table
-- also truncates
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
TRUNCATE t;
INSERT INTO t VALUES (1, 'again');

-- shape truncate_several: TRUNCATE of two tables at once
-- also truncates
CREATE TABLE t (id integer PRIMARY KEY, a text);
CREATE TABLE u (id integer PRIMARY KEY, a text);
-- changes
INSERT INTO t VALUES (1, 'one');
INSERT INTO u VALUES (1, 'one');
TRUNCATE t, u RESTART IDENTITY;

-- shape truncate_cascade: TRUNCATE that takes another table along
-- also truncates
CREATE TABLE parent (id integer PRIMARY KEY, a text);
CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES parent);
-- changes
INSERT INTO parent VALUES (1, 'one');
INSERT INTO child VALUES (10, 1);
TRUNCATE parent CASCADE;

-- shape truncate_in_transaction: rows before and after a TRUNCATE of the same transaction
-- also truncates
CREATE TABLE t (id integer PRIMARY KEY, a text);
-- changes
BEGIN;
INSERT INTO t VALUES (1, 'one');
TRUNCATE t;
INSERT INTO t VALUES (2, 'two');
COMMIT;

-- shape truncate_partitioned: TRUNCATE of a partitioned table
-- also truncates
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (100) TO (200);
-- changes
INSERT INTO t VALUES (1, 'one'), (101, 'more');
TRUNCATE t;

-- shape partitions_by_leaf: a partitioned table whose changes come under the partitions' names
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (100) TO (200);
-- changes
INSERT INTO t VALUES (1, 'one'), (101, 'more');
UPDATE t SET a = upper(a);
DELETE FROM t;

-- shape partitions_by_root: the same under the table's name
-- publication rooted
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
CREATE TABLE t_high (a text, id integer PRIMARY KEY);
ALTER TABLE t ATTACH PARTITION t_high FOR VALUES FROM (100) TO (200);
-- changes
INSERT INTO t VALUES (1, 'one'), (101, 'more');
UPDATE t SET a = upper(a);
DELETE FROM t;

-- shape partition_move_by_leaf: a row that an update moves to another partition
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (100) TO (200);
-- changes
INSERT INTO t VALUES (1, 'one');
UPDATE t SET id = id + 100;

-- shape partition_move_by_root: the same under the table's name
-- publication rooted
CREATE TABLE t (id integer, area integer, a text, PRIMARY KEY (id, area)) PARTITION BY LIST (area);
CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2);
-- changes
INSERT INTO t VALUES (1, 1, 'one');
UPDATE t SET area = 2;

-- shape partition_attached: a partition that comes
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
-- changes
INSERT INTO t VALUES (1, 'one');
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (100) TO (200);
INSERT INTO t VALUES (101, 'more');

-- shape partition_detached: a partition that goes
-- publication gone
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
-- changes
INSERT INTO t VALUES (1, 'one');
ALTER TABLE t DETACH PARTITION t_low;
INSERT INTO t_low VALUES (2, 'alone');

-- shape partition_attached_by_root: a partition that comes, and one that goes, under the table's name
-- publication rooted
CREATE TABLE t (id integer PRIMARY KEY, a text) PARTITION BY RANGE (id);
CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
-- changes
INSERT INTO t VALUES (1, 'one');
CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (100) TO (200);
INSERT INTO t VALUES (101, 'more');
ALTER TABLE t DETACH PARTITION t_low;
INSERT INTO t_low VALUES (2, 'alone');

-- shape column_list: a publication that leaves out a column
CREATE TABLE t (id integer PRIMARY KEY, secret text, a text NOT NULL);
ALTER PUBLICATION {publication} ADD TABLE t (id, a);
-- changes
INSERT INTO t VALUES (1, 'secret', 'one');
UPDATE t SET a = 'eins';
UPDATE t SET secret = 'other';
DELETE FROM t;

-- shape row_filter: a publication that leaves out rows; updates that enter, stay in and leave it
CREATE TABLE t (id integer, open boolean, a text, PRIMARY KEY (id, open));
ALTER PUBLICATION {publication} ADD TABLE t WHERE (open);
-- changes
INSERT INTO t VALUES (1, true, 'in'), (2, false, 'out');
UPDATE t SET a = upper(a);
UPDATE t SET open = NOT open;
DELETE FROM t;

-- shape row_filter_full: the same with the whole row as identity
CREATE TABLE t (id integer PRIMARY KEY, n integer, a text);
ALTER TABLE t REPLICA IDENTITY FULL;
ALTER PUBLICATION {publication} ADD TABLE t WHERE (n > 10);
-- changes
INSERT INTO t VALUES (1, 5, 'low'), (2, 15, 'high');
UPDATE t SET n = n + 10;
UPDATE t SET n = n - 10;
DELETE FROM t;

-- shape unpublished: a table that no publication has beside one that it has
CREATE TABLE t (id integer PRIMARY KEY);
CREATE TABLE hidden (id integer PRIMARY KEY);
ALTER PUBLICATION {publication} ADD TABLE t;
-- changes
INSERT INTO hidden VALUES (1);
INSERT INTO t VALUES (1);

-- shape names: names that need quotes
CREATE TABLE "Upper Case" (id integer PRIMARY KEY, "Key Word" text, "select" integer);
CREATE TABLE "with.dot" ("a.b" integer PRIMARY KEY, "c""d" text, "e'f" text, "g\h" text);
CREATE TABLE "größe" (id integer PRIMARY KEY, "日本" text, "😀" text, "-" text, "1a" text, "$x" text);
CREATE TABLE under_score (id integer PRIMARY KEY, _a text, "__op" text, before text, after text);
-- changes
INSERT INTO "Upper Case" VALUES (1, 'a', 2);
INSERT INTO "with.dot" VALUES (1, 'a', 'b', 'c');
INSERT INTO "größe" VALUES (1, 'a', 'b', 'c', 'd', 'e');
INSERT INTO under_score VALUES (1, 'a', 'b', 'c', 'd');

-- shape name_with_quote: a table with a quote in its name
-- publication quoted
CREATE TABLE "quoted""table" (id integer PRIMARY KEY);
-- changes
INSERT INTO "quoted""table" VALUES (1);

-- shape emoji_table: a table whose name no topic can have
CREATE TABLE "😀" (id integer PRIMARY KEY);
-- changes
INSERT INTO "😀" VALUES (1);

-- shape long_name: names as long as they can be
CREATE TABLE t (id integer PRIMARY KEY, ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc text);
CREATE TABLE ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt (id integer PRIMARY KEY);
-- changes
INSERT INTO t VALUES (1, 'a');
INSERT INTO ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt VALUES (1);

-- shape wide: a table of 1600 columns
-- publication wide
DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE wide.t (id integer PRIMARY KEY, %s)', string_agg(format('c%s %s', g, CASE g % 3 WHEN 0 THEN 'boolean' WHEN 1 THEN 'smallint' ELSE 'text' END), ', ' ORDER BY g)) FROM generate_series(1, 1599) g); END $$;
-- changes
INSERT INTO t (id, c1, c2, c3, c1599) VALUES (1, 1, 'two', true, false);
UPDATE t SET c1598 = 5;
