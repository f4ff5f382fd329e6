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
		Finds:    loss("position", "refused"),
		CaughtBy: []string{"A2", "K3f"}, Check: crashes(),
	}
}

func readStableOnly() Mutant {
	return Mutant{
		ID: "M5b", Name: "read the position to the last stable offset",
		Broken:   "the position is read up to an open transaction of somebody else's, not up to its end: newer ones are not seen",
		Incident: "hanging transactions as in KAFKA-20716 and KIP-664",
		Edits:    []Edit{readNoFurther()},
		Finds:    repeat("position", "written", "unrefused"),
		CaughtBy: []string{"K5f"}, Check: Check{simulation, "^TestForeignTransaction$"},
	}
}

func readNoFurther() Edit {
	return Edit{
		File: "cdc/position.go",
		Old:  "\t\tif stable >= mark {\n\t\t\treturn mark, nil\n",
		New:  "\t\tif stable >= 0 {\n\t\t\treturn min(stable, mark), nil\n",
	}
}

func readBeforeFence() Mutant {
	return Mutant{
		ID: "M5c", Name: "read the position before the fence",
		Broken:   "the position is read before the slot is taken and older daemons are fenced: a standby's is long out of date",
		Incident: "the order that KIP-618 prescribes, the other way round",
		Edits: []Edit{
			readNoFurther(),
			{File: "cdc/capture.go", Old: "\ttopicsUsed bool\n}", New: "\ttopicsUsed bool\n\tread       memory\n}"},
			{
				File: "cdc/lease.go",
				Old:  "\tbegun := time.Now()\n\tfor {\n",
				New:  "\tbegun, early := time.Now(), (*preparation)(nil)\n\tfor {\n",
			},
			{
				File: "cdc/lease.go",
				Old:  "\t\tl, err = c.take(ctx)\n",
				New: "\t\tif early == nil {\n\t\t\tif ready.read, err = c.positions().read(ctx); err != nil {\n" +
					"\t\t\t\treturn ready, nil, stoodBy, err\n\t\t\t}\n\t\t\tfirst := ready\n\t\t\tearly = &first\n\t\t}\n" +
					"\t\tready.read = early.read\n" +
					"\t\tl, err = c.take(ctx)\n",
			},
			{
				File: "cdc/capture.go",
				Old:  "\tkept, err := c.positions().read(ctx)\n",
				New:  "\tkept, err := ready.read, error(nil)\n",
			},
		},
		Finds:    repeat("position", "refused", "fence"),
		CaughtBy: []string{"A5", "A4"},
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
		Finds:    repeat("zombie", "open", "position", "stuck", "slow", "fence"),
		CaughtBy: []string{"A4", "K3f"}, Check: crashes(),
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
		Finds:    loss("mark", "mismatch"),
		CaughtBy: []string{"K9f", "N1-kafka"}, Check: refuses("Produce_MESSAGE_TOO_LARGE"),
	}
}

// silenceIsSuccess goes on with a new client, because the old one knows better.
func silenceIsSuccess() Mutant {
	return Mutant{
		ID: "M8", Name: "silence is success",
		Broken:   "an EndTxn whose answer is lost is taken for a commit",
		Incident: "yugabyte-db #33126 and PostHog #64719 are of the class",
		Edits: []Edit{
			{
				File: "cdc/producer.go",
				Old:  "\t\treturn p.fault(\"confirm the commit at \"+position.EndLSN.String(), causeOf(ctx, err))\n",
				New: "\t\tif _, answered := errors.AsType[*kerr.Error](err); answered {\n" +
					"\t\t\treturn p.fault(\"confirm the commit at \"+position.EndLSN.String(), causeOf(ctx, err))\n\t\t}\n" +
					"\t\tp.client.Close()\n\t\tnext, err := openProducer(context.WithoutCancel(ctx), p.cfg, nil)\n" +
					"\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n\t\tp.client, p.gate = next.client, next.gate\n",
			},
		},
		Finds:    loss("I1", "position", "refused", "fence"),
		CaughtBy: []string{"K3f"}, Check: crashes(),
	}
}

// failureIsSuccess goes on with a new client, because the old one knows better.
func failureIsSuccess() Mutant {
	return Mutant{
		ID: "M8b", Name: "failure is success",
		Broken:   "an EndTxn that fails, for whatever reason, is taken for a commit",
		Incident: "yugabyte-db #33126 and PostHog #64719 are of the class",
		Edits: []Edit{{
			File: "cdc/producer.go",
			Old:  "\t\treturn p.fault(\"confirm the commit at \"+position.EndLSN.String(), causeOf(ctx, err))\n",
			New: "\t\tp.client.Close()\n\t\tnext, err := openProducer(context.WithoutCancel(ctx), p.cfg, nil)\n" +
				"\t\tif err != nil {\n\t\t\treturn err\n\t\t}\n\t\tp.client, p.gate = next.client, next.gate\n",
		}},
		Finds:    loss("I1", "position", "refused"),
		CaughtBy: []string{"K2f"}, Check: refuses("EndTxn_INVALID_TXN_STATE"),
	}
}

func silenceIsFailure() Mutant {
	return Mutant{
		ID: "M9", Name: "silence is failure",
		Broken:   "an EndTxn whose answer is lost is taken for an abort: it is delivered again from the last known position, unread",
		Incident: "Flink CDC #2538 is of the class",
		Edits: []Edit{
			{
				File: "cdc/capture.go",
				Old:  "\tkept, err := c.positions().read(ctx)\n",
				New: "\tkept, err := memory{position: c.position, found: true, relations: c.relations}, error(nil)\n" +
					"\tif c.position.EndLSN.IsZero() {\n\t\tkept, err = c.positions().read(ctx)\n\t}\n",
			},
		},
		Finds:    repeat("position"),
		CaughtBy: []string{"K3f"}, Check: crashes(),
	}
}
