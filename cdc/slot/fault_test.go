package slot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"penstock/cdc/slot"
	"penstock/internal/fault"
	"penstock/schema"
)

var (
	_ slot.DB = (*pgx.Conn)(nil)
	_ slot.DB = (pgx.Tx)(nil)
)

// script answers questions by the words in them: with an error, or with one row.
// What it does not know is refused with an error of its own.
type script map[string]any

var errUnscripted = errors.New("not in the script")

func (s script) answer(sql string) any {
	for words, answer := range s {
		if strings.Contains(sql, words) {
			return answer
		}
	}
	return errUnscripted
}

func (s script) Exec(_ context.Context, sql string, _ ...any) (pgconn.CommandTag, error) {
	err, _ := s.answer(sql).(error)
	return pgconn.CommandTag{}, err
}

func (s script) Query(_ context.Context, sql string, _ ...any) (pgx.Rows, error) {
	err, _ := s.answer(sql).(error)
	return nil, err
}

func (s script) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	return row{s.answer(fmt.Sprint(append([]any{sql}, args...)...))}
}

type row struct{ answer any }

func (r row) Scan(targets ...any) error {
	if err, failed := r.answer.(error); failed {
		return err
	}
	switch target := targets[0].(type) {
	case *string:
		*target = r.answer.(string)
	case *int:
		*target = r.answer.(int)
	}
	return nil
}

func refusal(state string) error {
	return &pgconn.PgError{Severity: "ERROR", Code: state, Message: "no"}
}

// TestRefusalsOfAServerBecomeFaults covers what the server says in every state;
// slot_test.go checks on real ones that they say so.
func TestRefusalsOfAServerBecomeFaults(t *testing.T) {
	const create = "pg_create_logical_replication_slot"
	cases := []struct {
		name string
		db   script
		want fault.Error
	}{
		{
			"wal_level is replica", script{create: refusal("55000"), "wal_level": "replica"},
			fault.Error{
				Kind: fault.Usage, What: "wal_level is replica, not logical",
				Why: "the log does not hold what logical decoding needs",
				Fix: "ALTER SYSTEM SET wal_level = logical; then restart Postgres",
			},
		},
		{
			"another state is wrong", script{create: refusal("55000"), "wal_level": "logical"},
			fault.Error{Kind: fault.Refused, What: "the server is in no state for this"},
		},
		{
			"no slot is free", script{create: refusal("53400"), "max_replication_slots": "10"},
			fault.Error{
				Kind: fault.Refused, What: "no replication slot is free", Why: "max_replication_slots is 10",
				Fix: "drop an unused slot, or raise max_replication_slots with ALTER SYSTEM and restart Postgres",
			},
		},
		{
			"no slot is free and no more is known", script{create: refusal("53400")},
			fault.Error{
				Kind: fault.Refused, What: "no replication slot is free",
				Fix: "drop an unused slot, or raise max_replication_slots with ALTER SYSTEM and restart Postgres",
			},
		},
		{
			"the role may not replicate", script{create: refusal("42501"), "current_user": `o"hara`},
			fault.Error{
				Kind: fault.Usage, What: `role "o\"hara" may not use replication slots`,
				Fix: `ALTER ROLE "o""hara" REPLICATION; as a superuser`,
			},
		},
		{
			"an old standby", script{create: refusal("0A000")},
			fault.Error{
				Kind: fault.Refused, What: "the server cannot have it",
				Why: "a standby decodes its log from Postgres 16 on", Fix: "create the slot on the primary",
			},
		},
		{
			"a transaction keeps it waiting", script{create: context.DeadlineExceeded},
			fault.Error{
				Kind: fault.Unreachable, What: "not created in time",
				Why: "a new slot waits for every transaction that was running before it",
				Fix: "end what SELECT pid, xact_start, query FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start shows",
			},
		},
		{
			"it answers what nobody expects", script{create: errUnscripted},
			fault.Error{Kind: fault.Runtime, What: "asking Postgres failed"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := slot.Create(t.Context(), c.db, "orders", slot.Options{})
			c.want.Where = `slot "orders"`
			checkFault(t, err, c.want)
			if !errors.Is(err, c.db[create].(error)) {
				t.Error("the cause is not in the chain")
			}
		})
	}
}

