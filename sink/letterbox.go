package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"penstock/internal/fault"
	"penstock/schema/deadletter"
	"penstock/sink/plan"
)

// LetterboxConfig names a topic of dead letters.
type LetterboxConfig struct {
	Brokers []string  // host:port
	Client  []kgo.Opt // optional: TLS and SASL
	Topic   string    // of the letters

	// Plans are those of each pipeline by its input topic, optional:
	// corrections of letters of others are not looked at before they are sent.
	Plans map[string]*plan.Plan
}

// Letterbox reads and writes a topic of dead letters. It may be used concurrently.
// Its errors are faults, classed as those of [Sink.Run].
type Letterbox struct {
	cfg   LetterboxConfig
	chunk int // letters decided in one Kafka transaction
}

// NewLetterbox does no I/O.
func NewLetterbox(cfg LetterboxConfig) *Letterbox { return &Letterbox{cfg: cfg, chunk: decisionChunk} }

func (b *Letterbox) where() string { return "kafka at " + strings.Join(b.cfg.Brokers, ",") }

func (b *Letterbox) client(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(b.cfg.Brokers...), kgo.MetadataMinAge(firstPause)}, b.cfg.Client, opts)...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Usage, Where: b.where(), What: "client options are not usable", Err: err}
	}
	return client, nil
}

// Reach returns at once whether Kafka answers.
func (b *Letterbox) Reach(ctx context.Context) error {
	client, err := b.client()
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return b.fault("no answer", err)
	}
	return nil
}

func (b *Letterbox) fault(doing string, err error) error {
	return kafkaFault(b.where(), "WRITE, READ and DESCRIBE on topic "+b.cfg.Topic, doing, err)
}

// ensure creates the topic unless it is there, for letters of records as large as
// the input topic takes. One that is there must take them, and keep them.
func (b *Letterbox) ensure(ctx context.Context, input string, replication int16) error {
	client, err := b.client()
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, b.cfg.Topic)
	if err != nil {
		return b.fault("list topics", err)
	}
	takes, err := b.maxBytes(ctx, client, input)
	if err != nil {
		return err
	}
	if topics.Has(b.cfg.Topic) {
		return b.check(ctx, client, input, takes)
	}
	configs := make(map[string]*string)
	for key, value := range deadletter.TopicConfigs(takes) {
		configs[key] = &value
	}
	created, err := admin.CreateTopic(ctx, 1, replication, configs, b.cfg.Topic)
	if errors.Is(err, kerr.TopicAlreadyExists) { // the capture has come first
		return b.check(ctx, client, input, takes)
	}
	if err != nil {
		if created.ErrMessage != "" {
			err = fmt.Errorf("%w: %s", err, created.ErrMessage)
		}
		return b.fault("create topic "+b.cfg.Topic, err)
	}
	return nil
}

// check refuses a topic that would forget letters, and what waits with them, and
// one that does not take the letter of every record of the input topic.
func (b *Letterbox) check(ctx context.Context, client *kgo.Client, input string, takes int32) error {
	settings, err := b.settings(ctx, client, b.cfg.Topic)
	if err != nil {
		return err
	}
	var problems []error
	bad := func(what, why, setting string) {
		problems = append(problems, &fault.Error{
			Kind: fault.Usage, Where: "kafka.dead_letter_topic " + b.cfg.Topic, What: what, Why: why,
			Fix: "kafka-configs.sh --alter --entity-type topics --entity-name " + b.cfg.Topic + " --add-config " + setting,
		})
	}
	if settings["cleanup.policy"] != "compact" && (settings["retention.ms"] != "-1" || settings["retention.bytes"] != "-1") {
		bad(fmt.Sprintf("has cleanup.policy=%s and retention.ms=%s", settings["cleanup.policy"], settings["retention.ms"]),
			"letters, and the changes that wait with them, would be forgotten", "cleanup.policy=compact")
	}
	limit, err := limitOf(b.cfg.Topic, settings)
	if err != nil {
		return err
	}
	if wanted := deadletter.MaxMessageBytes(takes); limit < wanted {
		bad(fmt.Sprintf("takes %d bytes, and a letter of what topic %s takes may have %d", limit, input, wanted),
			"the sink would stop at such a letter", fmt.Sprintf("max.message.bytes=%d", wanted))
	}
	return errors.Join(problems...)
}

// maxBytes is the largest batch that a topic takes.
func (b *Letterbox) maxBytes(ctx context.Context, client *kgo.Client, topic string) (int32, error) {
	settings, err := b.settings(ctx, client, topic)
	if err != nil {
		return 0, err
	}
	return limitOf(topic, settings)
}

