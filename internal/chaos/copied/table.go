package copied

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"penstock/internal/chaos/ledger"
)

// columns are those of a row that was not changed, with gaps between the keys, and in one of a hundred a value that is TOASTed.
const columns = `i + i / 3, 0, md5(i::text) || md5((i + 1)::text), CASE WHEN i % 100 = 0 THEN repeat(md5(i::text), 90) END`

// Create makes a table of so many rows.
func Create(ctx context.Context, db *pgx.Conn, table string, rows int64) error {
	for _, sql := range []string{
		"CREATE TABLE " + table + " (id bigint PRIMARY KEY, n bigint NOT NULL, body text NOT NULL, wide text)",
		"ALTER TABLE " + table + " ALTER wide SET STORAGE EXTERNAL",
		fmt.Sprintf("INSERT INTO %s SELECT %s FROM generate_series(1, %d) i", table, columns, rows),
		"ANALYZE " + table,
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%.100s: %w", sql, err)
		}
	}
	return nil
}

// Check holds the view against the table as it is now.
func (v *View) Check(ctx context.Context, db *pgx.Conn, table string) (rows int64, err error) {
	in, out := io.Pipe()
	copying := make(chan error, 1) // one: it is told once
	go func() {
		_, err := db.PgConn().CopyTo(ctx, out, "COPY (SELECT id, n, body, wide FROM "+table+") TO STDOUT")
		copying <- errors.Join(err, out.CloseWithError(err))
	}()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for err == nil && lines.Scan() {
		rows++
		err = v.compare(lines.Text())
	}
	err = errors.Join(err, lines.Err(), in.Close(), <-copying)
	for id, at := range v.rows {
		if at.there {
			v.wrong(ledger.Extra, "row %d is in Kafka and not in the table", id)
		}
	}
	return rows, err
}

// compare holds one row against the view, and takes it out of that.
func (v *View) compare(line string) error {
	field := strings.Split(line, "\t")
	if len(field) != 4 {
		return fmt.Errorf("%.100q is no row", line)
	}
	id, idErr := strconv.ParseInt(field[0], 10, 64)
	n, nErr := strconv.ParseInt(field[1], 10, 64)
	if err := errors.Join(idErr, nErr); err != nil {
		return err
	}
	var wide *string
	if field[3] != `\N` {
		wide = &field[3]
	}
	at := v.rows[id]
	switch {
	case at == nil || !at.there:
		v.wrong(ledger.Lost, "row %d, n %d, is in the table and not in Kafka", id, n)
	case at.sum != v.hash(n, field[2]) || at.known && at.wide != v.text(wide):
		v.wrong(ledger.State, "row %d, n %d, is another in Kafka, of n %d", id, n, at.n)
	case !at.known || at.torn && at.version < v.lastRead:
		v.wrong(Partial, "row %d, n %d, is not whole in Kafka", id, n)
	}
	delete(v.rows, id)
	return nil
}
