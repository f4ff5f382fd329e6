package mutant

func readUncommitted() Mutant {
	return Mutant{
		ID: "M5", Name: "read the position uncommitted",
		Broken:   "the position is read with what was aborted in it: it speaks of records that nobody will see",
		Incident: "the class of PostHog #64719 and of every offset store outside the transaction",
		Edits: []Edit{{
			File: "cdc/position.go",
			Old:  "kgo.FetchIsolationLevel(kgo.ReadCommitted()),",
			New:  "kgo.FetchIsolationLevel(kgo.ReadUncommitted()),",
		}},
		CaughtBy: []string{"A2", "K3f"}, Simulation: crashes,
	}
}

func readStableOnly() Mutant {
	return Mutant{
		ID: "M5b", Name: "read the position to the last stable offset",
		Broken:   "the position is read up to an open transaction of somebody else's, not up to its end: newer ones are not seen",
		Incident: "hanging transactions as in KAFKA-20716 and KIP-664",
		Edits:    []Edit{readNoFurther()},
		CaughtBy: []string{"K5f"},
	}
}

func readNoFurther() Edit {
	return Edit{
		File: "cdc/position.go",
		Old:  "\t\tcase stable == end:\n\t\t\treturn end, nil\n",
		New:  "\t\tcase stable <= end:\n\t\t\treturn stable, nil\n",
	}
}

func readBeforeFence() Mutant {
	return Mutant{
		ID: "M5c", Name: "read the position before the fence",
		Broken:   "the position is read to the last stable offset while an older daemon may still commit, and fenced after that",
		Incident: "the order that KIP-618 calls out",
		Edits: []Edit{
			readNoFurther(),
			{
				File: "cdc/capture.go",
				Old:  "\t\tproducer, err := openProducer(ctx, &c.cfg, ready.topics.maxBytes)\n",
				New: "\t\tread, found, err := c.positions().read(ctx)\n\t\tif err != nil {\n\t\t\treturn false, err\n\t\t}\n" +
					"\t\tproducer, err := openProducer(ctx, &c.cfg, ready.topics.maxBytes)\n",
			},
			{
				File: "cdc/capture.go",
				Old:  "c.resume(ctx, producer, l, ready.topicsUsed)",
				New:  "c.resume(ctx, producer, l, ready.topicsUsed, read, found)",
			},
			{
				File: "cdc/capture.go",
				Old:  "l *lease, topicsUsed bool) (schema.Position, error) {",
				New:  "l *lease, topicsUsed bool, read schema.Position, found bool) (schema.Position, error) {",
			},
			{
				File: "cdc/capture.go",
				Old:  "\tif e.position, e.found, err = c.positions().read(ctx); err != nil {\n\t\treturn e.position, err\n\t}\n",
				New:  "\te.position, e.found = read, found\n",
			},
		},
		CaughtBy: []string{"A4", "K3f"}, Simulation: crashes,
	}
}

func freshTransactionalID() Mutant {
	return Mutant{
		ID: "M6", Name: "fresh transactional id",
		Broken:   "each start takes a transactional id of its own, so that none fences the one before",
		Incident: "the reason of KIP-447's and KIP-618's stable ids",
		Edits: []Edit{{
			File: "cdc/producer.go",
			Old:  "kgo.TransactionalID(cfg.TransactionalID),",
			New:  "kgo.TransactionalID(fmt.Sprintf(\"%s-%p-%d\", cfg.TransactionalID, cfg, time.Now().UnixNano())),",
		}},
		CaughtBy: []string{"A4", "K3f"}, Simulation: crashes,
	}
}

func ignorePromise() Mutant {
	return Mutant{
		ID: "M7", Name: "ignore a promise",
		Broken:   "a record that Kafka does not take is left out, and the rest of the transaction is committed",
		Incident: "maxwell #1122",
		Edits: []Edit{{
			File: "cdc/producer.go",
			Old:  "\tif err := p.outcomes.err(); err != nil {\n",
			New:  "\tif err := p.outcomes.err(); err != nil && p.client == nil {\n",
		}},
		CaughtBy: []string{"N1-kafka"}, Simulation: refuses,
	}
}

// silenceIsSuccess clears the client by an abort, without which it would say that
// the transaction has not ended.
func silenceIsSuccess() Mutant {
	return Mutant{
		ID: "M8", Name: "silence is success",
		Broken:   "an EndTxn without an answer is taken for a commit",
		Incident: "yugabyte-db #33126 and PostHog #64719 are of the class",
		Edits: []Edit{{
			File: "cdc/producer.go",
			Old:  "\t\treturn p.fault(\"confirm the commit at \"+position.EndLSN.String(), err)\n",
			New: "\t\tif _, answered := errors.AsType[*kerr.Error](err); answered {\n" +
				"\t\t\treturn p.fault(\"confirm the commit at \"+position.EndLSN.String(), err)\n\t\t}\n" +
				"\t\tagain, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.cfg.Wait)\n\t\tdefer cancel()\n" +
				"\t\tif err := p.client.EndTransaction(again, kgo.TryAbort); err != nil {\n" +
				"\t\t\treturn p.fault(\"confirm the commit at \"+position.EndLSN.String(), err)\n\t\t}\n",
		}},
		CaughtBy: []string{"K3f"}, Simulation: crashes,
	}
}

func silenceIsFailure() Mutant {
	return Mutant{
		ID: "M9", Name: "silence is failure",
		Broken:   "an EndTxn without an answer is taken for an abort: it is delivered again from the last known position, unread",
		Incident: "Flink CDC #2538 is of the class",
		Edits: []Edit{{
			File: "cdc/capture.go",
			Old:  "\tif e.position, e.found, err = c.positions().read(ctx); err != nil {\n",
			New: "\tif e.position, e.found = c.position, !c.position.EndLSN.IsZero(); e.found {\n" +
				"\t\t// known\n\t} else if e.position, e.found, err = c.positions().read(ctx); err != nil {\n",
		}},
		CaughtBy: []string{"K3f"}, Simulation: crashes,
	}
}
