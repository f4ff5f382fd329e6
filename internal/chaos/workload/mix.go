package workload

// Mix is how often each kind of transaction is written, relative to the others.
type Mix struct {
	Insert, Update, Delete int // one row
	Upsert                 int // INSERT ... ON CONFLICT DO UPDATE
	MultiRow               int // up to 400 rows in a statement
	KeyChange, KeySwap     int // of one row; of two rows with each other
	Copy                   int // COPY, and updates of what it brought
	Savepoint              int // of which some are rolled back to
	Rollback, Empty        int // nothing comes of it
	Long                   int // stays open while others commit
	Transfer               int // between accounts: their sum never changes
	Toast                  int // values outside their row, updated and left alone
	Pair                   int // a key of two columns, an identity of three, one column of each type
	Partition              int // of which some move a row to another partition
	Truncate               int // a TRUNCATE now and then, else rows for it
	Message                int // pg_logical_emit_message of both kinds

	// Adjacent adds eight clients that commit one row at a time, so that commit
	// records lie directly behind one another in the log.
	Adjacent bool
}

// DefaultMix has something of everything but Adjacent.
func DefaultMix() Mix {
	return Mix{
		Insert: 20, Update: 15, Delete: 6, Upsert: 8, MultiRow: 4, KeyChange: 4, KeySwap: 2, Copy: 2, Savepoint: 4,
		Rollback: 3, Empty: 2, Long: 2, Transfer: 12, Toast: 4, Pair: 6, Partition: 5, Truncate: 3, Message: 3,
	}
}

// picker chooses a worker's next transaction.
type picker func(*worker) transaction

// kind is a weighted picker.
type kind struct {
	weight int
	pick   picker
}

func (m *Mix) kinds() []kind {
	return []kind{
		{m.Insert, oneRow}, {m.Update, updateRow}, {m.Delete, deleteRow}, {m.Upsert, upsert}, {m.MultiRow, multiRow},
		{m.KeyChange, keyChange}, {m.KeySwap, keySwap}, {m.Copy, copyRows}, {m.Savepoint, savepoint}, {m.Rollback, rolledBack},
		{m.Empty, empty}, {m.Long, long}, {m.Transfer, transfer}, {m.Toast, toast}, {m.Pair, pair}, {m.Partition, partition},
		{m.Truncate, truncate}, {m.Message, message},
	}
}

func (m *Mix) total() int {
	sum := 0
	for _, k := range m.kinds() {
		sum += k.weight
	}
	return sum
}

func (m *Mix) pick(w *worker) transaction {
	at := w.random.IntN(m.total())
	for _, k := range m.kinds() {
		if at < k.weight {
			return k.pick(w)
		}
		at -= k.weight
	}
	return transaction{}
}
