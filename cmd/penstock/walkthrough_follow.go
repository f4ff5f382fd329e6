package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"penstock/internal/stack"
	"penstock/schema"
	"penstock/sink/engagement"
)

// story is what a walk-through shows and what `penstock demo -o json` prints.
type story struct {
	OK          bool          `json:"ok"`
	Servers     stack.Servers `json:"servers"`
	Names       names         `json:"names"`
	Events      []trace       `json:"events"`
	Differences []string      `json:"differences"` // from SQL, empty when all is well
}

// trace is one event at every stage; a stage that it did not reach is nil.
type trace struct {
	ID        int64             `json:"id"`
	Postgres  postgresStage     `json:"postgres"`
	Kafka     *kafkaStage       `json:"kafka"`
	Cassandra *cassandraStage   `json:"cassandra"`
	Redis     map[string]string `json:"redis"`

	// CommitToRedis is the time from the commit to the first look that found the hash.
	CommitToRedis time.Duration `json:"commit_to_redis_ns,omitempty"`
}

type postgresStage struct {
	ContentID  string `json:"content_id,omitempty"`
	UserID     string `json:"user_id,omitempty"`
	Type       string `json:"event_type,omitempty"`
	Time       string `json:"event_ts"`
	DurationMS *int64 `json:"duration_ms"`
	Device     string `json:"device,omitempty"`
}

type kafkaStage struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	LSN       schema.LSN `json:"lsn"`
}

type cassandraStage struct {
	Seconds *float64 `json:"engagement_seconds"`
	Pct     *float64 `json:"engagement_pct"`
	Title   string   `json:"title,omitempty"`
	Version int64    `json:"version"`
}

// follow looks for every event of Postgres at every other stage, all at once.
func (w *walkthrough) follow(ctx context.Context, committed time.Time) ([]trace, error) {
	rows, err := w.objects.joined(ctx)
	if err != nil {
		return nil, err
	}
	traces := make([]trace, len(rows))
	deadline, cancel := context.WithTimeout(ctx, stageDeadline)
	defer cancel()
	looking, looks := errgroup.WithContext(deadline)
	for i, row := range rows {
		t := &traces[i]
		t.ID, t.Postgres = row.ID, postgresOf(row)
		looking.Go(func() error { return w.followToRedis(looks, t, committed) })
		looking.Go(func() error { return w.followToCassandra(looks, t) })
	}
	looking.Go(func() error { return w.followToKafka(looks, traces) })
	// Not to be found in time is for check to say; anything else ends the story.
	if err := looking.Wait(); err != nil && !(errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil) {
		return nil, err
	}
	return traces, nil
}

func postgresOf(row engagement.Row) postgresStage {
	return postgresStage{
		ContentID: textOf(row.ContentID), UserID: textOf(row.UserID), Type: row.Type.Value, Device: row.Device.Value,
		Time: time.UnixMicro(row.Time).UTC().Format(time.RFC3339Nano), DurationMS: pointer(row.DurationMS),
	}
}

func (w *walkthrough) followToRedis(ctx context.Context, t *trace, committed time.Time) error {
	return await(ctx, 2*time.Millisecond, func(ctx context.Context) (bool, error) {
		hash, found, err := w.stores.redis.Hash(ctx, engagement.Key(t.ID))
		if found {
			t.Redis, t.CommitToRedis = hash, time.Since(committed)
		}
		return found, err
	})
}

func (w *walkthrough) followToCassandra(ctx context.Context, t *trace) error {
	return await(ctx, 10*time.Millisecond, func(ctx context.Context) (bool, error) {
		stored, found, err := w.stores.cassandra.Read(ctx, engagement.Key(t.ID))
		if found {
			row := engagement.FromStored(stored)
			t.Cassandra = &cassandraStage{Seconds: pointer(row.Seconds), Pct: pointer(row.Pct), Title: row.Title.Value, Version: row.Version}
		}
		return found, err
	})
}

// followToKafka reads the table's topic until it holds every event.
func (w *walkthrough) followToKafka(ctx context.Context, traces []trace) error {
	return await(ctx, 20*time.Millisecond, func(ctx context.Context) (bool, error) {
		if err := w.topics.catchUp(ctx); err != nil {
			return false, err
		}
		found := 0
		for i := range traces {
			t := &traces[i]
			for _, r := range w.topics.records[w.names.Events] {
				if id, ok := idOf(r.Change.After); ok && id == fmt.Sprint(t.ID) {
					t.Kafka = &kafkaStage{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LSN: r.At.LSN}
				}
			}
			if t.Kafka != nil {
				found++
			}
		}
		return found == len(traces), nil
	})
}

// idOf reads the id out of a row image.
func idOf(image json.RawMessage) (string, bool) {
	var row struct {
		ID any `json:"id"`
	}
	if image == nil || decodeExact(image, &row) != nil || row.ID == nil {
		return "", false
	}
	return fmt.Sprint(row.ID), true
}

func textOf(u engagement.Null[engagement.UUID]) string {
	if !u.Valid {
		return ""
	}
	return u.Value.String()
}

func pointer[T any](v engagement.Null[T]) *T {
	if !v.Valid {
		return nil
	}
	return &v.Value
}
