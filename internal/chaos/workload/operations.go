package workload

import (
	"fmt"
	"strings"
)

func newAccounts() transaction {
	return transaction{sql: fmt.Sprintf("INSERT INTO acct SELECT i, 0, 1 FROM generate_series(1, %d) i ON CONFLICT DO NOTHING", accounts)}
}

func insertInto(w *worker, key int64) string {
	return fmt.Sprintf("INSERT INTO evt VALUES (%d, nullif(%d, 0), %d, %d, 1, %s);", key, w.random.IntN(100), w.id, w.n, w.text(8_000))
}

func (w *worker) newRow() string {
	key := w.fresh(1)
	w.remember(key)
	return insertInto(w, key)
}

func oneRow(w *worker) transaction { return transaction{sql: w.newRow()} }

func updateRow(w *worker) transaction {
	sql := fmt.Sprintf("UPDATE evt SET ver = ver + 1, n = %d, payload = %s WHERE id = %d;", w.n, w.text(8_000), w.some())
	if w.random.IntN(4) == 0 { // the same row again and again in one transaction
		sql += strings.Repeat(fmt.Sprintf("UPDATE evt SET ver = ver + 1 WHERE id = %d;", w.some()), 1+w.random.IntN(5))
	}
	return transaction{sql: sql}
}

func deleteRow(w *worker) transaction {
	if w.random.IntN(3) == 0 { // what was never visible to anybody else
		key := w.fresh(1)
		return transaction{sql: insertInto(w, key) + fmt.Sprintf("DELETE FROM evt WHERE id = %d;", key)}
	}
	return transaction{sql: fmt.Sprintf("DELETE FROM evt WHERE id = %d", w.some())}
}

func upsert(w *worker) transaction {
	const each = 16 // rows a worker
	return transaction{sql: fmt.Sprintf(`INSERT INTO content VALUES (%d, %s, 1)
		ON CONFLICT (id) DO UPDATE SET title = excluded.title, ver = content.ver + 1`, w.id*each+w.random.IntN(each), w.text(500))}
}

func multiRow(w *worker) transaction {
	n := int64(1 + w.random.IntN(400))
	first := w.fresh(n)
	w.remember(first)
	return transaction{sql: fmt.Sprintf(`INSERT INTO evt SELECT %[1]d + i, i %% 50, %[2]d, %[3]d, 1, 'row ' || i FROM generate_series(0, %[4]d) i;
		UPDATE evt SET ver = ver + 1, payload = NULL WHERE id BETWEEN %[1]d AND %[5]d;
		DELETE FROM evt WHERE id BETWEEN %[6]d AND %[7]d`, first, w.id, w.n, n-1, first+n/3, first+n/2, first+n/2+n/8)}
}

func keyChange(w *worker) transaction {
	key := w.fresh(1)
	w.remember(key)
	return transaction{sql: fmt.Sprintf("UPDATE evt SET id = %d, ver = ver + 1 WHERE id = %d", key, w.some())}
}

// keySwap goes by a third key: a key that is checked at the end of the
// transaction only cannot be a replica identity.
func keySwap(w *worker) transaction {
	a, b, aside := w.some(), w.some(), w.fresh(1)
	const move = "UPDATE evt SET id = %d, ver = ver + 1 WHERE id = %d;"
	return transaction{sql: fmt.Sprintf(move, aside, a) + fmt.Sprintf(move, a, b) + fmt.Sprintf(move, b, aside)}
}

func copyRows(w *worker) transaction {
	n := int64(1 + w.random.IntN(500))
	first := w.fresh(n)
	t := transaction{copyInto: "copy_t"}
	for i := range n {
		t.copied = append(t.copied, []any{first + i, int64(1), fmt.Sprintf("copied %d", i)})
	}
	if w.random.IntN(2) == 0 {
		t.then = fmt.Sprintf("UPDATE copy_t SET ver = ver + 1 WHERE id BETWEEN %d AND %d; DELETE FROM copy_t WHERE id = %d", first, first+n/4, first)
	}
	return t
}

func savepoint(w *worker) transaction {
	sql := w.newRow() + "SAVEPOINT a;" + w.newRow() + fmt.Sprintf("UPDATE evt SET ver = ver + 1 WHERE id = %d;", w.some())
	if w.random.IntN(2) == 0 {
		sql += "SAVEPOINT b;" + w.newRow() + "ROLLBACK TO b;" + w.newRow() + "RELEASE b;"
	}
	if w.random.IntN(2) == 0 {
		sql += "ROLLBACK TO a;"
	}
	return transaction{sql: sql + "RELEASE a;" + w.newRow()}
}

func rolledBack(w *worker) transaction {
	return transaction{sql: multiRow(w).sql, rollback: true}
}

func empty(*worker) transaction { return transaction{} }

// transfer leaves the sum of all accounts at 0. Its two statements see the
// accounts at two moments, so it waits until they are there for both.
func transfer(w *worker) transaction {
	from, to, amount := 1+w.random.IntN(accounts), 1+w.random.IntN(accounts), 1+w.random.IntN(100)
	if from > to { // always in one order, or two transfers wait for each other
		from, to, amount = to, from, -amount
	}
	if !w.load.opened.Load() {
		return transaction{}
	}
	const move = "UPDATE acct SET bal = bal + %d, ver = ver + 1 WHERE id = %d;"
	return transaction{sql: fmt.Sprintf(move, -amount, from) + fmt.Sprintf(move, amount, to)}
}

