package admin

import (
	"time"

	"penstock/cdc"
	"penstock/cdc/backfill"
	"penstock/schema"
)

// Type is what Prometheus takes a metric for.
type Type string

// The types.
const (
	Counter Type = "counter" // it begins at 0 with the process, or with what it counts, and only grows
	Gauge   Type = "gauge"
	Untyped Type = "untyped" // a number whose name ends as a counter's does, and which is none
)

// Metric is a row of the table of all metrics that are Penstock's own.
type Metric struct {
	Name   string
	Type   Type
	Labels []string
	Help   string // a sentence, with the unit where the name has none

	// read puts the values of a scrape, each with those of the labels in their order; none where nothing is known.
	read func(*view, put)
}

// put takes one value.
type put func(value float64, labels ...string)

// Table is every metric, in the order of the way of a change.
func Table() []Metric {
	var all []Metric
	for _, part := range [][]Metric{ofDaemon(), ofSource(), ofKafka(), ofBackfill(), ofPartitions(), ofSink()} {
		all = append(all, part...)
	}
	return all
}

func ofDaemon() []Metric {
	return []Metric{
		{
			Name: "penstock_build_info", Type: Gauge, Labels: []string{"version", "commit", "go"}, Help: "1, with what the program was built of.",
			read: func(v *view, put put) { put(1, v.build.Version, v.build.Commit, v.build.Go) },
		},
		{
			Name: "penstock_component_state", Type: Gauge, Labels: []string{"component", "state"},
			Help: "1 for the state that a part of the daemon is in, else 0: capture, and sink/ with the name of a pipeline.",
			read: func(v *view, put put) {
				for _, p := range v.parts() {
					for _, state := range p.states {
						put(truth(state == p.State), p.Name, state)
					}
				}
			},
		},
	}
}

// captured is a metric of the capture, where one runs.
func captured(m Metric, read func(*cdc.Stats, put)) Metric {
	m.read = func(v *view, put put) {
		if v.capture != nil {
			read(v.capture, put)
		}
	}
	return m
}

func ofSource() []Metric {
	return []Metric{
		captured(Metric{
			Name: "penstock_source_received_lsn", Type: Gauge, Help: "The highest LSN that the server has sent, in bytes of its log.",
		}, func(s *cdc.Stats, put put) { putLSN(put, s.Received) }),
		captured(Metric{
			Name: "penstock_source_flushed_lsn", Type: Gauge,
			Help: "The LSN below which every commit is in Kafka, in bytes of the server's log; the slot is confirmed up to it.",
		}, func(s *cdc.Stats, put put) { putLSN(put, s.Delivered) }),
		captured(Metric{
			Name: "penstock_source_last_commit_timestamp_seconds", Type: Gauge,
			Help: "About when the last change that is in Kafka was committed, in seconds since the Unix epoch.",
		}, func(s *cdc.Stats, put put) { putMicros(put, s.Version) }),
		captured(Metric{
			Name: "penstock_source_transactions_total", Type: Counter, Help: "Commits whose changes were all handed to Kafka, also those that had to be sent again.",
		}, func(s *cdc.Stats, put put) { put(float64(s.Transactions)) }),
		captured(Metric{
			Name: "penstock_source_changes_total", Type: Counter, Labels: []string{"table", "op"},
			Help: "Changes that were handed to Kafka, also those that had to be sent again: c create, u update, d delete, t truncate, r a row that a backfill read.",
		}, func(s *cdc.Stats, put put) {
			for _, c := range s.Changes {
				put(float64(c.N), c.Table.String(), string(c.Op))
			}
		}),
	}
}

func ofKafka() []Metric {
	return []Metric{
		captured(Metric{
			Name: "penstock_kafka_transactions_total", Type: Counter, Labels: []string{"result"},
			Help: "Kafka transactions of the capture that it knows the end of: commit or abort.",
		}, func(s *cdc.Stats, put put) {
			put(float64(s.Commits), "commit")
			put(float64(s.Aborts), "abort")
		}),
		captured(Metric{
			Name: "penstock_kafka_last_commit_timestamp_seconds", Type: Gauge,
			Help: "When the capture committed a Kafka transaction last, in seconds since the Unix epoch; it does so every few seconds, also when nothing changes.",
		}, func(s *cdc.Stats, put put) { putTime(put, s.Committed) }),
		captured(Metric{
			Name: "penstock_kafka_records_total", Type: Counter, Labels: []string{"topic"},
			Help: "Records of the capture that brokers have acknowledged, also in transactions that were not committed.",
		}, func(s *cdc.Stats, put put) {
			for _, t := range s.Topics {
				put(float64(t.Records), t.Topic)
			}
		}),
		captured(Metric{
			Name: "penstock_kafka_record_bytes_total", Type: Counter, Labels: []string{"topic"},
			Help: "Bytes of the records that brokers have acknowledged, as they are in a batch before it is compressed.",
		}, func(s *cdc.Stats, put put) {
			for _, t := range s.Topics {
				put(float64(t.Bytes), t.Topic)
			}
		}),
	}
}

// copied is a metric of the last backfill of each table.
func copied(name string, kind Type, help string, value func(p *backfill.Progress, now time.Time) (float64, bool)) Metric {
	m := Metric{Name: "penstock_backfill_" + name, Type: kind, Labels: []string{"table"}, Help: help}
	m.read = func(v *view, put put) {
		for i := range v.backfills() {
			p := &v.capture.Backfills[i]
			if value, known := value(p, v.now); known {
				put(value, p.Table.String())
			}
		}
	}
	return m
}

func ofBackfill() []Metric {
	state := Metric{
		Name: "penstock_backfill_state", Type: Gauge, Labels: []string{"table", "state"}, Help: "1 for the state that the last backfill of a table is in, else 0.",
		read: func(v *view, put put) {
			for _, p := range v.backfills() {
				for _, s := range backfill.States() {
					put(truth(s == p.State), p.Table.String(), string(s))
				}
			}
		},
	}
	return []Metric{
		state,
		copied("rows_total", Counter, "Rows that the last backfill of a table has delivered.",
			func(p *backfill.Progress, _ time.Time) (float64, bool) { return float64(p.Rows), true }),
		copied("rows_estimated", Gauge, "Rows that the last backfill of a table had to read when it began, by the server's statistics; absent without any.",
			func(p *backfill.Progress, _ time.Time) (float64, bool) { return float64(p.Estimate), p.Estimate >= 0 }),
		copied("chunks_done", Gauge, "Chunks that the last backfill of a table has delivered.",
			func(p *backfill.Progress, _ time.Time) (float64, bool) { return float64(p.Chunks), true }),
		copied("chunks_total", Untyped, "Chunks that the last backfill of a table has, as far as is known; no counter.",
			func(p *backfill.Progress, _ time.Time) (float64, bool) { return float64(p.ChunksAll), true }),
		copied("eta_seconds", Gauge, "How long the backfill of a table will take yet at the rate that it had; absent where none runs or nothing is read yet.",
			(*backfill.Progress).Left),
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func putLSN(put put, lsn schema.LSN, labels ...string) {
	if !lsn.IsZero() {
		put(float64(lsn), labels...)
	}
}

func putTime(put put, at time.Time, labels ...string) {
	if !at.IsZero() {
		put(float64(at.UnixMicro())/1e6, labels...)
	}
}

func putMicros(put put, micros int64, labels ...string) {
	if micros != 0 {
		putTime(put, time.UnixMicro(micros), labels...)
	}
}
