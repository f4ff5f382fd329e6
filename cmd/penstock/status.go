package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock/cdc"
	"penstock/internal/config"
	"penstock/internal/fault"
	"penstock/schema"
	"penstock/sink"
)

func (a *app) statusCommand() *cobra.Command {
	var from configFlags
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "status [PIPELINE…]",
		Short: "Show how far the capture and the pipelines have come",
		Long: `Show the capture's position, and of each partition of the pipelines' input
topics what is durable in the stores, as it stands in Kafka: no daemon need run.

OFFSET is the committed offset, END where the partition ends, LAG how many
offsets lie between, 0 if they are only markers of transactions. LSN is that of
the last change below OFFSET, BEHIND how long ago the source committed the first
change that a store lacks. The last columns are the stores: below which offset
each has everything. OFFSET is the lowest of them.`,
		Example: "  penstock status\n  penstock status engagement_metrics -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := a.loadConfig(from.path, from.set, config.RoleOperator)
			if err != nil {
				return err
			}
			names, err := pickPipelines(cfg, args)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			view, err := readStatus(ctx, cfg, names, time.Now())
			if a.data() {
				if err != nil {
					return err
				}
				return a.writeData(view)
			}
			if _, failed := io.WriteString(a.stdout, view.text()); failed != nil {
				return failed
			}
			return err
		},
	}
	from.register(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long Kafka may take")
	return cmd
}

// pickPipelines are the named ones, or all when none is named.
func pickPipelines(cfg *config.Config, names []string) ([]string, error) {
	known := slices.Sorted(maps.Keys(cfg.Pipelines))
	if len(names) == 0 {
		return known, nil
	}
	for _, name := range names {
		if slices.Contains(known, name) {
			continue
		}
		return nil, unknownPipeline(name, known, "")
	}
	return names, nil
}

// unknownPipeline is the fault of a name that is none of those that are known.
func unknownPipeline(name string, known []string, why string) error {
	f := &fault.Error{Kind: fault.Usage, What: fmt.Sprintf("unknown pipeline %q", name), Why: why, Fix: "there are " + strings.Join(known, ", ")}
	if meant := config.Nearest(name, known); meant != "" {
		f.Fix = "did you mean " + meant + "? There are " + strings.Join(known, ", ")
	}
	return f
}

// statusView is what the command shows.
type statusView struct {
	Capture   *captureView   `json:"capture"` // null: the configuration names none, or it has no position yet
	Pipelines []pipelineView `json:"pipelines"`

	now time.Time
}

type captureView struct {
	Name     string     `json:"name"`
	Slot     string     `json:"slot"`
	Position schema.LSN `json:"position"` // everything that was committed below is in Kafka
	Last     time.Time  `json:"last"`     // when about the last change below was committed
}

type pipelineView struct {
	Name       string          `json:"name"`
	Topic      string          `json:"topic"`
	Group      string          `json:"group"`
	Partitions []partitionView `json:"partitions"`
}

type partitionView struct {
	Partition int32            `json:"partition"`
	Offset    *int64           `json:"offset"` // null: none was committed
	Start     int64            `json:"start"`
	End       int64            `json:"end"`
	Lag       int64            `json:"lag"`
	LSN       schema.LSN       `json:"lsn,omitzero"`
	Version   int64            `json:"version,omitzero"`
	Time      *time.Time       `json:"time"` // when the source committed the last change; null: not known
	Behind    float64          `json:"behind_seconds"`
	Stores    map[string]int64 `json:"stores"` // null: not known
	Lost      bool             `json:"lost"`   // the topic no longer holds what comes next
	Rejoins   int              `json:"rejoins"`
	Rejoined  int64            `json:"rejoined_rows"` // by the rejoins that have not ended
}

