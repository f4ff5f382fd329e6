package cdc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"

	"penstock/internal/fault"
)

// kafkaFault classes an error of the Kafka client. Unless the broker says that
// asking again is pointless, it counts as a broker that does not answer.
func kafkaFault(where, doing string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	f := &fault.Error{Kind: fault.Unreachable, Where: where, What: "kafka does not " + doing, Err: err,
		Fix: "check that the brokers in kafka.brokers run and can be reached"}
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		f.What = "kafka has fenced this daemon: another one has taken over, or a transaction took too long"
		f.Fix = "start again: the slot tells which"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed):
		f.Kind, f.What = fault.Usage, "kafka does not allow it to "+doing
		f.Fix = "grant Write and Describe on the topics and on kafka.transactional_id"
	case errors.Is(err, kerr.MessageTooLarge):
		f.Kind, f.What = fault.Refused, "a record is larger than its topic takes"
		f.Fix = "raise max.message.bytes of the topic, and message.max.bytes of the brokers"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		f.Kind, f.What, f.Fix = fault.Usage, "kafka does not accept who this is", "correct the credentials"
	case refuses(err):
		f.Kind, f.What, f.Fix = fault.Runtime, "kafka refuses to "+doing, "see the broker's log for what it refuses"
	}
	return f
}

// refuses reports whether the broker will say the same however often it is asked.
func refuses(err error) bool {
	for _, answer := range []error{
		kerr.InvalidRecord, kerr.PolicyViolation, kerr.InvalidTopicException, kerr.RecordListTooLarge, kerr.InvalidTransactionTimeout,
		kerr.UnsupportedVersion, kerr.InvalidRequest,
	} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// postgresFault classes an error of the Postgres client.
func postgresFault(doing string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	f := &fault.Error{Kind: fault.Unreachable, Where: "source.dsn", What: "postgres does not " + doing, Err: err,
		Fix: "check that the server runs and that source.dsn names it"}
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return f
	}
	f.Kind, f.Fix = fault.Runtime, "see the server's log"
	switch code := pgErr.Code; {
	case code == "28P01", code == "28000":
		f.Kind = fault.Usage
		f.Fix = "correct user and password in source.dsn, and pg_hba.conf if the server's message names it"
	case code == "3D000":
		f.Kind = fault.Usage
		f.Fix = "correct the database in source.dsn, or create it"
	case code == "42501":
		f.Kind = fault.Usage
		f.Fix = "grant the role what the server's message names; replication needs: ALTER ROLE " +
			"<role> REPLICATION"
	case slices.Contains([]string{"08", "53", "57", "58"}, code[:min(2, len(code))]):
		// Connections, resources, an operator, the system: it may pass.
		f.Kind, f.Fix = fault.Unreachable, "wait for the server, or see its log"
	}
	return f
}

// The SQLSTATEs that mean something here (Postgres documentation, appendix A).
const (
	uniqueViolation        = "23505"
	insufficientPrivilege  = "42501"
	undefinedObject        = "42704"
	duplicateObject        = "42710"
	notInPrerequisiteState = "55000"
	objectInUse            = "55006"
)

func isState(err error, states ...string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains(states, pgErr.Code)
}

// mayNotGoOn is the refusal of a capture in a named state: going on would lose or
// invent changes. The fix is the operator's to choose.
func mayNotGoOn(state fault.State, where, what, why, fix string) *fault.Error {
	return &fault.Error{Kind: fault.PositionLost, State: state, Where: where, What: what, Why: why, Fix: fix}
}

// diverged is the refusal to go on from a position that speaks of another history
// than the slot's. The capture itself adds the fix to one that is found while it
// streams.
func diverged(where, what, why string) error {
	return mayNotGoOn(fault.Diverged, where, what, why, "")
}

// retriable reports whether starting again from the position can mend err. Being
// fenced is no proof of a successor, because Kafka fences too what took too long:
// who holds the slot decides, at the next start.
func retriable(err error) bool {
	return fault.KindOf(err) == fault.Unreachable || errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// sleep waits, unless ctx ends first; then it returns ctx's cause.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
