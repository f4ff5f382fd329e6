package bench

import (
	"fmt"
	"strings"
)

const (
	table    = "public.bench"
	endTable = "public.bench_end" // gets its only row after all others: who can read that can read all
	baseSlot = "bench_base"       // stands before every change; each run reads a copy of it
	// publication publishes both tables.
	publication = "bench"
)

// Workload is what is written while the slot stands, and is in it when the readers come, or comes while they read.
type Workload struct {
	Name  string
	About string
	Rows  int64 // unless told otherwise

	columns string // of the table
	changes int    // of each row, at least one
	fill    func(rows int64) []string
	rate    int // commits of one row a second while the reader reads; 0: all is written before
}

// Workloads lists all of them.
func Workloads() []Workload {
	return []Workload{
		{"drain", "a backlog in commits of 100 rows", 2_000_000, plainColumns, 1, func(rows int64) []string { return fillPlain(rows, 100) }, 0},
		{"small", "a backlog in commits of one row", 1_000_000, plainColumns, 1, func(rows int64) []string { return fillPlain(rows, 1) }, 0},
		{"huge", "one commit of all rows", 2_000_000, plainColumns, 1, func(rows int64) []string { return fillPlain(rows, rows) }, 0},
		{"wide", "50 columns with a jsonb of 2 kB, inserted, then updated beside it", 100_000, wideColumns(), 2, fillWide, 0},
		{"live", "2,000 commits of one row a second, from commit to visible", 120_000, plainColumns, 1, nil, 2000},
	}
}

// A row of plainColumns takes about 375 bytes as pgoutput sends it.
const (
	plainColumns = "id bigint PRIMARY KEY, token uuid NOT NULL, body text NOT NULL, attributes jsonb NOT NULL, at timestamptz NOT NULL"
	plainRow     = `i, md5(i::text)::uuid, repeat(md5(i::text), 3) || 'abcd',
		jsonb_build_object('n', i, 'tag', md5((i + 1)::text), 'note', repeat(md5((i + 2)::text), 2) || repeat('x', 14)),
		'2026-01-01'::timestamptz + i * interval '1 second'`
)

func fillPlain(rows, each int64) []string {
	return inCommits(rows, each, fmt.Sprintf("INSERT INTO %s SELECT %s FROM generate_series(low, high) i", table, plainRow))
}

// inCommits runs a statement for every each of the rows, from low to high, and commits it.
func inCommits(rows, each int64, statement string) []string {
	return []string{fmt.Sprintf(`DO $$ DECLARE high bigint; BEGIN
		FOR low IN 1..%d BY %d LOOP high := least(low + %[2]d - 1, %[1]d); %[3]s; COMMIT; END LOOP; END $$`, rows, each, statement)}
}

// wideColumns are 50: a key, 48 of some types, and a document that Postgres keeps outside the row.
func wideColumns() string {
	var text strings.Builder
	text.WriteString("id bigint PRIMARY KEY, ")
	for i := range wideMixed {
		fmt.Fprintf(&text, "c%d %s, ", i, wideTypes()[i%len(wideTypes())].name)
	}
	return text.String() + "doc jsonb STORAGE EXTERNAL NOT NULL"
}

// wideMixed is how many columns are of some type.
const wideMixed = 48

// wideTypes are types, each with a value of row i.
func wideTypes() []struct{ name, value string } {
	return []struct{ name, value string }{
		{"integer", "i % 1000000"}, {"numeric(12,4)", "i / 7.0"}, {"text", "left(md5(i::text), 16)"},
		{"timestamptz", "'2026-01-01'::timestamptz + i * interval '1 second'"}, {"boolean", "i % 2 = 0"}, {"double precision", "sqrt(i)"},
	}
}

// fillWide inserts all rows and then updates a column of each, which leaves the document as it is: pgoutput does not send it again.
func fillWide(rows int64) []string {
	const each = 100 // rows of a commit
	var values strings.Builder
	for i := range wideMixed {
		values.WriteString(wideTypes()[i%len(wideTypes())].value + ", ")
	}
	return append(
		inCommits(rows, each, fmt.Sprintf(`INSERT INTO %s SELECT i, %s jsonb_build_object('n', i, 'text', repeat(md5(i::text), 62))
			FROM generate_series(low, high) i`, table, &values)),
		inCommits(rows, each, fmt.Sprintf("UPDATE %s SET c0 = c0 + 1 WHERE id BETWEEN low AND high", table))...)
}
