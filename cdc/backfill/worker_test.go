package backfill

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestWhoIsToBlame: what the server has against a table ends its backfill, anything else
// is tried again.
func TestWhoIsToBlame(t *testing.T) {
	for _, c := range []struct {
		name, code string
		table      bool
	}{
		{"no right to read", "42501", true},
		{"no such column", "42703", true},
		{"disk full", "53100", true},
		{"a condition that writes", "25006", true},
		{"a sequence that was not used yet", "55000", true},
		{"a lock that is held", "55P03", false},
		{"lost connection", "08006", false},
		{"shutdown", "57P01", false},
		{"wrong password", "28P01", false},
		{"no such database", "3D000", false},
		{"too many connections", "53300", false},
		{"deadlock", "40P01", false},
	} {
		said := fmt.Errorf("connect: %w", &pgconn.PgError{Code: c.code, Message: c.name})
		refusal, isTable := errors.AsType[*Refusal](refused(said))
		if isTable != c.table || isTable && refusal.Fix == "" {
			t.Errorf("%s (%s): %v, want the table to blame: %v", c.name, c.code, refusal, c.table)
		}
	}
}
