package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"penstock/internal/chaos/ledger"
	"penstock/internal/chaos/workload"
	"penstock/schema"
)

// target is the capture as the ledger sees it, past every proxy of the daemon's.
func (w *world) target() ledger.Target {
	topics := map[schema.TableName]string{}
	for _, table := range workload.Tables() {
		topics[table] = w.topic(table.Name)
	}
	return ledger.Target{
		DSN: w.source.dsn, Slot: w.name, Brokers: []string{w.rig.kafka.Address()}, Topics: topics,
		PositionTopic: w.topic("position"), PositionKey: w.name, TransactionTopic: w.topic("transactions"),
	}
}

// openBooks begins to watch; the topics are there, and nothing is written yet.
func (w *world) openBooks(ctx context.Context) error {
	at := w.target()
	var err error
	if w.tail, err = follow(ctx, at.Brokers, at.PositionTopic, at.PositionKey); err != nil {
		return err
	}
	reading, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	if err := w.tail.until(reading, func() bool { return w.tail.records > 0 }); err != nil { // the first start writes one
		return found(Stuck, err)
	}
	if w.unchecked {
		return nil
	}
	if w.books, err = ledger.Open(ctx, at); err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	if w.standby != nil {
		return w.keepInStep(ctx, w.books.OracleSlot())
	}
	return nil
}

// closeBooks ends watching.
func (w *world) closeBooks() error {
	if w.tail != nil {
		w.tail.close()
	}
	if w.books == nil {
		return nil
	}
	return w.books.Close()
}

// balance holds the topics against the source.
func (w *world) balance(ctx context.Context, log *workload.Log) error {
	v, err := w.books.Finish(ctx, log)
	if err != nil {
		return fmt.Errorf("finish the ledger: %w", err)
	}
	w.figure("commits", v.Commits)
	w.figure("events", v.Events)
	w.figure("splits", v.Splits)
	w.figure("samples", v.Samples)
	w.figure("aborted_txns", v.AbortedTxns)
	w.figure("unknown", v.Unknown)
	w.figure("lost", v.Found[ledger.Lost])
	w.figure("dup", v.Found[ledger.Duplicate])
	w.figure("reorder", v.Found[ledger.Reorder])
	w.figure("I1", v.Found[ledger.Early])
	w.books, err = nil, w.books.Close()
	w.verdict = v
	if v.Events < w.size.Events {
		w.object("the ledger knows of %d events, %d are wanted", v.Events, w.size.Events)
	}
	if v.Samples == 0 {
		w.object("nobody looked at confirmation and position during the run")
	}
	if w.full && w.aborts && v.AbortedTxns == 0 {
		w.object("no Kafka transaction was aborted")
	}
	if !v.OK() {
		for _, kind := range slices.Sorted(maps.Keys(v.Found)) {
			w.kind(kind)
		}
		w.say("%s", v)
		for _, problem := range v.Problems {
			w.say("%s", problem)
		}
	}
	return err
}

// counted puts the ledger's numbers into the result.
func (w *world) counted(r *Result) {
	if v := w.verdict; v != nil {
		r.Events, r.Lost, r.Dup, r.Reorder = v.Events, v.Found[ledger.Lost], v.Found[ledger.Duplicate], v.Found[ledger.Reorder]
	}
}
