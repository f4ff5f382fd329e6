package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"penstock/internal/fault"
	"penstock/schema"
	"penstock/schema/debezium"
)

// maxTopic is how many characters Kafka allows in a topic's name.
const maxTopic = 249

// topics checks the topic of every table: a valid name, and no two alike.
func (v *validator) topics() {
	v.template()
	owner := map[string]string{v.cfg.Kafka.PositionTopic: "kafka.position_topic"}
	v.topic("kafka.transaction_topic", v.cfg.Kafka.TransactionTopic, "kafka.transaction_topic", owner)
	v.topic("kafka.dead_letter_topic", v.cfg.Kafka.DeadLetterTopic, "kafka.dead_letter_topic", owner)
	v.topic("kafka.heartbeat_topic", v.cfg.Kafka.HeartbeatTopic, "kafka.heartbeat_topic", owner)
	if v.cfg.Kafka.MessageTopic != "" {
		v.topic("kafka.message_topic", v.cfg.Kafka.MessageTopic, "kafka.message_topic", owner)
	}
	for _, name := range slices.Sorted(maps.Keys(v.cfg.Pipelines)) {
		path := "pipelines." + name + ".topic"
		v.topic(path, v.cfg.Pipelines[name].Topic, path, owner)
	}
	for i, table := range v.cfg.Source.Tables {
		if table == (schema.TableName{}) || slices.Contains(v.cfg.Source.Tables[:i], table) {
			continue
		}
		path := "kafka.topic"
		if key := TableKey(FormatTable(table)); v.cfg.Kafka.Topics[key] != "" {
			path = "kafka.topics." + string(key)
		}
		v.topic(path, v.cfg.Topic(table), "table "+table.String(), owner)
	}
	for _, key := range slices.Sorted(maps.Keys(v.cfg.Kafka.Topics)) {
		listed := func(t schema.TableName) bool { return TableKey(FormatTable(t)) == key }
		if !v.cfg.Source.matchesKey(key) && !slices.ContainsFunc(v.cfg.Source.Tables, listed) {
			v.add("kafka.topics."+string(key), v.notListed(key))
		}
	}
	if v.cfg.Kafka.MessageTopic != "" {
		delete(owner, v.cfg.Kafka.MessageTopic) // an outbox may write there too
	}
	v.outboxes(owner)
}

// topic checks one topic's name and that nobody else writes to it.
func (v *validator) topic(path, topic, user string, owner map[string]string) {
	if !isTopic(topic) {
		v.add(path, fault.Error{
			What: fmt.Sprintf("%q, the topic of %s, is not a topic name", topic, user),
			Why:  "Kafka allows letters, digits, '.', '_' and '-', at most 249",
			Fix:  likeName(topic, maxTopic),
		})
		return
	}
	if other, ok := owner[topic]; ok {
		v.add(path, fault.Error{What: fmt.Sprintf("topic %s is used by both %s and %s", topic, other, user), Fix: "name one of them in kafka.topics"})
		return
	}
	owner[topic] = user
}

func isTopic(name string) bool {
	return matches(`^[a-zA-Z0-9._-]{1,249}$`, name) && name != "." && name != ".."
}

// likeName tells what to write instead of a name that is not allowed: one that is like it.
func likeName(name string, most int) string {
	if clean := debezium.TopicPart(name); strings.Trim(clean, "._") != "" && len(clean) <= most {
		return "write " + clean
	}
	return fmt.Sprintf("write a name of letters and digits, at most %d", most)
}

// template checks kafka.topic itself: its placeholders, and what stands between them.
func (v *validator) template() {
	const path = "kafka.topic"
	template := v.cfg.Kafka.Topic
	for rest := template; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		if placeholder := "{" + name + "}"; !closed || !slices.Contains(placeholders(), placeholder) {
			f := fault.Error{What: fmt.Sprintf("unknown placeholder %s", placeholder), Fix: "the placeholders are " + strings.Join(placeholders(), ", ")}
			if !closed {
				f.What = fmt.Sprintf("the placeholder {%s is not closed", name)
			} else if meant := Nearest(placeholder, placeholders()); meant != "" {
				f.Fix = "did you mean " + meant + "? T" + f.Fix[1:]
			}
			v.add(path, f)
			v.cfg.failed[path] = true // what it makes of the tables is no news
			return
		}
		rest = next
	}
	if literal := strings.NewReplacer("{name}", "", "{schema}", "", "{table}", "").Replace(template); !matches(`^[a-zA-Z0-9._-]*$`, literal) || template == "" {
		v.add(path, fault.Error{
			What: fmt.Sprintf("%q makes no topic names", template), Why: "Kafka allows letters, digits, '.', '_' and '-'",
			Fix: "topic: \"" + Default().Kafka.Topic + "\"",
		})
		v.cfg.failed[path] = true
	}
}

// placeholders are those of kafka.topic.
func placeholders() []string { return []string{"{name}", "{schema}", "{table}"} }

// outboxes checks the topics that messages may name; owner has the capture's own.
func (v *validator) outboxes(owner map[string]string) {
	const never, another = "a message may never be written there", "take it out, or name another topic"
	for i, topic := range v.cfg.Kafka.OutboxTopics {
		path := fmt.Sprintf("kafka.outbox_topics[%d]", i)
		user, own := owner[topic]
		switch literal := strings.NewReplacer("*", "x", "?", "x").Replace(topic); {
		case !isTopic(literal):
			v.add(path, fault.Error{
				What: fmt.Sprintf("%q is neither a topic name nor a pattern of some", topic),
				Why:  "Kafka allows letters, digits, '.', '_' and '-', at most 249; in a pattern * is any text and ? any one character",
				Fix:  outboxLike(topic),
			})
		case own:
			v.add(path, fault.Error{What: fmt.Sprintf("topic %s is that of %s", topic, user), Why: never, Fix: another})
		case strings.HasPrefix(topic, "__"):
			v.add(path, fault.Error{What: fmt.Sprintf("topic %s is Kafka's own", topic), Why: never, Fix: another})
		}
	}
}

// outboxLike is likeName for a name or pattern.
func outboxLike(topic string) string {
	if strings.ContainsAny(topic, "*?") || topic == "" {
		return `write it such as "outbox.*"`
	}
	return likeName(topic, maxTopic)
}

// notListed is the fault of settings for a table that is not captured.
func (v *validator) notListed(key TableKey) fault.Error {
	f := fault.Error{
		What: string(key) + " is not one of source.tables, and no pattern of source.matching takes it", Why: "it is not captured",
		Fix: "name it in source.tables, or match it in source.matching",
	}
	var listed []string
	for _, table := range v.cfg.Source.Tables {
		listed = append(listed, FormatTable(table))
	}
	if meant := Nearest(string(key), listed); meant != "" {
		f.Fix = "did you mean " + meant + "? Else " + f.Fix
	}
	return f
}
