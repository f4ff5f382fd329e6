package mutant

func confirmOnReceive() Mutant {
	return Mutant{
		ID: "M1", Name: "confirm on receive",
		Broken:   "a commit is confirmed to Postgres as soon as its message has come, before Kafka has any of it",
		Incident: "Debezium DBZ-1090 and DBZ-1766, airbyte #19373",
		Edits: []Edit{{
			File: "cdc/stream.go",
			Old:  "\t\ts.batch.frames = append(s.batch.frames, frame{length: len(payload)})\n",
			New: "\t\ts.batch.frames = append(s.batch.frames, frame{length: len(payload)})\n" +
				"\t\tif len(payload) == 26 && payload[0] == 'C' {\n" +
				"\t\t\ts.Confirm(schema.LSN(binary.BigEndian.Uint64(payload[10:])))\n" +
				"\t\t}\n",
		}},
		Finds:    loss("I1", "refused"),
		CaughtBy: []string{"A1", "K1f", "K2f"}, Check: crashes(),
	}
}

func confirmKeepalive() Mutant {
	return Mutant{
		ID: "M2", Name: "confirm keepalives",
		Broken:   "the end of the log in a keepalive is confirmed at once, whatever is still on its way to Kafka",
		Incident: "go-pq-cdc #107 and #108",
		Edits: []Edit{{
			File: "cdc/stream.go",
			Old:  "\t\ts.batch.frames = append(s.batch.frames, f)\n",
			New:  "\t\ts.batch.frames = append(s.batch.frames, f)\n\t\ts.Confirm(f.walEnd)\n",
		}},
		Finds:    loss("I1", "refused"),
		CaughtBy: []string{"A1", "A2", "K1f"}, Check: crashes(),
	}
}

func confirmOneTooFar() Mutant {
	return Mutant{
		ID: "M3", Name: "confirm one byte too far",
		Broken:   "end_lsn+1 is confirmed, so that the server may skip a commit record that lies directly behind",
		Incident: "Redpanda Connect's postgres input; removed from supabase/etl by #731",
		Edits: []Edit{{
			File: "cdc/session.go",
			Old:  "\ts.stream.Confirm(next.EndLSN)\n",
			New:  "\ts.stream.Confirm(next.EndLSN + 1)\n",
		}},
		Finds:    loss("I1", "refused"),
		CaughtBy: []string{"A1", "A3", "P11"}, Check: crashes(),
	}
}

// confirmMessageEnd keeps position and confirmation equal, so that no comparison of
// the two shows it: only the row that is missing does.
func confirmMessageEnd() Mutant {
	return Mutant{
		ID: "M3b", Name: "confirm the message's end",
		Broken:   "position and confirmation are WALStart plus the length of the commit message, which lies within the next record",
		Incident: "Redpanda Connect's postgres input",
		Edits: []Edit{
			{
				File: "cdc/assembler.go",
				Old:  "\ta.delivered = m.EndLSN\n\treturn Step{Boundary: m.EndLSN}, nil\n",
				New:  "\ta.delivered = m.EndLSN\n\treturn Step{Boundary: m.EndLSN + 26}, nil\n",
			},
			{ // an open commit below the position would tell
				File: "cdc/session.go",
				Old:  "len(step.Events) > 0 && s.oversized() {\n",
				New:  "len(step.Events) > 0 && s.oversized() && s.assembler.source.CommitLSN >= max(s.position.EndLSN, s.boundary) {\n",
			},
		},
		Finds:    loss("position", "refused"),
		CaughtBy: []string{"P11", "A1"}, Check: crashes(),
	}
}

func confirmIdleUnwritten() Mutant {
	return Mutant{
		ID: "M16", Name: "confirm idle progress unwritten",
		Broken:   "what passes on an idle stream is confirmed, but no position is written to Kafka for it",
		Incident: "the invariant that pgjdbc#1328 and go-pq-cdc #83 broke",
		Edits: []Edit{{
			File: "cdc/session.go",
			Old:  "\t\ts.cfg.reach(FailIdle)\n\t\treturn s.end(ctx)\n",
			New:  "\t\ts.cfg.reach(FailIdle)\n\t\ts.stream.Confirm(s.boundary)\n\t\ts.ended = time.Now()\n\t\treturn nil\n",
		}},
		Finds:    []string{"I1", "refused", "stuck"},
		CaughtBy: []string{"P8", "A2"}, Check: crashes(),
	}
}

func leaveUnconfirmed() Mutant {
	return Mutant{
		ID: "M19", Name: "leave unconfirmed",
		Broken:   "a graceful stop leaves out the last confirmation: what Kafka has is sent again",
		Incident: "go-pq-cdc #148, supabase/etl #731",
		Edits: []Edit{{
			File: "cdc/stream.go",
			Old:  "func (s *Stream) finish(ctx context.Context) error {\n\tif err := s.report(ctx); err != nil {\n\t\treturn err\n\t}\n",
			New:  "func (s *Stream) finish(ctx context.Context) error {\n",
		}},
		Finds:    []string{"resent"},
		CaughtBy: []string{"A3"}, Check: crashes(),
	}
}
