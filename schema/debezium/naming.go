package debezium

import (
	"strings"
	"unicode/utf8"

	"penstock/schema"
)

const maxTopicName = 249 // bytes that Kafka allows

// TopicName is the topic of a table's changes, prefix.schema.table, and what the
// names of its schemas begin with. What Kafka does not allow in a topic's name
// becomes an underscore, two for a character beyond U+FFFF, so tables may share
// a topic; a name that is too long is cut. Names of schemas and fields are not
// changed in any other way (schema.name.adjustment.mode and
// field.name.adjustment.mode are none by default).
func TopicName(prefix string, table schema.TableName) string {
	return sanitizeTopic(prefix + "." + table.String())
}

// TransactionTopic is the topic of the records that begin and end transactions.
func TransactionTopic(prefix string) string { return prefix + ".transaction" }

// MessageTopic is the topic of pg_logical_emit_message.
func MessageTopic(prefix string) string { return prefix + ".message" }

// HeartbeatTopic is the topic of heartbeats.
func HeartbeatTopic(prefix string) string { return "__debezium-heartbeat." + prefix }

func sanitizeTopic(name string) string {
	s := TopicPart(name)
	return s[:min(len(s), maxTopicName)]
}

// TopicPart is a name as a part of a topic's name, by the rule of [TopicName].
func TopicPart(name string) string {
	var clean strings.Builder
	for _, r := range name {
		switch {
		case r >= utf8.RuneSelf:
			clean.WriteByte('_')
			if r > 0xFFFF { // two chars of Java
				clean.WriteByte('_')
			}
		case r == '.' || r == '_' || r == '-' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9':
			clean.WriteByte(byte(r))
		default:
			clean.WriteByte('_')
		}
	}
	return clean.String()
}