// readStatus reads what can be read, and joins what went wrong.
func readStatus(ctx context.Context, cfg *config.Config, names []string, now time.Time) (*statusView, error) {
	v := &statusView{now: now, Pipelines: []pipelineView{}}
	var failed []error
	if cfg.Source.Name != "" {
		position, found, err := cdc.ReadPosition(ctx, cdc.Config{
			Name: cfg.Source.Name, Brokers: cfg.Kafka.Brokers, PositionTopic: cfg.Kafka.PositionTopic,
		})
		failed = append(failed, err)
		if found {
			v.Capture = &captureView{Name: cfg.Source.Name, Slot: position.Slot, Position: position.EndLSN, Last: time.UnixMicro(position.Version).UTC()}
		}
	}
	for _, name := range names {
		p := cfg.Pipelines[name]
		list, err := sink.ReadProgress(ctx, progressConfig(cfg, name))
		failed = append(failed, err)
		pipeline := pipelineView{Name: name, Topic: p.Topic, Group: p.Group, Partitions: []partitionView{}}
		for i := range list {
			pipeline.Partitions = append(pipeline.Partitions, viewPartition(&list[i], now))
		}
		v.Pipelines = append(v.Pipelines, pipeline)
	}
	return v, errors.Join(failed...)
}

func viewPartition(p *sink.PartitionProgress, now time.Time) partitionView {
	v := partitionView{
		Partition: p.Partition, Start: p.Start, End: p.End, Lag: p.Lag, LSN: p.LSN, Version: p.Version,
		Behind: p.Behind(now).Seconds(), Stores: p.Stores, Lost: p.Lost(),
	}
	if p.Offset >= 0 {
		v.Offset = &p.Offset
	}
	v.Rejoins = len(p.Rejoins)
	for _, j := range p.Rejoins {
		v.Rejoined += j.Rows
	}
	if p.CommitTime != 0 {
		at := time.UnixMicro(p.CommitTime).UTC()
		v.Time = &at
	}
	return v
}

// text lays the view out for people.
func (v *statusView) text() string {
	out := ""
	if c := v.Capture; c != nil {
		out = fmt.Sprintf("capture %s: position %s, last change %s\n", c.Name, c.Position, c.Last.Format("2006-01-02 15:04:05.000000Z"))
	}
	stores := map[string]bool{}
	for _, pipeline := range v.Pipelines {
		for _, p := range pipeline.Partitions {
			for name := range p.Stores {
				stores[name] = true
			}
		}
	}
	names := slices.Sorted(maps.Keys(stores))
	t := table{header: []string{"PIPELINE", "PARTITION", "OFFSET", "END", "LAG", "LSN", "BEHIND"}}
	for _, name := range names {
		t.header = append(t.header, strings.ToUpper(name))
	}
	t.header = append(t.header, "NOTE")
	for _, pipeline := range v.Pipelines {
		for i := range pipeline.Partitions {
			t.add(pipeline.Partitions[i].cells(pipeline.Name, names)...)
		}
	}
	if len(t.rows) == 0 {
		return out
	}
	return out + t.plain()
}

func (p *partitionView) cells(pipeline string, stores []string) []string {
	offset, lsn, note := "–", "–", ""
	if p.Offset != nil {
		offset = strconv.FormatInt(*p.Offset, 10)
	}
	if !p.LSN.IsZero() {
		lsn = p.LSN.String()
	}
	if p.Rejoins > 0 {
		note = fmt.Sprintf("joins stored rows again: %s rows so far, %d lookup rows to go", grouped(p.Rejoined), p.Rejoins)
	}
	if p.Lost {
		note = fmt.Sprintf("✗ the topic begins at offset %d", p.Start)
	}
	behind := time.Duration(p.Behind * float64(time.Second)).Round(time.Millisecond).String()
	cells := []string{pipeline, strconv.Itoa(int(p.Partition)), offset, strconv.FormatInt(p.End, 10), strconv.FormatInt(p.Lag, 10), lsn, behind}
	for _, store := range stores {
		at, known := p.Stores[store]
		if !known {
			cells = append(cells, "–")
			continue
		}
		cells = append(cells, strconv.FormatInt(at, 10))
	}
	return append(cells, note)
}