// A server that restarts, and one that is full, are worth waiting for.
func TestAServerThatIsGoneMayComeBack(t *testing.T) {
	for name, cause := range map[string]error{
		"it hangs up":                    io.EOF,
		"it hangs up within an answer":   fmt.Errorf("receive: %w", io.ErrUnexpectedEOF),
		"it resets the connection":       &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
		"the connection is closed":       net.ErrClosed,
		"the connection was lost before": lostBefore{},
		"the pool cannot connect":        &pgconn.ConnectError{Config: &pgconn.Config{}},
		"it breaks the connection":       refusal("08006"),
		"it is shut down":                refusal("57P01"),
		"it has crashed":                 refusal("57P02"),
		"it is starting up":              refusal("57P03"),
		"it has no connection left":      refusal("53300"),
		"its disk is full":               refusal("53100"),
		"an operator cancels the query":  refusal("57014"),
		"its disk fails":                 refusal("58030"),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := slot.Find(t.Context(), script{"pg_replication_slots": cause}, "orders")
			checkFault(t, err, fault.Error{
				Kind: fault.Unreachable, Where: `slot "orders"`, What: "Postgres does not answer", Fix: "wait for the server, or see its log",
			})
			if !errors.Is(err, cause) {
				t.Error("the cause is not in the chain")
			}
		})
	}
}

// lostBefore is what pgconn says of a connection that an earlier failure has closed.
type lostBefore struct{}

func (lostBefore) Error() string     { return "conn closed" }
func (lostBefore) SafeToRetry() bool { return true }

func TestAStandbyTakesNoPublication(t *testing.T) {
	db := script{"CREATE PUBLICATION": refusal("25006"), "server_version_num": 180000}
	err := slot.CreatePublication(t.Context(), db, "orders", []schema.TableName{{Schema: "public", Name: "orders"}})
	checkFault(t, err, fault.Error{
		Kind: fault.Refused, Where: `publication "orders"`, What: "the server takes no writes",
		Why: "it is a standby, or the session is read only",
		Fix: "connect to the primary: the change reaches the standby by replication",
	})
}

func TestFailedQuestionsNameTheirSubject(t *testing.T) {
	db := script{}
	_, listErr := slot.List(t.Context(), db)
	_, _, findErr := slot.Find(t.Context(), db, "orders")
	_, _, publicationErr := slot.FindPublication(t.Context(), db, "orders")
	for where, err := range map[string]error{
		"replication slots": listErr, `slot "orders"`: findErr, `publication "orders"`: publicationErr,
	} {
		checkFault(t, err, fault.Error{Where: where, What: "asking Postgres failed"})
		if !errors.Is(err, errUnscripted) {
			t.Errorf("%s: the cause is not in the chain", where)
		}
	}
}

func TestSlotNamesAreChecked(t *testing.T) {
	for _, name := range []string{"", "Orders", "orders-1", "o'; DROP TABLE x", "é", "a\n", strings.Repeat("a", 64)} {
		_, err := slot.Create(t.Context(), script{}, name, slot.Options{})
		checkFault(t, err, fault.Error{
			Kind: fault.Usage, Where: fmt.Sprintf("slot %q", name), What: "not a valid slot name",
			Why: "Postgres takes 1 to 63 lower-case letters, digits and underscores",
			Fix: "choose a name such as penstock_orders",
		})
	}
	if _, err := slot.Create(t.Context(), script{}, strings.Repeat("a", 63), slot.Options{}); fault.KindOf(err) == fault.Usage {
		t.Errorf("63 characters are refused: %v", err)
	}
}

func TestPublicationsNeedANameAndATable(t *testing.T) {
	tables := []schema.TableName{{Schema: "public", Name: "orders"}}
	for _, err := range []error{
		slot.CreatePublication(t.Context(), script{}, "", tables),
		slot.CreatePublication(t.Context(), script{}, "orders", nil),
	} {
		if fault.KindOf(err) != fault.Usage {
			t.Errorf("got %v, want a usage fault", err)
		}
	}
}

func TestPublicationSQLQuotesEveryName(t *testing.T) {
	got := slot.PublicationSQL(`my "pub"`, []schema.TableName{{Schema: "public", Name: "Orders"}, {Schema: "a.b", Name: `c"d`}}, 180000)
	want := `CREATE PUBLICATION "my ""pub""" FOR TABLE "public"."Orders", "a.b"."c""d" WITH (publish_via_partition_root = true, publish_generated_columns = stored)`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := slot.PublicationSQL("p", []schema.TableName{{Schema: "s", Name: "t"}}, 170009); strings.Contains(got, "generated") {
		t.Errorf("Postgres 17 does not know this: %s", got)
	}
}

// checkFault compares all of a fault but its cause.
func checkFault(t *testing.T, err error, want fault.Error) {
	t.Helper()
	if diff := cmp.Diff(&want, asFault(t, err), cmpopts.IgnoreFields(fault.Error{}, "Err")); diff != "" {
		t.Errorf("fault (-want +got):\n%s", diff)
	}
}

func asFault(t *testing.T, err error) *fault.Error {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a fault", err)
	}
	return f
}
