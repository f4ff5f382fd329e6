package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Write keeps records in the folder dir: NAME.jsonl has one a line, with a number
// for each schema; it is the line, from 1, of NAME.schemas.jsonl, which has every
// schema once.
func Write(dir, name string, records []Record) error {
	var lines, schemas bytes.Buffer
	numbers := map[string]int{}
	number := func(schema json.RawMessage) json.RawMessage {
		if schema == nil {
			return nil
		}
		if _, known := numbers[string(schema)]; !known {
			numbers[string(schema)] = len(numbers) + 1
			schemas.Write(schema)
			schemas.WriteByte('\n')
		}
		return json.RawMessage(strconv.Itoa(numbers[string(schema)]))
	}
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, r := range records {
		r.KeySchema, r.ValueSchema = number(r.KeySchema), number(r.ValueSchema)
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	err := os.WriteFile(filepath.Join(dir, name+".jsonl"), lines.Bytes(), 0o644)
	if schemas.Len() > 0 {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name+".schemas.jsonl"), schemas.Bytes(), 0o644))
	}
	return err
}

// Read returns what Write kept.
func Read(dir, name string) ([]Record, error) {
	schemas, err := readLines(filepath.Join(dir, name+".schemas.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	lines, err := readLines(filepath.Join(dir, name+".jsonl"))
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(lines))
	for i, line := range lines {
		r := &records[i]
		err := json.Unmarshal(line, r)
		if err == nil {
			r.KeySchema, err = numbered(schemas, r.KeySchema)
		}
		if err == nil {
			r.ValueSchema, err = numbered(schemas, r.ValueSchema)
		}
		if err != nil {
			return nil, fmt.Errorf("%s.jsonl, line %d: %w", name, i+1, err)
		}
	}
	return records, nil
}

// numbered returns the schema of a number, or none of none.
func numbered(schemas []json.RawMessage, number json.RawMessage) (json.RawMessage, error) {
	if number == nil {
		return nil, nil
	}
	n, err := strconv.Atoi(string(number))
	if err != nil || n < 1 || n > len(schemas) {
		return nil, fmt.Errorf("no schema %s", number)
	}
	return schemas[n-1], nil
}

func readLines(path string) ([]json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []json.RawMessage
	for line := range bytes.Lines(text) {
		lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
	}
	return lines, nil
}
