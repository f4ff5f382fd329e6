package admin

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"penstock/schema/deadletter"
	"penstock/sink"
)

// placed is a metric of each partition of each pipeline's input topic.
func placed(m Metric, read func(p *sink.PartitionProgress, read time.Time, put put)) Metric {
	m.Labels = append([]string{"pipeline", "topic", "partition"}, m.Labels...)
	m.read = func(v *view, take put) {
		for _, pipeline := range v.pipelines {
			for i := range pipeline.partitions {
				p := &pipeline.partitions[i]
				at := []string{pipeline.name, pipeline.topic, strconv.Itoa(int(p.Partition))}
				read(p, pipeline.read, func(value float64, labels ...string) { take(value, slices.Concat(at, labels)...) })
			}
		}
	}
	return m
}

func ofPartitions() []Metric {
	return []Metric{
		placed(Metric{
			Name: "penstock_sink_offset", Type: Gauge, Help: "The committed offset: every record below it is in every store. Absent where none was committed.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) {
			if p.Offset >= 0 {
				put(float64(p.Offset))
			}
		}),
		placed(Metric{
			Name: "penstock_sink_end_offset", Type: Gauge, Help: "The offset behind the last record that can be read.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) { put(float64(p.End)) }),
		placed(Metric{
			Name: "penstock_sink_lag_records", Type: Gauge,
			Help: "Offsets from the committed one to the end, those of transactions' markers among them; 0 if there are only markers.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) { put(float64(p.Lag)) }),
		placed(Metric{
			Name: "penstock_sink_lag_seconds", Type: Gauge, Help: "How long ago the source committed the first change that a store lacks; 0 if none does.",
		}, func(p *sink.PartitionProgress, read time.Time, put put) { put(p.Behind(read).Seconds()) }),
		placed(Metric{
			Name: "penstock_sink_lsn", Type: Gauge, Help: "The LSN of the last change below the committed offset, in bytes of the source's log.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) { putLSN(put, p.LSN) }),
		placed(Metric{
			Name: "penstock_sink_last_commit_timestamp_seconds", Type: Gauge,
			Help: "When the source committed the last change below the committed offset, in seconds since the Unix epoch.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) { putMicros(put, p.CommitTime) }),
		placed(Metric{
			Name: "penstock_sink_store_offset", Type: Gauge, Labels: []string{"store"}, Help: "The offset below which a store has everything.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) {
			for _, store := range slices.Sorted(maps.Keys(p.Stores)) {
				put(float64(p.Stores[store]), store)
			}
		}),
		placed(Metric{
			Name: "penstock_sink_lost", Type: Gauge, Help: "1 where the topic no longer holds what comes next, else 0.",
		}, func(p *sink.PartitionProgress, _ time.Time, put put) { put(truth(p.Lost())) }),
	}
}

// carried is a metric of the sink of each pipeline, once it runs.
func carried(m Metric, read func(name string, s *sink.Stats, put put)) Metric {
	m.read = func(v *view, put put) {
		for _, p := range v.pipelines {
			if p.stats != nil {
				read(p.name, p.stats, put)
			}
		}
	}
	return m
}

func ofSink() []Metric {
	return []Metric{
		{
			Name: "penstock_sink_progress_timestamp_seconds", Type: Gauge, Labels: []string{"pipeline"},
			Help: "When the metrics of a pipeline's partitions were read from Kafka last, in seconds since the Unix epoch: without an answer they stay as they were.",
			read: func(v *view, put put) {
				for _, p := range v.pipelines {
					putTime(put, p.read, p.name)
				}
			},
		},
		carried(Metric{
			Name: "penstock_sink_circuit_state", Type: Gauge, Labels: []string{"pipeline", "store"},
			Help: "1 while a store's breaker is open, which is when it does not answer and others go on without it, else 0.",
		}, func(name string, s *sink.Stats, put put) {
			for _, store := range s.Stores {
				put(truth(store.Open), name, store.Name)
			}
		}),
		carried(Metric{
			Name: "penstock_dlq_total", Type: Counter, Labels: []string{"pipeline", "reason"}, Help: "Dead letters that the sink of this daemon wrote.",
		}, func(name string, s *sink.Stats, put put) {
			for _, reason := range deadletter.Reasons() { // also those of which there was none: an increase from nothing is one
				put(float64(s.Letters[reason]), name, string(reason))
			}
		}),
	}
}
