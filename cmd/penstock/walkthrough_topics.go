package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"penstock/schema"
)

// checkTopics reads the table topics to their ends: each row once, as a create,
// in the columns that Postgres has, and nothing else.
func (w *walkthrough) checkTopics(ctx context.Context) ([]string, error) {
	if err := w.topics.catchUp(ctx); err != nil {
		return nil, err
	}
	var differences []string
	for topic, name := range map[string]string{w.names.Events: "engagement_events", w.names.Content: "content"} {
		images, err := w.objects.images(ctx, name)
		if err != nil {
			return nil, err
		}
		differences = append(differences, compareTopic(topic, images, w.topics.records[topic])...)
	}
	slices.Sort(differences)
	return differences, nil
}

// compareTopic compares a topic's records with a table's rows by id.
func compareTopic(topic string, images map[string]json.RawMessage, records []topicRecord) []string {
	var differences []string
	seen := map[string]int{}
	for _, r := range records {
		where := fmt.Sprintf("topic %s partition %d offset %d", topic, r.Partition, r.Offset)
		id, ok := idOf(r.Change.After)
		switch {
		case !ok || r.Change.Op != schema.OpCreate:
			differences = append(differences, fmt.Sprintf("%s: is not the creation of a row", where))
			continue
		case images[id] == nil:
			differences = append(differences, fmt.Sprintf("%s: row %s is not in Postgres", where, id))
		default:
			for _, column := range differentColumns(images[id], r.Change.After) {
				differences = append(differences, fmt.Sprintf("%s: row %s: %s", where, id, column))
			}
		}
		seen[id]++
	}
	for _, id := range slices.Sorted(maps.Keys(images)) {
		if seen[id] != 1 {
			differences = append(differences, fmt.Sprintf("topic %s: row %s is there %d times, not once", topic, id, seen[id]))
		}
	}
	return differences
}

// differentColumns compares two JSON images of a row.
func differentColumns(want, got json.RawMessage) []string {
	var a, b map[string]any
	if err := decodeExact(want, &a); err != nil {
		return []string{err.Error()}
	}
	if err := decodeExact(got, &b); err != nil {
		return []string{err.Error()}
	}
	var differences []string
	for _, column := range slices.Sorted(maps.Keys(a)) {
		if x, y := canonical(a[column]), canonical(b[column]); x != y {
			differences = append(differences, fmt.Sprintf("column %s is %s, in Postgres %s", column, y, x))
		}
	}
	return differences
}

// canonical makes equal values of the two images equal texts: a time in any
// zone, a JSON document as an object or as text.
func canonical(v any) string {
	text, ok := v.(string)
	if !ok {
		compact, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(compact)
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC().Format(time.RFC3339Nano)
	}
	var document map[string]any
	if decodeExact([]byte(text), &document) == nil {
		return canonical(document)
	}
	return strconv.Quote(text)
}

// decodeExact is json.Unmarshal that keeps the digits of numbers.
func decodeExact(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