func toast(w *worker) transaction {
	key := w.fresh(1)
	sql := fmt.Sprintf("INSERT INTO toast_t VALUES (%d, 1, %s, %s);", key, w.text(100), w.large())
	sql += fmt.Sprintf("UPDATE toast_t SET ver = ver + 1, small = %s WHERE id = %d;", w.text(100), key)
	switch w.random.IntN(6) {
	case 0:
		sql += fmt.Sprintf("UPDATE toast_t SET ver = ver + 1, big = %s WHERE id = %d;", w.large(), key)
	case 1:
		sql += fmt.Sprintf("UPDATE toast_t SET ver = ver + 1, id = %d, big = %s WHERE id = %d;", w.fresh(1), w.large(), key)
	case 2:
		sql += fmt.Sprintf("DELETE FROM toast_t WHERE id = %d;", key)
	case 3:
		sql += fmt.Sprintf("UPDATE toast_t SET ver = ver + 1, big = NULL WHERE id = %d;", key)
	}
	return transaction{sql: sql}
}

func pair(w *worker) transaction {
	key := w.fresh(1)
	sql := fmt.Sprintf(`INSERT INTO pair_t VALUES (%d, %s, 1, 1, %s, %s, %s, %s, %s, %s);`, key, w.text(30),
		w.choose("0.10000000000000000000001", "-12345678901234567890.5", "'NaN'", "NULL", "1e20"),
		w.choose("0.1", "1e300", "'NaN'", "'-Infinity'", "-0.0", "123456789.123456789"),
		w.choose("true", "false", "NULL"),
		w.choose("'2025-08-25 16:13:40.436907+02'", "'infinity'", "'0044-03-15 12:00:00+00 BC'", "now()", "'294276-12-31 23:59:59+00'"),
		w.choose(`'\x00ff'`, `''`, "NULL"),
		w.choose(`'{"a": [1, 2.50, "b\u00e9\"\\"], "n": 12345678901234567890}'`, "NULL", "'[]'"))
	switch w.random.IntN(5) {
	case 0: // of the identity, but not of the key
		sql += fmt.Sprintf("UPDATE pair_t SET ver = ver + 1, u = u + 1 WHERE a = %d;", key)
	case 1:
		sql += fmt.Sprintf("UPDATE pair_t SET ver = ver + 1, b = b || 'x' WHERE a = %d;", key)
	case 2:
		sql += fmt.Sprintf("UPDATE pair_t SET ver = ver + 1, dbl = dbl / 3, num = num / 7, at = clock_timestamp() WHERE a = %d;", key)
	case 3:
		sql += fmt.Sprintf("DELETE FROM pair_t WHERE a = %d;", key)
	}
	return transaction{sql: sql}
}

func partition(w *worker) transaction {
	key := w.fresh(1)
	sql := fmt.Sprintf("INSERT INTO part_t VALUES (%d, '%s', 1, %s);", key, w.choose("a", "b"), w.text(50))
	switch w.random.IntN(4) {
	case 0:
		sql += fmt.Sprintf("UPDATE part_t SET ver = ver + 1, region = CASE region WHEN 'a' THEN 'b' ELSE 'a' END WHERE id = %d;", key)
	case 1:
		sql += fmt.Sprintf("UPDATE part_t SET ver = ver + 1, v = 'changed' WHERE id = %d;", key)
	case 2:
		sql += fmt.Sprintf("DELETE FROM part_t WHERE id = %d;", key)
	}
	return transaction{sql: sql}
}

func truncate(w *worker) transaction {
	rows := fmt.Sprintf("INSERT INTO trunc_t SELECT %d + i, 1, 'v' FROM generate_series(0, 4) i;", w.fresh(5))
	if w.random.IntN(5) == 0 {
		rows += "TRUNCATE trunc_t;" + fmt.Sprintf("INSERT INTO trunc_t VALUES (%d, 1, 'first');", w.fresh(1))
	}
	return transaction{sql: rows}
}

func message(w *worker) transaction {
	sql := fmt.Sprintf("SELECT pg_logical_emit_message(%s, 'chaos', 'm');", w.choose("true", "false"))
	if w.random.IntN(3) > 0 {
		sql += w.newRow()
	}
	return transaction{sql: sql, rollback: w.random.IntN(5) == 0}
}

func (w *worker) choose(from ...string) string { return from[w.random.IntN(len(from))] }

// text is a literal of 10 bytes to limit, mostly short, now and then with what
// has to be escaped somewhere.
func (w *worker) text(limit int) string {
	limit = min(limit, w.load.opts.MaxValue)
	size := 10 + w.random.IntN(90)
	if w.random.IntN(20) == 0 {
		size = 10 + w.random.IntN(max(limit-10, 1))
	}
	awkward := []string{`it''s "quoted"`, `back\slash`, "tab\there", "line\nbreak", "naïve – 🎧", "(a,b)", "\x01\x1f"}
	text := ""
	if w.random.IntN(5) == 0 {
		text = awkward[w.random.IntN(len(awkward))]
	}
	text += strings.Repeat(fmt.Sprintf("%x.", w.random.Uint64()), 1+size/17)
	return "'" + text + "'"
}

// large is a literal that is stored outside its row, and rarely as large as
// allowed.
func (w *worker) large() string {
	size := 3_000 + w.random.IntN(5_000)
	switch w.random.IntN(50) {
	case 0:
		size = w.load.opts.MaxValue
	case 1, 2, 3:
		size = 3_000 + w.random.IntN(100_000)
	}
	size = min(size, w.load.opts.MaxValue)
	chunk := fmt.Sprintf("%016x", w.random.Uint64())
	return "'" + strings.Repeat(chunk, 1+size/len(chunk))[:size] + "'"
}
