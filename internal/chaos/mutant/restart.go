package mutant

// resumeByRow compares a row's own place in the log with the position, which is one
// among commits: a transaction that began before the position and commits after it
// has rows on the wrong side.
func resumeByRow() Mutant {
	return Mutant{
		ID: "M4", Name: "resume by row",
		Broken:   "after a restart each row whose own LSN is below the position is taken for delivered",
		Incident: "Debezium DBZ-2397, pgcopydb #1044, OpenLogReplicator #330",
		Edits: []Edit{
			{File: "cdc/stream.go", Old: "\tlength      int\n", New: "\tlength      int\n\tstart       schema.LSN\n"},
			{
				File: "cdc/stream.go",
				Old:  "frame{length: len(payload)})\n",
				New:  "frame{length: len(payload), start: schema.LSN(binary.BigEndian.Uint64(data[1:]))})\n",
			},
			{
				File: "cdc/session.go",
				Old:  "\tcase s.spool == nil:\n\t\treturn s.message(ctx, data)\n",
				New:  "\tcase s.spool == nil:\n\t\ts.assembler.row0 = f.start\n\t\treturn s.message(ctx, data)\n",
			},
			{
				File: "cdc/assembler.go",
				Old:  "\tinTransaction bool\n",
				New:  "\trow0, since schema.LSN\n\tinTransaction bool\n",
			},
			{
				File: "cdc/assembler.go",
				Old:  "\t\tdelivered: from.EndLSN,\n",
				New:  "\t\tdelivered: from.EndLSN,\n\t\tsince: from.EndLSN,\n",
			},
			{
				File: "cdc/assembler.go",
				Old:  "\tif known, err := a.message(data); known || err != nil {\n",
				New:  "\tif known, err := a.message(data); known || err != nil || a.row0 < a.since {\n",
			},
		},
		Finds:    loss("mark"),
		CaughtBy: []string{"A1", "P12"}, Check: crashes(),
	}
}

func deliverAgain() Mutant {
	return Mutant{
		ID: "M13", Name: "deliver again",
		Broken:   "what the server sends again after a restart is delivered again",
		Incident: "every at-least-once capture, Debezium's default among them",
		Edits: []Edit{
			{File: "cdc/assembler.go", Old: "\ta.skipping = m.FinalLSN < a.delivered\n", New: "\ta.skipping = false\n"},
			{File: "cdc/assembler.go", Old: "\ta.delivered = m.EndLSN\n", New: "\ta.delivered = max(a.delivered, m.EndLSN)\n"},
			{
				File: "cdc/assembler.go",
				Old:  "\tif a.skipping || a.early() {\n\t\treturn Step{}, nil\n",
				New:  "\tif a.skipping || a.early() {\n\t\treturn Step{Boundary: m.EndLSN}, nil\n",
			},
			{
				File: "cdc/session.go",
				Old:  "\ts.boundary, s.commit, s.part = boundary, volume{}, schema.OpenCommit{}\n",
				New:  "\ts.commit, s.part = volume{}, schema.OpenCommit{}\n\tif boundary <= s.position.EndLSN {\n\t\treturn nil\n\t}\n\ts.boundary = boundary\n",
			},
			{ // a position below the last would tell
				File: "cdc/session.go",
				Old:  "len(step.Events) > 0 && s.oversized() {\n",
				New:  "len(step.Events) > 0 && s.oversized() && s.assembler.source.CommitLSN >= s.position.EndLSN {\n",
			},
			{
				File: "cdc/assembler.go",
				Old:  "\t\treturn true, a.diverged(\"transaction %d, which commits at %s, was sent with changes before it\", a.source.XID, a.source.CommitLSN)\n",
				New:  "\t\treturn false, nil\n",
			},
		},
		Finds:    repeat("position", "version"),
		CaughtBy: []string{"A1", "A2", "P1"}, Check: crashes(),
	}
}

