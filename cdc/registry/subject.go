package registry

import (
	"fmt"

	"penstock/internal/fault"
)

// Naming says what a schema's subject is called. Readers do not need it: they find
// schemas by their ids. The registry compares a schema with the earlier ones of its
// subject.
type Naming string

// The namings, Confluent's three strategies.
const (
	Topic       Naming = "topic"        // TOPIC-key and TOPIC-value
	Record      Naming = "record"       // the record's full name, whatever the topic
	TopicRecord Naming = "topic_record" // TOPIC- and the record's full name
)

// subject returns the subject for the schema of a topic's keys or values.
func (n Naming) subject(topic string, isKey bool, record string) (string, error) {
	switch {
	case n == Topic && isKey:
		return topic + "-key", nil
	case n == Topic:
		return topic + "-value", nil
	case record == "":
		return "", &fault.Error{
			Kind: fault.Usage, Where: "topic " + topic, What: fmt.Sprintf("has a schema without a name, and subject naming is %s", n),
			Fix: "set subject naming to topic",
		}
	case n == Record:
		return record, nil
	}
	return topic + "-" + record, nil
}
