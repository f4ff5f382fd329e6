package mutant

func deliverRolledBack() Mutant {
	return Mutant{
		ID: "M14", Name: "deliver what was rolled back",
		Broken:   "of a streamed transaction the changes of a rolled back savepoint are delivered",
		Incident: "Stream Abort that names a subtransaction, which the protocol's manual warns of",
		Edits: []Edit{{
			File: "cdc/spool/replay.go",
			Old:  "\t\tif _, aborted := tx.aborted[next.xid]; aborted {\n",
			New:  "\t\tif _, aborted := tx.aborted[next.xid]; aborted && next.xid == tx.xid {\n",
		}},
		Finds:    []string{"extra", "mismatch", "mark", "state"},
		CaughtBy: []string{"P9-streaming"}, Check: Check{spool, "^TestReplay$"},
	}
}

// loseRowBetweenBlocks leaves out the first insert of each block but the first.
func loseRowBetweenBlocks() Mutant {
	return Mutant{
		ID: "M14b", Name: "lose a row between blocks",
		Broken:   "of a streamed transaction one row is lost where a block ends and the next begins",
		Incident: "go-pq-cdc #85 and #86: a look-ahead row was not flushed at Stream Stop",
		Edits: []Edit{
			{
				File: "cdc/spool/spool.go",
				Old:  "\tsize    int64 ",
				New:  "\tgoesOn  bool\n\tsize    int64 ",
			},
			{
				File: "cdc/spool/spool.go",
				Old:  "\ts.block = tx\n",
				New:  "\ttx.goesOn = known\n\ts.block = tx\n",
			},
			{
				File: "cdc/spool/spool.go",
				Old:  "\treturn s.write(s.block, record{",
				New: "\tif s.block.goesOn && pgoutput.Kind(message[0]) == pgoutput.KindInsert {\n" +
					"\t\ts.block.goesOn = false\n\t\treturn nil\n\t}\n" +
					"\treturn s.write(s.block, record{",
			},
		},
		Finds:    loss("mark", "mismatch"),
		CaughtBy: []string{"P9-streaming"}, Check: Check{spool, "^TestReplay$"},
	}
}
