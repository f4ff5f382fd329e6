package sink

// The keys of log fields, one word for one thing.
const (
	keyPipeline   = "pipeline"
	keyTopic      = "topic"
	keyPartitions = "partitions"
	keyGroup      = "group"
	keyWhat       = "what"
	keyLimit      = "limit"
	keyWaited     = "waited"
)
