package mutant

func deliverStale() Mutant {
	return Mutant{
		ID: "M20", Name: "deliver stale rows",
		Broken:   "a row that was read is delivered whatever the stream has said of it since",
		Incident: "every snapshot that is read beside the stream without watermarks",
		Edits: []Edit{{
			File: "cdc/backfill/window.go",
			Old:  "\tif c, changed := t.last[string(key)]; changed && !s.Sees(c.xid) {\n",
			New:  "\tif c, changed := t.last[string(key)]; changed && !s.Sees(c.xid) && c.torn {\n",
		}},
		Check:    Check{"./cdc/backfill", "^TestTheWindowJudgesRows$"},
		Finds:    []string{"overridden"},
		CaughtBy: []string{"B1"},
	}
}

func forgetChunk() Mutant {
	return Mutant{
		ID: "M21", Name: "forget the chunk",
		Broken:   "the rows of a chunk are committed without the note that it is done: after a kill they come again",
		Incident: "every snapshot that begins anew after a crash",
		Edits: []Edit{{
			File: "cdc/copies_deliver.go",
			Old:  "\tc.desks[table].Deliver(chunk, delivered, dropped, torn)\n\tc.changed[table] = true\n",
			New:  "\tc.desks[table].Deliver(chunk, delivered, dropped, torn)\n",
		}},
		Finds:    []string{"dup"},
		CaughtBy: []string{"B1"},
	}
}

func leaveTorn() Mutant {
	return Mutant{
		ID: "M22", Name: "leave torn rows",
		Broken:   "a row whose change left out a TOASTed value while it was read is not read once more: the compacted topic does not hold it whole",
		Incident: "incremental snapshots with REPLICA IDENTITY DEFAULT",
		Edits: []Edit{{
			File: "cdc/copies.go",
			Old:  "\tif torn != nil {\n",
			New:  "\tif len(torn) > 1 {\n",
		}},
		Finds:    []string{"partial"},
		CaughtBy: []string{"B1"},
	}
}
