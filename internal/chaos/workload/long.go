package workload

import "context"

// long begins a transaction that stays open while its worker, on another
// connection, commits others: the order of BEGIN is not the order of COMMIT. It
// does not remember its keys: a row moved to one of them would wait for its end.
func long(w *worker) transaction {
	return transaction{sql: insertInto(w, w.fresh(1)) + insertInto(w, w.fresh(1)), long: true}
}

// park leaves a transaction open on a connection of its own. It writes new rows
// only, so nobody waits for it.
func (w *worker) park(ctx context.Context, t transaction) error {
	if w.aside == nil {
		w.aside = newWorker(w.load, w.id)
	}
	// Tags are the worker's: both count on.
	w.aside.n = w.n
	op, err := w.aside.begin(ctx, t)
	w.n = w.aside.n
	if err != nil {
		return w.adopt(w.aside.settle(ctx, op, err))
	}
	w.parked, w.left = op, 2+w.random.IntN(40)
	return nil
}

// unpark ends the open transaction, if there is one; 3 means by a rollback.
func (w *worker) unpark(ctx context.Context, how int) error {
	op := w.parked
	if op == nil {
		return nil
	}
	w.parked = nil
	return w.adopt(w.aside.settle(ctx, op, w.aside.end(ctx, op, how == 3)))
}

// adopt takes over what the other connection logged.
func (w *worker) adopt(err error) error {
	w.ops, w.aside.ops = append(w.ops, w.aside.ops...), nil
	return err
}