// deliverPartAgain does not split again before it is past the part that Kafka has:
// a position may not go back.
func deliverPartAgain() Mutant {
	return Mutant{
		ID: "M13b", Name: "deliver a part again",
		Broken:   "of a split commit the part that Kafka has is counted, and delivered again",
		Incident: "PostHog #64719 is of the class, the other way round",
		Edits: []Edit{
			{
				File: "cdc/assembler.go",
				Old:  "\t\ta.open = schema.OpenCommit{}\n\t}\n\treturn true, nil\n",
				New:  "\t\ta.open = schema.OpenCommit{}\n\t}\n\treturn false, nil\n",
			},
			{
				File: "cdc/session.go",
				Old:  "len(step.Events) > 0 && s.oversized() {\n",
				New:  "len(step.Events) > 0 && s.oversized() && s.assembler.tally.messages > s.position.Open.N {\n",
			},
		},
		Finds:    repeat("position", "mark"),
		CaughtBy: []string{"P9", "A2"}, Check: crashes(),
	}
}

// skipOneTooMany leaves out the first change behind the part that Kafka has.
func skipOneTooMany() Mutant {
	return Mutant{
		ID: "M17", Name: "skip one too many",
		Broken:   "of a split commit one change more than Kafka has is skipped",
		Incident: "go-pq-cdc #85: one look-ahead row of 1.5 million was lost",
		Edits: []Edit{
			{File: "cdc/assembler.go", Old: "\tinTransaction bool\n", New: "\tover bool\n\tinTransaction bool\n"},
			{File: "cdc/assembler.go", Old: "\ta.inTransaction = true\n", New: "\ta.inTransaction, a.over = true, false\n"},
			{
				File: "cdc/assembler.go",
				Old:  "\tif a.open.IsZero() {\n\t\treturn false, nil\n\t}\n",
				New:  "\tif a.open.IsZero() {\n\t\ta.over, known = false, a.over\n\t\treturn known, nil\n\t}\n",
			},
			{
				File: "cdc/assembler.go",
				Old:  "\t\ta.open = schema.OpenCommit{}\n\t}\n\treturn true, nil\n",
				New:  "\t\ta.open, a.over = schema.OpenCommit{}, true\n\t}\n\treturn true, nil\n",
			},
		},
		Finds:    loss("mark", "mismatch"),
		CaughtBy: []string{"P9", "A2"}, Check: crashes(),
	}
}

func skipOneTooFew() Mutant {
	return Mutant{
		ID: "M17b", Name: "skip one too few",
		Broken:   "of a split commit the last change that Kafka has is delivered again",
		Incident: "the same count, wrong in the other direction",
		Edits: []Edit{{
			File: "cdc/assembler.go",
			Old:  "\t\ta.open = schema.OpenCommit{}\n\t}\n\treturn true, nil\n",
			New:  "\t\ta.open = schema.OpenCommit{}\n\t\treturn false, nil\n\t}\n\treturn true, nil\n",
		}},
		Finds:    repeat("position", "mark", "mismatch"),
		CaughtBy: []string{"P9", "A2"}, Check: crashes(),
	}
}

// forgetVersion writes the larger version to the position, which would else tell.
func forgetVersion() Mutant {
	return Mutant{
		ID: "M18", Name: "forget the version",
		Broken:   "versions start again from the commit's time after a restart, however far they had come",
		Incident: "a wall clock in the place of a logical one",
		Edits: []Edit{
			{
				File: "cdc/assembler.go",
				Old:  "\t\tclock:     schema.Clock{Last: from.Version},\n",
				New:  "",
			},
			{
				File: "cdc/session.go",
				Old:  "\tif !forward(s.position, next) {\n",
				New:  "\tnext.Version = max(next.Version, s.position.Version)\n\tif !forward(s.position, next) {\n",
			},
		},
		Finds:    []string{"version"},
		CaughtBy: []string{"A8"}, Check: crashes(),
	}
}
