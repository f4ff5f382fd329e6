// Package golden is what the real Debezium connector wrote of the tables and the
// changes of the comparison, kept in files so that tests without a server can be
// held against it, and what the server had to say of the same rows.
//
// Read record.go (one record), file.go (how they are kept), input.go (the same
// rows as the server tells them).
package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Record is one record of a topic.
type Record struct {
	Topic   string          `json:"topic"`
	Key     json.RawMessage `json:"key"`   // null: the record has none
	Value   json.RawMessage `json:"value"` // null: a tombstone
	Headers []Header        `json:"headers,omitempty"`

	// The schemas that came with key and value; nil without.
	KeySchema   json.RawMessage `json:"keySchema,omitempty"`
	ValueSchema json.RawMessage `json:"valueSchema,omitempty"`
}

// Header is one header of a record.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// NewRecord takes key and value as they are in Kafka. With schemas each is an envelope of schema and payload.
func NewRecord(topic string, key, value []byte, headers []Header, schemas bool) (Record, error) {
	r := Record{Topic: topic, Headers: headers}
	var err error
	if r.Key, r.KeySchema, err = part(key, schemas); err != nil {
		return Record{}, fmt.Errorf("key: %w", err)
	}
	if r.Value, r.ValueSchema, err = part(value, schemas); err != nil {
		return Record{}, fmt.Errorf("value: %w", err)
	}
	return r, nil
}

// part tells payload and schema apart. No bytes at all are JSON's null.
func part(text []byte, schemas bool) (payload, schema json.RawMessage, err error) {
	if text == nil {
		return json.RawMessage("null"), nil, nil
	}
	if !schemas {
		payload, err = compact(text)
		return payload, nil, err
	}
	var envelope struct {
		Schema  json.RawMessage `json:"schema"`
		Payload json.RawMessage `json:"payload"`
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&envelope); err != nil {
		return nil, nil, err
	}
	if payload, err = compact(envelope.Payload); err != nil {
		return nil, nil, err
	}
	schema, err = compact(envelope.Schema)
	return payload, schema, err
}

// compact drops white space between tokens and changes nothing else.
func compact(text []byte) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
