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
		f.What = "another daemon has fenced this one"
		f.Fix = "stop the other daemon, or let it go on and stop this one"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed),
		errors.Is(err, kerr.ClusterAuthorizationFailed):
		f.Kind, f.What = fault.Usage, "kafka does not allow it to "+doing
		f.Fix = "grant Write and Describe on the topics and on kafka.transactional_id"
	case errors.Is(err, kerr.MessageTooLarge):
		f.Kind, f.What = fault.Runtime, "a record is larger than its topic takes"
		f.Fix = "raise max.message.bytes of the topic, and message.max.bytes of the brokers"
	}
	return f
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

// streamFault classes what ended a replication stream. Beside what any query
// meets, the slot may be lost or its publication missing from the log it reads.
func streamFault(slot string, err error) error {
	const undefinedObject, notInPrerequisiteState = "42704", "55000"
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (pgErr.Code == undefinedObject || pgErr.Code == notInPrerequisiteState) {
		return &fault.Error{
			Kind: fault.PositionLost, Where: "slot " + slot, What: "postgres cannot send what comes next", Err: err,
			Why: "the slot is lost, or the log it reads is older than its publication",
			Fix: recreate(slot),
		}
	}
	return postgresFault("keep up the stream", err)
}

// retriable reports whether starting again from the position can mend err.
func retriable(err error) bool { return fault.KindOf(err) == fault.Unreachable }

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
