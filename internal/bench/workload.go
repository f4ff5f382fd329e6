package bench

import "fmt"

const (
	table    = "public.bench"
	endTable = "public.bench_end" // gets its only row after all others: who can read that can read all
	baseSlot = "bench_base"       // stands before every change; each run reads a copy of it
	// publication publishes both tables.
	publication = "bench"
)

// Workload is what is written while the slot stands, and is in it when the readers come.
type Workload struct {
	Name  string
	About string
	Rows  int64 // unless told otherwise

	columns string // of the table
	fill    func(rows int64) []string
}

// Workloads lists all of them.
func Workloads() []Workload {
	return []Workload{
		{"drain", "a backlog in commits of 100 rows", 2_000_000, plainColumns, func(rows int64) []string { return fillPlain(rows, 100) }},
		{"small", "a backlog in commits of one row", 1_000_000, plainColumns, func(rows int64) []string { return fillPlain(rows, 1) }},
		{"huge", "one commit of all rows", 2_000_000, plainColumns, func(rows int64) []string { return fillPlain(rows, rows) }},
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
