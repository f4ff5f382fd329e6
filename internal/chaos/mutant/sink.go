package mutant

func commitFirst() Mutant {
	return Mutant{
		ID: "M10", Name: "commit first",
		Broken:   "the sink commits the offsets of what it has fetched before it has written any of it",
		Incident: "every consumer with automatic commits; yugabyte-db #33126",
		Edits: []Edit{{
			File: "sink/step.go",
			Old:  "\ts.sweep(ctx, c.owners)\n",
			New: "\ts.sweep(ctx, c.owners)\n" +
				"\tvar early []Progress\n" +
				"\tfetches.EachPartition(func(p kgo.FetchTopicPartition) {\n" +
				"\t\tif n := len(p.Records); n > 0 {\n" +
				"\t\t\tearly = append(early, Progress{Partition: p.Partition, Offset: p.Records[n-1].Offset + 1})\n" +
				"\t\t}\n\t})\n" +
				"\tif err := c.commit(ctx, early); err != nil {\n\t\treturn err\n\t}\n",
		}},
		Finds:    []string{"missing", "surplus", "differing"},
		CaughtBy: []string{"S3", "S5"},
	}
}

func wallClock() Mutant {
	return Mutant{
		ID: "M11", Name: "wall clock",
		Broken:   "rows are written to Cassandra at the time of writing, as the driver does by default: an older one that comes late wins",
		Incident: "gocql's DefaultTimestamp",
		Edits: []Edit{
			{File: "sink/cassandra/apply.go", Old: "\t\"sync\"\n\n\tgocql", New: "\t\"sync\"\n\t\"time\"\n\n\tgocql"},
			{
				File: "sink/cassandra/apply.go",
				Old:  "\treturn entry(t.put, append(values, w.Version, w.Version)...)\n",
				New:  "\treturn entry(t.put, append(values, w.Version, time.Now().UnixMicro())...)\n",
			},
		},
		Finds:    []string{"writetime"},
		CaughtBy: []string{"S3", "S5"},
	}
}

func unguarded() Mutant {
	return Mutant{
		ID: "M12", Name: "unguarded",
		Broken:   "a hash in Redis is set whatever version it has: what is repeated late overwrites what is newer",
		Incident: "SET and HSET as most sinks call them",
		Edits: []Edit{{
			File: "sink/redis/guard.lua",
			Old:  "if current and current >= ARGV[1] then\n",
			New:  "if false then\n",
		}},
		Finds:    []string{"stale"},
		CaughtBy: []string{"S4", "S2"},
	}
}

func compareNumbers() Mutant {
	return Mutant{
		ID: "M12b", Name: "compare numbers",
		Broken:   "versions are compared in Redis as Lua's numbers, which are doubles: of two that lie side by side beyond 2^53 the newer is refused",
		Incident: "Lua's numbers in Redis scripts; 53 bits are what JSON and Lua have",
		Edits: []Edit{{
			File: "sink/redis/guard.lua",
			Old:  "if current and current >= ARGV[1] then\n",
			New:  "if current and tonumber(current) >= tonumber(ARGV[1]) then\n",
		}},
		Finds:    []string{"missing", "differing", "stale"},
		CaughtBy: []string{"S5"},
	}
}

func countOn() Mutant {
	return Mutant{
		ID: "M15", Name: "count on",
		Broken:   "a content's total is counted on from what was written of it last: what a crash has written of it but not of its hours counts twice",
		Incident: "INCR, counter columns and every total that is kept by increments",
		Edits: []Edit{{
			File: "sink/tally_load.go",
			Old:  "\t\t\tw.last = p\n\t\t\treturn nil\n\t\t}\n\t\tw.hours[v.Hour] = p\n\t\tw.sums.Add(&v.Sums, 1)\n",
			New:  "\t\t\tw.last = p\n\t\t\tw.sums.Add(&v.Sums, 1)\n\t\t\treturn nil\n\t\t}\n\t\tw.hours[v.Hour] = p\n",
		}},
		Finds:    []string{"totals"},
		CaughtBy: []string{"S3", "S5"},
	}
}