func limitOf(topic string, settings map[string]string) (int32, error) {
	limit, err := strconv.ParseInt(settings["max.message.bytes"], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("topic %s: max.message.bytes: %w", topic, err)
	}
	return int32(limit), nil
}

// settings are a topic's.
func (b *Letterbox) settings(ctx context.Context, client *kgo.Client, topic string) (map[string]string, error) {
	resources, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, b.fault("describe topic "+topic, err)
	}
	settings := make(map[string]string)
	for _, resource := range resources {
		if resource.Err != nil {
			return nil, b.fault("describe topic "+topic, resource.Err)
		}
		for _, config := range resource.Configs {
			settings[config.Key] = config.MaybeValue()
		}
	}
	return settings, nil
}

// write makes messages durable on all replicas, each in the partition where its
// letter lies, or is to lie. A message that was written and not acknowledged is written again.
func (b *Letterbox) write(ctx context.Context, messages []posted) error {
	client, err := b.client()
	if err != nil {
		return err
	}
	limit, err := b.maxBytes(ctx, client, b.cfg.Topic)
	client.Close()
	if err != nil {
		return err
	}
	client, err = b.writer(limit)
	if err != nil {
		return err
	}
	defer client.Close()
	homes, err := b.homes(ctx, client)
	if err != nil {
		return err
	}
	records := make([]*kgo.Record, len(messages))
	where := make(map[*kgo.Record]string, len(messages))
	for i, m := range messages {
		home := homes(m.group)
		if m.filed != nil {
			home = m.filed.Home
		}
		records[i] = b.record(m.message, home)
		where[records[i]] = m.where
	}
	var large []*kgo.Record
	for _, result := range client.ProduceSync(ctx, records...) { // in the order of the answers
		if errors.Is(result.Err, kerr.MessageTooLarge) {
			large = append(large, result.Record)
		} else if result.Err != nil {
			return b.fault("write to topic "+b.cfg.Topic, result.Err)
		}
	}
	return b.writeLarge(ctx, large, where, limit)
}

// writeLarge writes letters that are larger than the topic takes, one by one:
// compressed they may not be, as their records were not.
func (b *Letterbox) writeLarge(ctx context.Context, records []*kgo.Record, where map[*kgo.Record]string, limit int32) error {
	if len(records) == 0 {
		return nil
	}
	client, err := b.writer(maxSent)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, r := range records {
		err := client.ProduceSync(ctx, r).FirstErr()
		if errors.Is(err, kerr.MessageTooLarge) {
			return &fault.Error{
				Kind: fault.Runtime, Where: where[r], Err: err,
				What: fmt.Sprintf("its dead letter is larger than topic %s takes, %d bytes", b.cfg.Topic, limit),
				Fix:  "raise max.message.bytes of topic " + b.cfg.Topic,
			}
		}
		if err != nil {
			return b.fault("write to topic "+b.cfg.Topic, err)
		}
	}
	return nil
}

func (b *Letterbox) writer(batch int32) (*kgo.Client, error) {
	return b.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(batch), kgo.RequiredAcks(kgo.AllISRAcks()))
}

// posted is a message with the group that it is kept in order with.
type posted struct {
	message deadletter.Message
	id      string            // of a record's letter
	group   string            // of a letter, for when it is not filed yet
	reason  deadletter.Reason // of a record's letter
	filed   *Filed            // what the message is of, where that is on the topic already
	where   string            // the record's coordinates
}

// groupOf names what is kept in order on the topic: a key of a partition.
func groupOf(l *deadletter.Letter) string {
	return fmt.Sprintf("%s/%s/%d/%s", l.Origin(), l.Topic, l.Partition, l.Record.Key)
}

// homes maps groups to the topic's partitions.
func (b *Letterbox) homes(ctx context.Context, client *kgo.Client) (func(group string) int32, error) {
	topics, err := kadm.NewClient(client).ListTopics(ctx, b.cfg.Topic)
	if err == nil {
		err = topics[b.cfg.Topic].Err
	}
	if err != nil {
		return nil, b.fault("list topic "+b.cfg.Topic, err)
	}
	count := len(topics[b.cfg.Topic].Partitions)
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(b.cfg.Topic)
	return func(group string) int32 {
		return int32(partitioner.Partition(&kgo.Record{Key: []byte(group)}, count))
	}, nil
}

func (b *Letterbox) record(m deadletter.Message, home int32) *kgo.Record {
	r := &kgo.Record{Topic: b.cfg.Topic, Partition: home, Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader(h))
	}
	return r
}
